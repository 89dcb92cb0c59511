
/*
 * The catalogue on disk: written when something changed, whole or not at all,
 * two generations kept; and popularity.
 */


#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish.h"
#include "tap.h"


#define DAY  ((int64_t) 86400000)


static char  dir[] = "/tmp/nudge-publish-XXXXXX";


static nudge_uint_t
there(const char *name)
{
    char         path[256];
    struct stat  st;

    snprintf(path, sizeof(path), "%s/catalogue/%s", dir, name);

    return stat(path, &st) == 0;
}


static void
product(nudge_product_t *p, const char *id, nudge_money_t price)
{
    memset(p, 0, sizeof(nudge_product_t));

    p->item.id = nudge_cstr(id);
    p->item.name = nudge_cstr("Mug");
    p->item.url = nudge_cstr("/p/");
    p->item.image = nudge_cstr("/i.svg");
    p->item.price = price;
    p->item.currency = nudge_cstr("EUR");
    p->item.stock = NUDGE_STOCK_IN;
    p->popularity = 5;
}


static void
files(void)
{
    int              fd;
    char             path[256];
    int64_t          now;
    publish_t        p;
    const char      *error;
    nudge_str_t      shop;
    nudge_product_t  list[2];

    memset(&p, 0, sizeof(publish_t));
    shop = nudge_cstr("bluemug");
    now = 1795306529000;
    error = "";

    product(&list[0], "21", 24000);
    product(&list[1], "22", 22000);

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now, &error), NUDGE_OK,
           "first generation %s", error);
    is_int(p.generation, 1, "is number 1");
    ok(there("bluemug.0000000001"), "and is there");
    ok(!there(".bluemug.tmp"), "the temporary file is not");

    list[0].item.price = 25000;

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now + 1, &error),
           NUDGE_AGAIN, "too soon");
    is_int(publish_catalogue(&p, dir, &shop, list, 2, now += 5000, &error),
           NUDGE_OK, "a changed price");
    is_int(publish_catalogue(&p, dir, &shop, list, 2, now += 5000, &error),
           NUDGE_DECLINED, "nothing changed");

    memset(&p, 0, sizeof(publish_t));

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now, &error),
           NUDGE_DECLINED, "nor after a restart");
    is_int(p.generation, 2, "which found generation 2");

    list[1].item.stock = NUDGE_STOCK_OUT;

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now += 5000, &error),
           NUDGE_OK, "sold out");
    ok(!there("bluemug.0000000001") && there("bluemug.0000000002")
       && there("bluemug.0000000003"), "the two newest are kept");

    list[1].item.stock = NUDGE_STOCK_IN;

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now - DAY, &error),
           NUDGE_OK, "a clock that stepped back does not silence us");

    /* another shop's files and strange ones are left alone */

    snprintf(path, sizeof(path), "%s/catalogue/bluemug2.0000000001", dir);
    fd = open(path, O_WRONLY|O_CREAT, 0600);
    close(fd);

    list[0].popularity = 9;

    is_int(publish_catalogue(&p, dir, &shop, list, 2, now += 5000, &error),
           NUDGE_OK, "popularity");
    ok(there("bluemug2.0000000001"), "another shop's file stays");

    shop = nudge_cstr("../etc");
    is_int(publish_catalogue(&p, dir, &shop, list, 2, now += 5000, &error),
           NUDGE_ERROR, "a shop id is no path");

    shop = nudge_cstr("bluemug");
    memset(&p, 0, sizeof(publish_t));
    is_int(publish_catalogue(&p, "/nonexistent", &shop, list, 2, now, &error),
           NUDGE_ERROR, "no directory: %s", error);
}


static void
popularity(void)
{
    double  s;

    s = publish_weight(NUDGE_EVENT_VIEW_ITEM, 1);

    ok(publish_weight(NUDGE_EVENT_PURCHASE, 1)
       > publish_weight(NUDGE_EVENT_ADD_TO_CART, 1)
       && publish_weight(NUDGE_EVENT_ADD_TO_CART, 1) > s && s > 0,
       "an order counts more than a cart, a cart more than a view");
    ok(publish_weight(NUDGE_EVENT_PURCHASE, 1000000)
       == publish_weight(NUDGE_EVENT_PURCHASE, 10), "up to ten of a kind");
    ok(publish_weight(NUDGE_EVENT_REMOVE_FROM_CART, 1) == 0, "others nothing");

    s = publish_decay(8, 0, 7 * DAY);
    ok(s > 3.999 && s < 4.001, "half after seven days");
    ok(publish_decay(8, 7 * DAY, 0) == 8, "a clock that steps back");
    ok(publish_decay(-1, 0, 1) == 0, "nothing below zero");
    ok(publish_decay(0.0 / 0.0, 0, 1) == 0, "no NaN");
    ok(publish_decay(1e300 * 1e300, 0, 1) == 0, "no infinity");

    is_int(publish_popularity(1.5, 100 * DAY, 100 * DAY), 1500, "thousandths");
    is_int(publish_popularity(1e30, 100 * DAY, 100 * DAY), UINT32_MAX,
           "up to the end");
    is_int(publish_popularity(3, DAY, 9 * DAY + 5),
           publish_popularity(3, DAY, 9 * DAY + 3500000),
           "constant within the hour");
}


int
main(void)
{
    char  command[300];

    if (mkdtemp(dir) == NULL) {
        ok(0, "a temporary directory");
        done_testing();
        return 0;
    }

    files();
    popularity();

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    ok(system(command) == 0, "cleaned up");

    done_testing();

    return 0;
}
