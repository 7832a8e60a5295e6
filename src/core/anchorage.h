/* anchorage: the trust anchors of the running process. What the configuration names, what the state files say (RFC5011)
 * and what operators set aside for a while (negative trust anchors, RFC7646) are made into one immutable table, which
 * is published with one atomic store whenever one of the three changes.
 *
 * readers   workers. They hold the table for a part of one turn, without a lock: hold, look up, copy, release
 * writers   any thread, one after the other behind the anchorage's lock; a table that is replaced is freed once nobody
 *           holds it
 * lifetime  of the process: a reload hands in a new configuration; negative anchors, and states that are newer than
 *           their files, stay
 * source    RFC5011, RFC7646 */
#ifndef CORE_ANCHORAGE_H
#define CORE_ANCHORAGE_H

#include "base/arena.h"
#include "core/nta.h"
#include "wire/name.h"

struct anchors;
struct autotrust;
struct autotrust_conf;
struct msg_rrset;
struct validator;

#define ANCHORAGE_READERS 64u    /* workers of a process */
#define POINTS_MAX 32u           /* state files */

struct anchorage;

/* A state file as read. mark tells one text from another: a file nobody has written to since keeps what is known. */
struct anchor_point {
	const char *file;
	uint64_t mark;
	const struct autotrust *state;
};

/* What a configuration comes to, once its files are read. Borrowed during anchorage_configure. */
struct anchorage_conf {
	const struct anchors *fixed;     /* trust-anchor, trust-anchor-file, trusted-keys-file, domain-insecure */
	unsigned npoints;
	struct anchor_point points[POINTS_MAX];
	const struct autotrust_conf *autotrust;
};

struct anchorage *anchorage_new(const uint8_t seed[32]);
/* When no worker runs any more. */
void anchorage_free(struct anchorage *g);
/* Go over to what a configuration says. returns OK | ERR_LIMIT no room, nothing has changed */
enum err anchorage_configure(struct anchorage *g, const struct anchorage_conf *conf, int64_t wall) MUST_CHECK;

/* ---- readers ---- */

/* The table as of now, good until the release by the same worker. One at a time. */
const struct anchors *anchorage_hold(struct anchorage *g, uint32_t worker);
void anchorage_release(struct anchorage *g, uint32_t worker);

/* ---- upkeep (RFC5011) ---- */

#define PROBE_TRIES 6u           /* of one probe, while what comes does not verify: another server may be better */

/* When the next probe is due, in wall seconds; INT64_MAX: never. No lock. */
int64_t anchorage_due(const struct anchorage *g);
/* A zone whose keys are to be asked for now; its probe has begun. store: NAME_MAX_BYTES. false: none is due. */
bool anchorage_probe(struct anchorage *g, int64_t wall, uint8_t *store, struct name *ret);
/* The key set of a tracked anchor's zone has come, asked for by a probe or by somebody's question; dnskeys NULL: none
 * came. It is verified here, at v's cost. returns whether a state file has to be written. Any thread. */
bool anchorage_hear(struct anchorage *g, struct name zone, struct validator *v, struct msg_rrset *dnskeys,
                    int64_t wall);

/* A state file to be written. */
struct anchor_save {
	const char *file;
	struct span text;
	uint64_t mark;
};
/* The next one, in `a`; false: all are as they should be. Any thread. */
bool anchorage_unsaved(struct anchorage *g, struct arena *a, struct anchor_save *ret);
/* It has been written: its mark tells that text. */
void anchorage_saved(struct anchorage *g, const struct anchor_save *save);
uint64_t anchor_mark(struct span text);

/* ---- negative trust anchors ---- */

/* Nothing at or below zone is validated until the wall clock says `until` (0: until it is removed), unless an anchor
 * stands below it; one there already gets the new end. What is cached stays as it is: flush it where it must go.
 * returns OK | ERR_RANGE until is over | ERR_LIMIT NTAS_MAX */
enum err anchorage_nta_add(struct anchorage *g, struct name zone, int64_t until, int64_t wall) MUST_CHECK;
/* returns OK | ERR_NOTFOUND there is none of that name */
enum err anchorage_nta_remove(struct anchorage *g, struct name zone, int64_t wall) MUST_CHECK;

/* ---- what there is ---- */

enum anchor_row_kind {
	ANCHOR_ROW_FIXED,     /* a DS or DNSKEY that the configuration names */
	ANCHOR_ROW_MANAGED,   /* a key, or a DS to begin with, of a state file */
	ANCHOR_ROW_INSECURE,  /* domain-insecure */
	ANCHOR_ROW_NTA,       /* set at run time */
};

struct anchor_row {
	enum anchor_row_kind kind;
	struct name zone;
	uint16_t type;                 /* RR_DS, RR_DNSKEY; 0: a negative anchor */
	uint16_t tag;
	uint8_t algorithm;
	const char *state;             /* "VALID", "ADDPEND", ...; "SEED", "FIXED", "INSECURE", "NTA" */
	const char *file;              /* of MANAGED, else NULL */
	int64_t changed;               /* wall seconds; 0: never */
	int64_t queried, succeeded, next_probe;   /* the point's; 0: never, or not MANAGED */
	int64_t until;                 /* of an NTA; 0: until removed */
};

/* All anchors in canonical order of their names within each kind, in `a`; NULL: it is full. */
struct anchor_row *anchorage_list(struct anchorage *g, struct arena *a, int64_t wall, unsigned *ret_n) MUST_CHECK;

/* "static", "managed", "insecure", "nta". */
extern const char *const anchor_row_kinds[];

#endif
