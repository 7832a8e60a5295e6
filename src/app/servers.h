/* servers: whom a client command asks: those that its arguments name, else those of resolv.conf. */
#ifndef APP_SERVERS_H
#define APP_SERVERS_H

#include "app/dial.h"

#define SERVERS_MAX 8u
#define RESOLV_CONF "/etc/resolv.conf"
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct servers {
	struct dial_server list[SERVERS_MAX];
	unsigned n;
};

/* ADDRESS[@PORT][#TLSNAME]; with a name or port 853 over TLS. text must outlive all.
 * returns OK | ERR_LIMIT there are SERVERS_MAX | ERR_SYNTAX */
enum err servers_add(struct servers *all, struct arena *a, const char *text) MUST_CHECK;
/* Those of resolv.conf; 127.0.0.1 when it names none. */
void servers_default(struct servers *all, struct arena *a);
/* Keep those of a family, ADDR_NONE for any. returns whether one is left */
bool servers_choose(struct servers *all, uint8_t family);

#endif
