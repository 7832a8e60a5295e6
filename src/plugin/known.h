/* known: what was proved of zones not long ago: their keys, the DS that vouch for these, or that nothing below can be
 * proved. So that an answer costs the steps from the deepest zone that is known, not those from the root. Shared by all
 * workers; bounded in bytes. */
#ifndef PLUGIN_KNOWN_H
#define PLUGIN_KNOWN_H

#include "core/ahead.h"
#include "core/flush.h"
#include "core/path.h"

#define KNOWN_TTL_MAX DAY       /* seconds a proof is relied on, whatever its TTL (RFC4035 5.3.3 has no bound) */
#define KNOWN_NOTE_TTL (30 * DAY)   /* of what was merely seen */
#define KNOWN_NOTE_LABELS 40u   /* below what is known that notes are looked for; a reverse name has 34 */

/* Where a way begins: what is known, the anchors under it, and when. */
struct known_env {
	struct cache *cache;
	struct arena *arena;              /* of the query; the path's keys and trust are copied into it */
	const struct anchors *anchors;
	struct now now;
};

/* The way to `target` from the deepest zone known, or from its anchor. */
void known_start(const struct known_env *env, struct name target, struct path *ret);
/* Keep what p found out with its last answer, which was one to the step `answered`. */
/* bogus_ttl: seconds for which a zone whose keys failed, whoever was asked for them, is left alone (RFC9520). */
void known_keep(struct cache *c, const struct path *p, enum path_step answered, msec now, uint32_t bogus_ttl);
/* A few bytes remembered of a zone under a letter of the caller's own: what was said, what was suspected. */
struct known_memo {
	uint8_t kind;
	struct name zone;
	void *bytes;
	size_t n;
};
/* Into memo->bytes; false: nothing is remembered, or no longer. */
bool known_recall(struct cache *c, const struct known_memo *memo, msec now) MUST_CHECK;
void known_remember(struct cache *c, const struct known_memo *memo, msec now, msec life);
/* Forget zones; what is below one of them is proved anew too, as far as it was not proved on its own. */
void known_flush(struct cache *c, struct flush *f);

/* What was seen of target's ancestors: ret[i] of the one with i labels, for those of `at` labels and more. */
void known_notes(struct cache *c, struct name target, unsigned at, struct ahead_note ret[AHEAD_NOTES]);
/* The zone says of a name that it does not exist: not one of its signed children. */
void known_saw_absent(struct cache *c, struct name zone, msec now);
/* The zone has signed data of its own at `owner`. */
void known_saw_data(struct cache *c, struct name zone, struct name owner, msec now);

#endif
