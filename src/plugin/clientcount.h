/* clientcount: how many questions each client has asked in this second and in the one before. The counters stand in one
 * fixed table that all workers share without locks: a client has one of a set of four words, found by keyed hash, so
 * that nobody can choose whom to push out. */
#ifndef PLUGIN_CLIENTCOUNT_H
#define PLUGIN_CLIENTCOUNT_H

#include "base/addr.h"
#include "base/hash.h"

#define CLIENTCOUNT_MAX 0xffffu    /* counts no further */

struct clientcount;

/* bytes: of the counters, 8 for each client. */
struct clientcount *clientcount_new(size_t bytes, const struct hash_key *key);
void clientcount_free(struct clientcount *c);

struct counted {
	unsigned now, before;      /* questions of this second, this one included, and of the one before */
};

/* One more question of the client. bytes: so many of its address tell it from others. */
struct counted clientcount_add(struct clientcount *c, const struct addr *from, size_t bytes, unsigned second);

#endif
