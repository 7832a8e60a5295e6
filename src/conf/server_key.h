/* server_key: the keys of a server block, [SCHEME://]ZONE[:PORT]; a network is its reverse zones. */
#ifndef CONF_SERVER_KEY_H
#define CONF_SERVER_KEY_H

#include "conf/model.h"
#include "conf/unbound.h"
#include "plugin/zones.h"

struct server_key {
	enum listen_transport transport;
	uint16_t port;
	const struct name *zones;
	unsigned nzones;
};

/* dns_port: of a dns:// key that names none. False: it is wrong, and that is in diag. */
bool server_key_read(const struct reading *r, const char *file, const struct word *key, uint16_t dns_port,
                     struct server_key *ret) MUST_CHECK;
/* "tls://example.org.:853" */
void server_key_text(enum listen_transport transport, struct name zone, uint16_t port, struct buf *to);

#endif
