/* autotrust: a trust anchor that keeps itself up to date (RFC5011), in the state and file format of Unbound's
 * auto-trust-anchor-file. Pure: answers and the wall clock go in, states change, text comes out; asking, reading and
 * writing are the caller's. Nothing here can stop a resolver: an answer that proves nothing changes nothing.
 *
 *   START --seen--> ADDPEND --seen twice, 30 days--> VALID <--seen, not seen--> MISSING --366 days--> REMOVED
 *                      |                               |                          |
 *                      +--not seen: START              +--revoked, self-signed--> REVOKED --30 days--> REMOVED
 *
 * Lives in the arena it is read into; whoever probes for years copies it into a fresh one when it has changed. One
 * owner. source  RFC5011 2-4 */
#ifndef CORE_AUTOTRUST_H
#define CORE_AUTOTRUST_H

#include "base/diag.h"
#include "base/rng.h"
#include "core/anchor.h"

#define AUTOKEYS_MAX 32u                       /* keys remembered; more are not looked at */
#define AUTOTRUST_FILE_MAX (256u * 1024u)      /* 32 keys of 4096 bits take 30 kB */
#define AUTOTRUST_SEEN_MIN 2u                  /* probes that must have seen a new key */

enum autokey_state { AUTO_START, AUTO_ADDPEND, AUTO_VALID, AUTO_MISSING, AUTO_REVOKED, AUTO_REMOVED };
extern const char *const autokey_state_names[];

struct autokey {
	struct span rdata;       /* with the REVOKE bit once it has been revoked */
	enum autokey_state state;
	uint32_t ttl;
	uint32_t count;          /* probes that have seen it since it is pending */
	int64_t changed;         /* wall seconds of the last change of state */
	bool seen;               /* in the latest probe */
};

struct autotrust {
	struct name zone;
	struct arena *arena;
	int64_t queried, succeeded, next_probe;   /* wall seconds; 0: never */
	uint32_t failed;                          /* probes in a row */
	uint32_t interval, retry;                 /* seconds between probes, and after a failed one */
	bool revoked;            /* every key was: no anchor until somebody writes a new file */
	bool unsaved;            /* differs from what the file says */
	unsigned nds, nkeys;
	struct span ds[TRUST_DS_MAX];             /* what vouches for keys not seen yet, till a probe succeeds */
	struct autokey keys[AUTOKEYS_MAX];
};

struct autotrust_conf {
	uint32_t add_holddown, del_holddown, keep_missing;   /* seconds; keep_missing 0: for ever */
	bool permit_small;       /* intervals below an hour, for tests */
};
extern const struct autotrust_conf autotrust_usual;

/* One occasion: by which rules, when (wall seconds; signatures may be judged as of another date), by what chance. */
struct autotrust_turn {
	const struct autotrust_conf *conf;
	int64_t now;
	struct rng *rng;
};

/* A state file, or DS and DNSKEY records to begin with, all of one owner. Errors go to diag.
 * returns OK | ERR_SYNTAX something is wrong, nothing is to be trusted | ERR_NOTFOUND no record at all | ERR_LIMIT */
enum err autotrust_read(struct arena *a, struct span text, const char *file, struct diag *diag,
                        struct autotrust *ret) MUST_CHECK;
/* The state file's text. */
void autotrust_write(const struct autotrust *t, struct buf *to);
/* Everything into another arena. */
enum err autotrust_copy(struct arena *a, const struct autotrust *t, struct autotrust *ret) MUST_CHECK;

/* What may vouch for the zone's keys now: valid and missing keys, and seeds. Nothing when revoked. */
void autotrust_trust(const struct autotrust *t, struct trust *ret);
/* A probe begins: if nothing comes of it the next one is due after the retry time. */
void autotrust_begin(struct autotrust *t, const struct autotrust_turn *turn);
/* Somebody has asked for the zone's keys, be it a probe: dnskeys is the set as received, NULL when none came. It is
 * verified here. returns what the set was: SECURE and its reason otherwise */
struct ruling autotrust_probe(struct autotrust *t, const struct autotrust_turn *turn, struct validator *v,
                              struct msg_rrset *dnskeys);
/* Is a probe due, or when? 0: never again. */
int64_t autotrust_due(const struct autotrust *t, int64_t now);
/* More that vouches for keys: DS records that come with the program. */
enum err autotrust_vouch(struct autotrust *t, const struct trust *with) MUST_CHECK;
/* Does it say of the key of this DS or DNSKEY that its owner has revoked it? */
bool autotrust_has_revoked(const struct autotrust *t, uint16_t type, struct span rdata);
/* The keys in autotrust_trust changed since `before`. */
bool autotrust_differs(const struct autotrust *t, const struct autotrust *before);

#endif
