/* world: the oracle. It knows what is true because it made it: a zone of names with addresses, texts, aliases and
 * nothing, answers questions about them, and judges what a resolver tells its clients. It uses the codec and nothing of
 * what it judges. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/rng.h"
#include "base/time.h"
#include "wire/msg.h"

#define WORLD_NAMES_MAX 48u
#define WORLD_ALIASES_MAX 6u
#define WORLD_NAME_TEXT 64u

enum kind { KIND_ADDRESS, KIND_TEXT, KIND_ALIAS, KIND_NODATA, KIND_ABSENT };

struct entry {
	uint8_t wire[WORLD_NAME_TEXT];
	struct name name;
	enum kind kind;
	unsigned n;             /* records */
	unsigned alias;         /* KIND_ALIAS: which entry, a smaller number */
	uint32_t ttl;
	msec told;              /* when a true answer last reached a resolver; -1 never */
};

struct world {
	unsigned n;
	struct entry entries[WORLD_NAMES_MAX];
	uint32_t negative_ttl;
};

/* What may be served past its TTL, and what TTL it may then bear. */
struct stale_rules {
	bool allowed, said;     /* said: with an EDE, to those who speak EDNS */
	uint32_t secs, reply_ttl;
};

void world_make(struct world *w, struct rng *r);
/* An entry of a given name and kind, for scripted worlds. */
unsigned world_add(struct world *w, const char *name, enum kind kind, unsigned n, uint32_t ttl);
/* -1: none of that name. */
int world_find(const struct world *w, struct name name);
uint16_t world_type(const struct world *w, unsigned entry);
struct saying {
	uint16_t id;
	bool lie;               /* what no true server would say */
	size_t limit;           /* longer is cut, with TC */
};
/* A message that answers q. */
void world_answer(const struct world *w, const struct question *q, struct saying how, struct buf *to);
/* NULL when the reply is true, fresh enough and not more than asked; else what is wrong with it. */
const char *world_judge(const struct world *w, unsigned entry, const struct msg *m, msec now,
                        const struct stale_rules *stale);

#endif
