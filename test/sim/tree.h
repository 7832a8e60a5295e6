/* tree: signed zones of a random world, and the truth about them. It is made with mistakes in it: unsigned, expired,
 * forged and half-rolled zones, records without signatures, denials without proofs. Because it made them, it knows
 * what a validating resolver must say of every question: the records, whether they are proved, and with which extended
 * errors it may refuse. It uses the codec and the fake, and nothing of what it judges. */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include "base/rng.h"
#include "wire/msg.h"

#define TREE_ZONES_MAX 10u
#define TREE_SETS_MAX 40u        /* of one zone */
#define TREE_RECORDS_MAX 4u
#define TREE_KEYS_MAX 4u
#define TREE_HOPS_MAX 10u
#define TREE_TTL 300u
#define TREE_WALL 1800000000u

/* What its owner made of a zone, and its parent of its delegation. */
#define ZONE_STATES(S) \
	S(GOOD)            /* key-signing and zone-signing key */ \
	S(TWO)             /* signed with two algorithms, a DS for each */ \
	S(HALF)            /* a DS for two algorithms, and keys of one: a roll half way */ \
	S(SPARE)           /* a second DS for a key that is not there yet */ \
	S(UNSIGNED)        /* no keys, no DS */ \
	S(ISLAND)          /* signed, but the parent has no DS */ \
	S(STRANGE)         /* all DS of an algorithm nobody knows */ \
	S(DIGEST)          /* all DS of a digest nobody knows */ \
	S(EXPIRED)         /* every signature is */ \
	S(EARLY)           /* no signature is valid yet */ \
	S(KEYS_FORGED)     /* the signature over the keys is not theirs */ \
	S(KEYS_GONE)       /* a DS, and no keys */ \
	S(KEYS_OTHER)      /* the DS names a key that is not there */ \
	S(DS_FORGED)       /* the parent's signature over the DS is wrong */
enum zone_state {
#define S(NAME) STATE_##NAME,
	ZONE_STATES(S)
#undef S
	STATE_COUNT
};

enum fault { FAULT_NONE, FAULT_FORGED, FAULT_STRIPPED, FAULT_EXPIRED, FAULT_EARLY, FAULT_COUNT };
enum denying { DENY_NSEC, DENY_NSEC3, DENY_OPT_OUT };
/* In order of weight, the heaviest last. */
enum truth_security { TRUE_SECURE, TRUE_INSECURE, TRUE_BOGUS };

struct tree_set {
	struct name owner;
	uint16_t type;
	enum fault fault;
	unsigned n;
	unsigned depth;          /* of an alias: how many may follow */
	struct span rdata[TREE_RECORDS_MAX];
};

/* A name that an NSEC or NSEC3 stands for. */
struct tree_owner {
	struct name name;
	uint8_t hash[20];
	uint16_t types[10];
	unsigned ntypes;
	bool hidden;             /* an unsigned delegation in an opt-out zone has none */
};

struct tree_key {
	struct span rdata;
	uint16_t tag;
};

struct tree_zone {
	struct name apex;
	unsigned parent;         /* of the root itself */
	enum zone_state state;
	enum denying denying;
	enum fault proofs;       /* FAULT_NONE, FAULT_FORGED or FAULT_STRIPPED */
	uint16_t iterations;
	struct span salt;
	unsigned nkeys, nsets, nowners;
	struct tree_key keys[TREE_KEYS_MAX];     /* the first of each two signs the keys */
	struct tree_set sets[TREE_SETS_MAX];
	struct tree_owner owners[TREE_SETS_MAX * 2];
};

struct tree {
	struct arena *arena;
	struct rng *rng;
	unsigned n;
	struct tree_zone zones[TREE_ZONES_MAX];  /* parents first; the root is the first */
	struct span anchor;                      /* text of the root's DS */
	unsigned servers;
};

/* A set of the answer, under the name it was asked by. */
struct truth_set {
	const struct tree_zone *zone;
	const struct tree_set *set;
	struct name owner;
	bool wildcard;
	bool made;               /* a CNAME out of the DNAME before it, to `target` */
	struct name target;
};

/* The whole truth about a question. */
struct tree_truth {
	unsigned rcode, n;
	struct truth_set sets[TREE_HOPS_MAX * 2];
	struct name final;
	const struct tree_zone *denier;          /* NULL: there is an answer */
	bool by_wildcard;                        /* the denial is that of a wildcard's owner */
	enum truth_security security;
	bool open;                               /* something unsigned, or costly hashes, on the way: room to lie */
	uint64_t edes;                           /* bits of the extended errors that a refusal may bear */
};

/* What a server says instead of the truth. */
enum tree_lie {
	SAY_TRUTH,
	SAY_OTHER_DATA,      /* addresses and texts that nobody signed */
	SAY_UNSIGNED,        /* no signature at all */
	SAY_SPOILT,          /* one byte of each signature is another */
	SAY_UNPROVED,        /* no NSEC, no NSEC3 */
	SAY_NOTHING,         /* no such record */
	SAY_NOWHERE,         /* no such name */
	SAY_OTHER_DENIAL,    /* what is so of another name of the zone */
	SAY_COUNT
};

/* How a server was asked, and how it will answer. */
struct tree_asked {
	uint16_t id;
	size_t limit;
	const struct edns *edns;
	enum tree_lie lie;
	unsigned server, servers;    /* servers > 0: an authoritative one, of every so many-th zone; else it resolves */
};

/* servers: how many share the zones; the i-th has 10.0.0.(i + 1). */
void tree_make(struct tree *t, struct arena *a, struct rng *rng, unsigned servers);
void tree_truth(const struct tree *t, const struct question *q, struct tree_truth *ret);
/* What an honest server says; longer than limit is cut, with TC. */
void tree_answer(const struct tree *t, const struct question *q, const struct tree_asked *how, struct buf *to);
void tree_print(const struct tree *t);

/* ---- between tree.c and truth.c ---- */

const struct tree_zone *tree_zone_of(const struct tree *t, struct name name, uint16_t type);
const struct tree_set *zone_set(const struct tree_zone *z, struct name owner, uint16_t type);
/* Is there something at the name, or below it? */
bool zone_has(const struct tree_zone *z, struct name name);
bool zone_signs(const struct tree_zone *z);
bool zone_costly(const struct tree_zone *z);
/* "*." and name; "beside." and name, which is never there */
struct name tree_wildcard(struct arena *a, struct name name);
struct name tree_beside(struct arena *a, struct name name);

#endif
