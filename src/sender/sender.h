
/* "nudge sender": the process nginx starts and keeps alive */


#ifndef _NUDGE_SENDER_H_INCLUDED_
#define _NUDGE_SENDER_H_INCLUDED_


#define SENDER_LINK  3      /* end of file there: the parent is gone */

/* the exit code */
int sender_main(void);


#endif /* _NUDGE_SENDER_H_INCLUDED_ */
