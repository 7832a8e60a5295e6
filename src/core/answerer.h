/* answerer: who answered which question of late. When an answer turns out not to be provable, the same question is
 * asked once more, of somebody else: a server with an old copy of the zone, or a forger, must not be the last word. A
 * small table in the engine where the newest entry of a place wins; what is forgotten costs a repeated answer. One
 * worker.
 * source  RFC4035 5.5 (other servers may give what validates), RFC6840 B */
#ifndef CORE_ANSWERER_H
#define CORE_ANSWERER_H

#include "base/addr.h"
#include "base/hash.h"
#include "wire/msg.h"

#define ANSWERERS_MAX 256u
#define DOUBTS_MAX 3u        /* times one question is asked again because its answers could not be proved; each is
                                paid from the budget of the question that wants to know (attacks E7) */
#define DOUBT_LIFE_MS 700    /* for each: what is known already is told soon when nobody has a better answer */

struct answerers {
	struct answerer {
		uint64_t question;
		uint32_t servers[DOUBTS_MAX];
		uint32_t n;
	} list[ANSWERERS_MAX];
};

/* `who` has answered q; again: others have before, and were not believed. */
void answerer_note(struct answerers *s, const struct hash_key *key, const struct question *q, const struct addr *who,
                   bool again);
/* Was it `who`, as far as is known? */
bool answerer_is(const struct answerers *s, const struct hash_key *key, const struct question *q,
                 const struct addr *who);

#endif
