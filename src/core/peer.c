#include "core/peer.h"

#include "core/client.h"

const struct tsig_key *peer_key(const struct peers *p, const struct addr *a)
{
	for (unsigned i = 0; p != NULL && i < p->n; i++)
		if (prefix_holds(&p->list[i].net, a))
			return p->list[i].key;
	return NULL;
}

bool peer_is(const struct peers *p, const struct client *c)
{
	const struct tsig_key *key = peer_key(p, &c->from);
	return key == NULL || (c->tsig != NULL && name_eq(c->tsig->key.name, key->name));
}
