/* peer: servers that zones are taken from and handed to, and the key with which what is said between us is signed
 * (RFC8945). What comes of them unsigned, or signed with another key, is not believed.
 * lifetime  that of the configuration */
#ifndef CORE_PEER_H
#define CORE_PEER_H

#include "base/addr.h"
#include "wire/tsig.h"

struct peer {
	struct prefix net;
	struct name name;              /* of the key */
	const struct tsig_key *key;    /* NULL: not looked up yet */
};

struct peers {
	const struct peer *list;
	unsigned n;
};

struct client;

/* The key for a server at the address: that of the first network that holds it. NULL: nothing is signed; also of peers
 * NULL. */
const struct tsig_key *peer_key(const struct peers *p, const struct addr *a);
/* May what a client wants of a zone be believed to be its own wish? Only if it is signed with the key that it has. */
bool peer_is(const struct peers *p, const struct client *c);

#endif
