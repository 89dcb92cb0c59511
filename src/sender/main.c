
/* The program "nudge": the sender, and the shop's command line. */


#include <string.h>

#include "command.h"
#include "sender.h"


int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "sender") == 0) {
        return sender_main();
    }

    return command_run(argc, argv);
}
