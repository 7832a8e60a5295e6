#include "plugin/localdata.h"

#include "base/assert.h"

#define SLOTS_FIRST 512u
#define HASH_START 0x243f6a8885a308d3u
#define HASH_FACTOR 0x9e3779b97f4a7c15u

/* Names in the tree are the operator's, and nothing is added for a question: no key is needed. */
static uint64_t hash_label(uint64_t above, const uint8_t *label)
{
	uint64_t h = above ^ label[0];
	for (unsigned i = 1; i <= label[0]; i++)
		h = (h ^ fold(label[i])) * HASH_FACTOR;
	return h ^ h >> 32;
}

static bool label_eq(const uint8_t *folded, const uint8_t *label)
{
	if (folded[0] != label[0])
		return false;
	for (unsigned i = 1; i <= label[0]; i++)
		if (folded[i] != fold(label[i]))
			return false;
	return true;
}

static struct local_node *child_find(const struct local_tree *t, const struct local_node *parent, const uint8_t *label,
                                     uint64_t hash)
{
	for (size_t i = hash & (t->cap - 1); t->slots[i] != NULL; i = (i + 1) & (t->cap - 1)) {
		struct local_node *n = t->slots[i];
		if (n->hash == hash && n->parent == parent && label_eq(n->label, label))
			return n;
	}
	return NULL;
}

/* Where the labels of a name begin. returns how many */
static unsigned labels_of(struct name name, uint8_t at[LABELS_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; name.wire[i] != 0 && n < LABELS_MAX; i += 1u + name.wire[i])
		at[n++] = (uint8_t)i;
	return n;
}

struct local_found local_find(const struct local_tree *t, struct name name, uint16_t class)
{
	uint8_t at[LABELS_MAX];
	struct local_found found = { NULL, NULL, NULL };
	const struct local_root *root = t->roots;
	while (root != NULL && root->class != class)
		root = root->next;
	if (root == NULL)
		return found;
	const struct local_node *n = &root->node;
	if (n->zone != NULL)
		found.apex = n;
	for (unsigned i = labels_of(name, at); i-- > 0;) {
		const uint8_t *label = name.wire + at[i];
		n = child_find(t, n, label, hash_label(n->hash, label));
		if (n == NULL)
			return found;
		if (n->zone != NULL) {
			found.above = found.apex;
			found.apex = n;
		}
	}
	found.node = n;
	return found;
}

/* ---- making ---- */

enum err local_tree_init(struct local_tree *t, struct arena *a)
{
	*t = (struct local_tree){ .arena = a, .cap = SLOTS_FIRST };
	t->slots = ARENA_ARRAY(a, struct local_node *, t->cap);
	return t->slots == NULL ? ERR_LIMIT : OK;
}

static void slot_fill(struct local_tree *t, struct local_node *n)
{
	size_t i = n->hash & (t->cap - 1);
	while (t->slots[i] != NULL)
		i = (i + 1) & (t->cap - 1);
	t->slots[i] = n;
}

/* At most half of the slots are used, so that a miss is one probe nearly always. */
static enum err grow(struct local_tree *t)
{
	struct local_node **old = t->slots;
	size_t cap = t->cap;
	if ((t->n + 1) * 2 <= cap)
		return OK;
	t->slots = ARENA_ARRAY(t->arena, struct local_node *, cap * 2);
	if (t->slots == NULL) {
		t->slots = old;
		return ERR_LIMIT;
	}
	t->cap = cap * 2;
	for (size_t i = 0; i < cap; i++)
		if (old[i] != NULL)
			slot_fill(t, old[i]);
	return OK;
}

static struct local_root *root_of(struct local_tree *t, uint16_t class)
{
	struct local_root *r = t->roots;
	while (r != NULL && r->class != class)
		r = r->next;
	if (r != NULL)
		return r;
	r = ARENA_NEW(t->arena, struct local_root);
	if (r == NULL)
		return NULL;
	r->class = class;
	r->node.label = name_root.wire;
	r->node.hash = HASH_START ^ class;
	struct local_root **last = &t->roots;
	while (*last != NULL)
		last = &(*last)->next;
	*last = r;
	return r;
}

