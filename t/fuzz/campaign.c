
/*
 * Any text as a campaign: it ends, it either gives a campaign that keeps the
 * header's promises or an error with a file's name, and every condition of it
 * answers within its budget.
 */


#include <stdlib.h>

#include "nudge_campaign.h"


int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);


static nudge_int_t
use(void *data, const char *name, nudge_str_t *text)
{
    if (strcmp(name, "flows/a") != 0) {
        return NUDGE_DECLINED;
    }

    *text = nudge_cstr("flow 'used' { on = 'subscribed', { mail = 'm' } }");

    return NUDGE_OK;
}


static void
name(const nudge_str_t *s)
{
    size_t  i;

    if (s->len == 0 || s->len > 32) {
        __builtin_trap();
    }

    for (i = 0; i < s->len; i++) {
        if (s->data[i] != '-' && (s->data[i] < '0' || s->data[i] > '9')
            && (s->data[i] < 'a' || s->data[i] > 'z'))
        {
            __builtin_trap();
        }
    }
}


static void
conditions(nudge_campaign_t *c, const nudge_facts_t *facts)
{
    nudge_uint_t  i, n, met, failed;

    for (i = 0; i < c->noffers; i++) {
        name(&c->offers[i].name);
        name(&c->offers[i].template);

        met = nudge_campaign_offer(c, i, facts, &failed);

        if (met && failed) {
            __builtin_trap();
        }

        if (failed) {
            met = nudge_campaign_offer(c, i, facts, &failed);

            if (met || failed || nudge_campaign_failure(c)[0] == '\0') {
                __builtin_trap();
            }
        }
    }

    for (i = 0; i < c->nflows; i++) {
        name(&c->flows[i].name);

        if (c->flows[i].nsteps < 1
            || c->flows[i].nsteps > NUDGE_CAMPAIGN_STEPS)
        {
            __builtin_trap();
        }

        for (n = 0; n < c->flows[i].nsteps; n++) {
            name(&c->flows[i].steps[n].mail);

            if (c->flows[i].steps[n].after < 0) {
                __builtin_trap();
            }

            (void) nudge_campaign_step(c, i, n, facts, &failed);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    nudge_str_t        s;
    nudge_error_t      error;
    nudge_facts_t      facts;
    nudge_campaign_t  *c;

    s.data = (u_char *) input;
    s.len = size;

    memset(&facts, 0, sizeof(nudge_facts_t));
    facts.cart_total = 20000;
    facts.cart_items = 2;
    facts.page = nudge_cstr("cart");

    c = nudge_campaign_compile(&s, "fuzz.lua", use, NULL, &error);

    if (c == NULL) {
        if (memchr(error.text, '\0', sizeof(error.text)) == NULL
            || (strncmp((char *) error.text, "fuzz.lua:", 9) != 0
                && strncmp((char *) error.text, "flows/a.lua:", 12) != 0))
        {
            __builtin_trap();
        }

        return 0;
    }

    name(&c->shop.id);

    if (c->sends != (nudge_campaign_no_sending(c) == NULL)
        || c->moderation.quiet_from >= 1440 || c->moderation.quiet_to >= 1440
        || c->moderation.max < 1)
    {
        __builtin_trap();
    }

    conditions(c, &facts);
    nudge_campaign_destroy(c);

    return 0;
}
