/* credentials: what a listener over TLS proves itself by, and what it asks of its clients. Read with the configuration;
 * equal ones keep their contexts over a reload. */
#ifndef APP_CREDENTIALS_H
#define APP_CREDENTIALS_H

#include "conf/model.h"
#include "proto/tls.h"

struct credentials {
	enum listen_transport transport;
	enum client_auth auth;
	struct span pem, key, ca;        /* ca.n 0: none */
	uint64_t hash;                   /* of all of them */
};

/* Those of a listen. *ret is NULL where it is in the clear, or an unbound.conf names no certificate.
 * returns  OK | ERR_WORLD, ERR_NOTFOUND, ERR_LIMIT: why says which file */
enum err credentials_read(const struct listen *l, const struct socket_conf *c, struct arena *a,
                          const struct credentials **ret, struct buf *why) MUST_CHECK;
/* NULL: why says what is wrong with them. */
struct tls_context *credentials_context(const struct credentials *c, struct span ticket_key, struct buf *why);

#endif
