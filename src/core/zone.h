/* zone: one zone of our own, as its file has it. Names stand in one array in canonical order, so that a single binary
 * search says where a name is, what is nearest above it and what an NSEC record before it says; a table finds at once
 * what is there. NSEC3 records are no
 * names of the zone (RFC5155 7.2.8) and stand apart, by their hash. Made by core/zone_load, never changed after that:
 * all workers read it without a lock, and a newer version is another zone.
 * lifetime  the arena it was loaded into
 * source    RFC1034 4.3, RFC4592, RFC6672, RFC4035 3.1, RFC5155 7.2 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include "crypto/verify.h"
#include "wire/rr.h"

#define ZONE_SET_MAX 1000u     /* records of one name and type: more fit no answer (core/packed) */
#define ZONE_NONE UINT32_MAX   /* no node */

/* The data of one record. */
struct zone_rdata {
	struct zone_rdata *next;   /* in the file's order */
	uint32_t ttl;
	uint16_t n;
	uint8_t bytes[];
};

/* The records of one name and type, with the signatures over them. */
struct zone_set {
	struct zone_set *next;     /* of the same name, in the file's order */
	uint16_t type;
	uint16_t nrrs, nsigs;      /* nrrs may be 0: signatures over nothing */
	uint32_t ttl;              /* the smallest (RFC2181 5.2) */
	struct zone_rdata *rrs, *sigs;
};

struct zone_node {
	struct name name;          /* in the case that the file has */
	struct zone_set *sets;
	uint32_t parent;           /* the nearest node above; its own index where there is none */
	uint32_t cut;              /* the highest delegation or DNAME at or above it; ZONE_NONE: none */
	uint32_t nsec;             /* the nearest node at or before it that has an NSEC; ZONE_NONE: none */
};

struct zone_hash {
	uint8_t hash[NSEC3_HASH_BYTES];
	struct name name;
	struct zone_set *set;      /* its NSEC3 record */
};

struct zone {
	struct name origin;
	uint32_t n, apex;          /* nodes; which of them is the zone's own name */
	struct zone_node *nodes;
	uint32_t *index, mask;     /* 1 + a node's number by the hash of its name, a power of two of them */
	uint32_t nhashes;          /* of the chain that the zone's NSEC3PARAM names; 0: denials are not by NSEC3 */
	struct zone_hash *hashes;
	uint16_t iterations;
	struct span salt;
	const struct zone_set *soa;
	uint32_t serial;
	uint64_t records;
};

/* For who builds it: the table of its n nodes, empty; each is put there once. returns OK | ERR_LIMIT */
enum err zone_index(struct zone *z, struct arena *a) MUST_CHECK;
void zone_index_add(struct zone *z, uint32_t i);

/* Where a name is in the zone. */
struct zone_place {
	uint32_t at;               /* the node of this very name; ZONE_NONE: it has no records */
	uint32_t before;           /* the last node at or before it */
	uint32_t above;            /* the nearest node at or above it */
	unsigned encloser;         /* labels of the closest encloser (RFC4592 3.3.1): all of its own when it exists */
};

/* name is at or below the origin. cost  a look-up when it is there, else a binary search and LABELS_MAX steps up */
struct zone_place zone_find(const struct zone *z, struct name name);
/* Any name that the file has, the zone's or not (addresses of servers); NULL: none. */
const struct zone_node *zone_node_of(const struct zone *z, struct name name);
/* NULL when there are no records of that type. */
const struct zone_set *zone_set_of(const struct zone_node *n, uint16_t type);
/* A name that exists without records of its own, as something is below it. */
static inline bool zone_place_empty(const struct zone_place *p, struct name name)
{
	return p->at == ZONE_NONE && p->encloser == name.labels;
}
/* The index of the hash, or of the one before it, around the end; ZONE_NONE: no hashes. *ret_exact says which. */
uint32_t zone_hash_find(const struct zone *z, const uint8_t hash[NSEC3_HASH_BYTES], bool *ret_exact);

#endif