struct local_node *local_node_make(struct local_tree *t, struct name name, uint16_t class)
{
	uint8_t at[LABELS_MAX], store[NAME_MAX_BYTES];
	const uint8_t *kept = NULL;
	struct local_root *root = root_of(t, class);
	struct name folded = name_fold(name, store);
	if (root == NULL)
		return NULL;
	struct local_node *n = &root->node;
	for (unsigned i = labels_of(folded, at); i-- > 0;) {
		uint64_t hash = hash_label(n->hash, store + at[i]);
		struct local_node *next = child_find(t, n, store + at[i], hash);
		if (next == NULL) {
			kept = kept == NULL ? arena_dup(t->arena, store, folded.len) : kept;
			next = ARENA_NEW(t->arena, struct local_node);
			if (kept == NULL || next == NULL || grow(t) != OK)
				return NULL;
			*next = (struct local_node){ .parent = n, .label = kept + at[i], .hash = hash,
			                             .depth = (uint8_t)(n->depth + 1) };
			slot_fill(t, next);
			t->n++;
		}
		n = next;
	}
	return n;
}

struct local_node *local_apex(struct local_node *n)
{
	while (n != NULL && n->zone == NULL)
		n = n->parent;
	return n;
}

enum err local_zone_make(struct local_tree *t, struct local_node *n, uint8_t kind)
{
	ASSERT(n->zone == NULL);
	struct local_zone *z = ARENA_NEW(t->arena, struct local_zone);
	if (z == NULL)
		return ERR_LIMIT;
	size_t len = 1;
	for (const struct local_node *x = n; x->parent != NULL; x = x->parent)
		len += 1u + x->label[0];
	z->name = (struct name){ n->label, (uint8_t)len, n->depth };
	z->kind = kind;
	n->zone = z;
	return OK;
}

enum err local_item_add(struct local_tree *t, struct local_node *n, const struct rr *rr)
{
	struct local_item **at = &n->items, **behind = NULL;
	for (; *at != NULL; at = &(*at)->next) {
		if ((*at)->rr.type != rr->type)
			continue;
		if (span_eq((*at)->rr.rdata, rr->rdata))
			return OK;
		behind = &(*at)->next;
	}
	at = behind == NULL ? at : behind;
	struct local_item *item = ARENA_NEW(t->arena, struct local_item);
	if (item == NULL)
		return ERR_LIMIT;
	item->rr = *rr;
	item->next = *at;
	*at = item;
	return OK;
}

static struct local_node *common_of(struct local_node *a, struct local_node *b)
{
	while (a != b) {
		if (a->depth >= b->depth)
			a = a->parent;
		else
			b = b->parent;
	}
	return a;
}

static void note_homeless(struct local_tree *t, struct local_node *n)
{
	const struct local_node *top = n;
	while (top->parent != NULL)
		top = top->parent;
	struct local_root *r = t->roots;
	while (&r->node != top)
		r = r->next;
	r->common = r->common == NULL ? n : common_of(r->common, n);
}

/* A name with records: it and those between it and its apex are there. */
static void settle(struct local_node *n)
{
	struct local_node *apex = local_apex(n);
	for (const struct local_item *i = n->items; apex == n && i != NULL; i = i->next)
		if (i->rr.type == RR_SOA)
			n->zone->soa = &i->rr;
	for (struct local_node *x = n; x != NULL; x = x->parent) {
		x->exists = true;
		if (x == apex)
			break;
	}
}

enum err local_tree_ready(struct local_tree *t, uint8_t kind)
{
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i] != NULL && t->slots[i]->items != NULL && local_apex(t->slots[i]) == NULL)
			note_homeless(t, t->slots[i]);
	for (struct local_root *r = t->roots; r != NULL; r = r->next) {
		if (r->node.items != NULL && r->node.zone == NULL)
			r->common = &r->node;
		if (r->common != NULL)
			TRY(local_zone_make(t, r->common, kind));
		if (r->node.items != NULL)
			settle(&r->node);
	}
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i] != NULL && t->slots[i]->items != NULL)
			settle(t->slots[i]);
	return OK;
}
