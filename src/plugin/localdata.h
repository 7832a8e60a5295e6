/* localdata: the names that the configuration answers itself: a tree of labels with zones and records at its nodes,
 * found through one hash table from the root downwards. A question for a name of the internet ends at its last label,
 * which is not in the table: that costs some nanoseconds, however many names there are. Built once in the
 * configuration's arena, never changed while serving, so all workers read it without locks. */
#ifndef PLUGIN_LOCALDATA_H
#define PLUGIN_LOCALDATA_H

#include "base/arena.h"
#include "wire/rr.h"

struct local_item {
	struct rr rr;
	struct local_item *next;   /* records of one type stand together */
};

struct local_zone {
	struct name name;
	uint8_t kind;              /* the plugin's matter */
	const struct rr *soa;      /* NULL: none */
};

struct local_node {
	struct local_node *parent;     /* NULL: the root of its class */
	const uint8_t *label;          /* folded, with its length; the rest of the name stands behind it */
	uint64_t hash;
	struct local_zone *zone;       /* that begins here */
	struct local_item *items;
	uint8_t depth;                 /* labels of its name */
	bool exists;                   /* has records, or lies between such a name and its zone's apex */
	bool no_default, default_seen; /* an own statement takes the place of a default zone; there is one */
};

struct local_root {
	struct local_root *next;
	uint16_t class;
	struct local_node node;
	struct local_node *common;     /* the closest ancestor of all records without a zone; NULL none */
};

struct local_tree {
	struct arena *arena;
	struct local_root *roots;
	struct local_node **slots;     /* open addressing, cap a power of two */
	size_t n, cap;
};

enum err local_tree_init(struct local_tree *t, struct arena *a) MUST_CHECK;
/* The node of a name, made with all above it when it is not there. NULL: the arena is full. */
struct local_node *local_node_make(struct local_tree *t, struct name name, uint16_t class) MUST_CHECK;
/* The apex of the zone that the node lies in; NULL none. */
struct local_node *local_apex(struct local_node *n);
/* Begin a zone at the node, which has none. */
enum err local_zone_make(struct local_tree *t, struct local_node *n, uint8_t kind) MUST_CHECK;
/* Add a record, which is kept; one that is there already is left out. */
enum err local_item_add(struct local_tree *t, struct local_node *n, const struct rr *rr) MUST_CHECK;
/* All zones and records are in: those without a zone share one of `kind` at their closest common ancestor. */
enum err local_tree_ready(struct local_tree *t, uint8_t kind) MUST_CHECK;

struct local_found {
	const struct local_node *node;    /* of the very name; NULL none */
	const struct local_node *apex;    /* of the zone it lies in; NULL none */
	const struct local_node *above;   /* of the zone that the apex's parent lies in; NULL none */
};

/* cost  one probe a label, up to the first that is not there */
struct local_found local_find(const struct local_tree *t, struct name name, uint16_t class);

#endif
