/* zones: where a Corefile names zones, as a directive's arguments: names, and networks that stand for the zones of
 * their reverse names (RFC1035 3.5, RFC3596 2.5). */
#ifndef PLUGIN_ZONES_H
#define PLUGIN_ZONES_H

#include "plugin/opt.h"

#define ZONES_MAX 4096u           /* of one list; a network is up to 128 */
#define REVERSE_ZONES_MAX 128u

struct zone_list {
	const struct name *names;     /* lower case */
	unsigned n;
};

/* Names, or networks, from the argument number `first` on; without one the zones of the server block. What is no name
 * is said. */
struct zone_list zones_read(const struct directive *d, unsigned first, struct arena *a, struct diag *diag);
/* As above for `fallthrough` and its like: none means every name. */
struct zone_list zones_or_all(const struct directive *d, unsigned first, struct arena *a, struct diag *diag);
/* One name or network. returns the number of zones, 0: it is neither */
unsigned zones_of(const char *text, struct arena *a, struct name ret[REVERSE_ZONES_MAX]) MUST_CHECK;

/* The longest of the zones that holds the name, NULL none. */
const struct name *zones_find(const struct zone_list *z, struct name name);

#endif
