#include "base/store.h"

#include "base/assert.h"
#include "base/heap.h"

/* A node is one word and what follows it.
 * branch   bitmap of the symbols its children begin with (bits 0-46), place of that symbol in the key (47-58); then
 *          a reference a child, in order
 * leaf     LEAF, bytes of the key (0-15), bytes of the value (16-47); then value, key */
#define LEAF (UINT64_C(1) << 63)
#define OFFSET_SHIFT 47
#define BITMAP ((UINT64_C(1) << OFFSET_SHIFT) - 1)
#define END 0u                                /* symbol of a key that is over: below all others */
#define SAME UINT32_MAX                       /* place of the difference of equal keys */
#define STEPS_MAX (2 * STORE_KEY_MAX + 1)     /* a place at each level, rising: the bound on depth and recursion */

/* In a reference: made since the last commit, so no reader can see it and it may be changed in place. Just one parent,
 * itself fresh, points to a fresh node. */
#define FRESH (UINT32_C(1) << 31)

#define KEPT_PAGES 32u   /* left alone by store_put, so that a full store can still be emptied */
#define PARKED UINT64_MAX

#define R2(v) v, v
#define R5(v) R2(v), R2(v), v
#define R10(v) R5(v), R5(v)
#define R40(v) R10(v), R10(v), R10(v), R10(v)

/* The first symbol of each byte. Bytes that share one are told apart by a second. Order is kept. */
static const uint8_t symbols[256] = {
	1, R40(2), R2(2), R2(2), 3, R2(4),                        /* NUL, 01-2c, '-', 2e-2f */
	5, 6, 7, 8, 9, 10, 11, 12, 13, 14,                        /* digits */
	R10(15), R10(15), R10(15), R5(15), R2(15), 16, 17,        /* 3a-5e, '_', 60 */
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,       /* a-m */
	31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,       /* n-z */
	R40(44), R5(44), R40(45), R5(45), R40(46), R2(46), 46,    /* 7b-a7, a8-d4, d5-ff */
};

/* By first symbol, one less than its lowest byte where several share it: the second symbol is counted from there and
 * is never END. */
static const uint8_t bases[47] = {
	0, 0x00, 0x00, 0x2d, 0x2d, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x39, 0x5f, 0x60,
	0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72,
	0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x7a, 0xa7, 0xd4,
};

enum side { BEFORE, AFTER };

struct step {
	slab_ref ref, copy;
	uint32_t twig;   /* which child the path takes */
};

struct path {
	uint32_t n;
	struct step steps[STEPS_MAX];
};

#define RETIRED_ROWS 255u   /* fills half a page */

struct retired_block {
	slab_ref next;
	uint32_t pad;
	struct {
		slab_ref ref;
		uint32_t commit;   /* low bits: space would be out long before two are 2^31 commits apart */
	} rows[RETIRED_ROWS];
};

static uint64_t *node_at(const struct store *s, slab_ref ref)
{
	return slab_at(&s->slab, ref & ~FRESH);
}

static uint32_t *twigs_of(uint64_t *node)
{
	return (uint32_t *)(void *)(node + 1);
}

static bool is_leaf(const uint64_t *node)
{
	return (*node & LEAF) != 0;
}

static uint32_t offset_of(const uint64_t *node)
{
	return (uint32_t)(*node >> OFFSET_SHIFT);
}

/* How many bits are set. The compiler's own is a call where the machine's instruction may not be assumed: a fifth of a
 * lookup whose nodes are in the cache. */
static uint32_t count(uint64_t bits)
{
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)(bits * UINT64_C(0x0101010101010101) >> 56);
}

static uint32_t twig_count(const uint64_t *node)
{
	return count(*node & BITMAP);
}

static size_t leaf_bytes(size_t key, size_t value)
{
	return sizeof(uint64_t) + key + value;
}

static size_t branch_bytes(uint32_t twigs)
{
	return sizeof(uint64_t) + twigs * sizeof(uint32_t);
}

static struct store_row leaf_row(const uint64_t *leaf)
{
	size_t key = *leaf & 0xffff, value = (uint32_t)(*leaf >> 16);
	const uint8_t *bytes = (const uint8_t *)(leaf + 1);
	return (struct store_row){ .key = span_of(bytes + value, key), .value = span_of(bytes, value) };
}

static size_t node_bytes(const uint64_t *node)
{
	if (!is_leaf(node))
		return branch_bytes(twig_count(node));
	struct store_row row = leaf_row(node);
	return leaf_bytes(row.key.n, row.value.n);
}

/* The symbol at `offset`: each byte has two places, so that the place of a byte does not hang on those before. */
static uint32_t symbol(struct span key, uint32_t offset)
{
	if (offset / 2 >= key.n)
		return END;
	uint8_t byte = key.p[offset / 2], first = symbols[byte];
	return offset % 2 == 0 ? first : (uint8_t)(byte - bases[first]);
}

static uint64_t symbol_bit(struct span key, uint32_t offset)
{
	return UINT64_C(1) << symbol(key, offset);
}

/* The first place where two keys differ, or SAME. */
static uint32_t differ(struct span a, struct span b)
{
	uint32_t i = 0, n = (uint32_t)MIN(a.n, b.n);
	while (i < n && a.p[i] == b.p[i])
		i++;
	if (i == n)
		return a.n == b.n ? SAME : 2 * n;
	return 2 * i + (symbols[a.p[i]] == symbols[b.p[i]]);
}

/* The leaf that shares as much of its beginning with `key` as any does. root is not 0. */
static const uint64_t *nearest(const struct store *s, slab_ref root, struct span key)
{
	uint64_t *node = node_at(s, root);
	while (!is_leaf(node)) {
		uint64_t bit = symbol_bit(key, offset_of(node));
		uint32_t twig = (*node & bit) != 0 ? count(*node & (bit - 1)) : 0;
		node = node_at(s, twigs_of(node)[twig]);
	}
	return node;
}

void store_init(struct store *s, size_t bytes_max, uint32_t nreaders)
{
	ASSERT(bytes_max >= STORE_BYTES_MIN && nreaders > 0);
	*s = (struct store){ .nreaders = nreaders };
	slab_init(&s->slab, bytes_max);
	s->readers = heap_pages(nreaders * sizeof(*s->readers));
	for (uint32_t i = 0; i < nreaders; i++)
		atomic_init(&s->readers[i].turn, PARKED);
	atomic_init(&s->root, 0);
	atomic_init(&s->commits, 0);
	slab_ref block = slab_new(&s->slab, sizeof(struct retired_block), 0);
	ASSERT(block != 0);
	((struct retired_block *)slab_at(&s->slab, block))->next = 0;
	s->retired = s->kept = (struct store_retired){ .first = block, .last = block };
}

void store_fini(struct store *s)
{
	heap_pages_free(s->readers, s->nreaders * sizeof(*s->readers));
	slab_fini(&s->slab);
	*s = (struct store){ 0 };
}

/* Readers. Root and turns are sequentially consistent: a reader that wakes writes its turn before it loads the root,
 * the writer stores the root before it reads the turns, so one of the two sees the other. */

void store_turn(struct store *s, uint32_t i)
{
	ASSERT(i < s->nreaders);
	atomic_store(&s->readers[i].turn, atomic_load(&s->commits));
}

void store_park(struct store *s, uint32_t i)
{
	ASSERT(i < s->nreaders);
	atomic_store_explicit(&s->readers[i].turn, PARKED, memory_order_release);   /* what was read was read before */
}

struct store_view store_view(const struct store *s)
{
	return (struct store_view){ s, atomic_load(&s->root) };
}

struct store_view store_pending(const struct store *s)
{
	return (struct store_view){ s, s->next_root };
}

bool store_get(struct store_view v, struct span key, struct span *ret_value)
{
	if (v.root == 0)
		return false;
	uint64_t *node = node_at(v.store, v.root);
	while (!is_leaf(node)) {
		uint64_t bit = symbol_bit(key, offset_of(node));
		if ((*node & bit) == 0)
			return false;
		node = node_at(v.store, twigs_of(node)[count(*node & (bit - 1))]);
	}
	struct store_row row = leaf_row(node);
	if (!span_eq(row.key, key))
		return false;
	*ret_value = row.value;
	return true;
}

bool store_closest(struct store_view v, struct span key, struct store_row *ret)
{
	if (v.root == 0)
		return false;
	const uint64_t *near = nearest(v.store, v.root, key), *best = NULL;
	struct span near_key = leaf_row(near).key;
	uint32_t end = differ(key, near_key);
	if (end == SAME || end == 2 * near_key.n)
		best = near;
	uint64_t *node = node_at(v.store, v.root);
	while (best != near && !is_leaf(node) && offset_of(node) <= end) {
		uint64_t bit = symbol_bit(key, offset_of(node));
		if ((*node & (1u << END)) != 0)
			best = node_at(v.store, twigs_of(node)[0]);
		if ((*node & bit) == 0)
			break;
		node = node_at(v.store, twigs_of(node)[count(*node & (bit - 1))]);
	}
	if (best == NULL)
		return false;
	*ret = leaf_row(best);
	return true;
}

/* The first or last leaf below `ref`; false when there is none. */
static bool edge(struct store_view v, slab_ref ref, enum side side, struct store_row *ret)
{
	if (ref == 0)
		return false;
	uint64_t *node = node_at(v.store, ref);
	while (!is_leaf(node))
		node = node_at(v.store, twigs_of(node)[side == BEFORE ? twig_count(node) - 1 : 0]);
	*ret = leaf_row(node);
	return true;
}

static bool neighbour(struct store_view v, struct span key, enum side side, struct store_row *ret)
{
	if (v.root == 0)
		return false;
	struct span near_key = leaf_row(nearest(v.store, v.root, key)).key;
	uint32_t end = differ(key, near_key);
	slab_ref ref = v.root, beside = 0;   /* beside: the closest tree wholly on the wanted side */
	uint64_t *node = node_at(v.store, ref);
	while (ref != 0 && !is_leaf(node) && offset_of(node) <= end) {
		uint64_t bit = symbol_bit(key, offset_of(node));
		uint32_t below = count(*node & (bit - 1)), here = (*node & bit) != 0;
		if (side == AFTER && below + here < twig_count(node))
			beside = twigs_of(node)[below + here];
		if (side == BEFORE && below > 0)
			beside = twigs_of(node)[below - 1];
		ref = here ? twigs_of(node)[below] : 0;
		node = here ? node_at(v.store, ref) : NULL;
	}
	if (ref != 0 && end != SAME && (symbol(near_key, end) > symbol(key, end)) == (side == AFTER))
		beside = ref;
	return edge(v, beside, side, ret);
}

bool store_after(struct store_view v, struct span key, struct store_row *ret)
{
	return neighbour(v, key, AFTER, ret);
}

bool store_before(struct store_view v, struct span key, struct store_row *ret)
{
	return neighbour(v, key, BEFORE, ret);
}

bool store_first(struct store_view v, struct store_row *ret)
{
	return edge(v, v.root, AFTER, ret);
}

bool store_last(struct store_view v, struct store_row *ret)
{
	return edge(v, v.root, BEFORE, ret);
}

/* The writer. */

static struct retired_block *block_at(const struct store *s, slab_ref ref)
{
	return slab_at(&s->slab, ref);
}

static void node_free(struct store *s, slab_ref ref)
{
	slab_free(&s->slab, ref & ~FRESH, node_bytes(node_at(s, ref)));
}

/* Free what was taken out by a commit that every reader now awake knew of when its turn began. */
static void reclaim(struct store *s)
{
	uint64_t limit = atomic_load(&s->commits);
	for (uint32_t i = 0; i < s->nreaders; i++) {
		uint64_t turn = atomic_load(&s->readers[i].turn);
		limit = MIN(limit, turn);
	}
	struct store_retired *q = &s->retired;
	while (q->first != s->kept.last || q->first_at != s->kept.last_n) {
		struct retired_block *block = block_at(s, q->first);
		if (q->first_at == RETIRED_ROWS) {
			slab_ref next = block->next;
			slab_free(&s->slab, q->first, sizeof(*block));
			q->first = next;
			q->first_at = 0;
			continue;
		}
		if ((int32_t)((uint32_t)limit - block->rows[q->first_at].commit) < 0)
			return;
		node_free(s, block->rows[q->first_at++].ref);
		s->nretired--;
		s->nretired_kept--;
	}
}

static slab_ref node_new(struct store *s, size_t n, uint32_t keep)
{
	slab_ref ref = slab_new(&s->slab, n, keep);
	if (UNLIKELY(ref == 0)) {
		reclaim(s);
		ref = slab_new(&s->slab, n, keep);
	}
	return ref;
}

/* See to it that n nodes can be retired without failing. */
static bool retire_room(struct store *s, uint32_t n, uint32_t keep)
{
	slab_ref at = s->retired.last;
	for (uint32_t room = RETIRED_ROWS - s->retired.last_n; room < n; room += RETIRED_ROWS) {
		slab_ref next = block_at(s, at)->next;
		if (next == 0) {
			next = node_new(s, sizeof(struct retired_block), keep);
			if (next == 0)
				return false;
			block_at(s, next)->next = 0;
			block_at(s, at)->next = next;
		}
		at = next;
	}
	return true;
}

/* Done with a node of the writer's tree: at once if no reader ever saw it. */
static void discard(struct store *s, slab_ref ref)
{
	if ((ref & FRESH) != 0) {
		node_free(s, ref);
		return;
	}
	struct store_retired *q = &s->retired;
	if (q->last_n == RETIRED_ROWS) {
		q->last = block_at(s, q->last)->next;
		q->last_n = 0;
	}
	struct retired_block *block = block_at(s, q->last);
	block->rows[q->last_n].ref = ref;
	block->rows[q->last_n++].commit = (uint32_t)atomic_load_explicit(&s->commits, memory_order_relaxed) + 1;
	s->nretired++;
}

/* Walk down from the root while branches look at places before `end`; the way goes to `path`. */
static slab_ref descend(const struct store *s, struct span key, uint32_t end, struct path *path)
{
	slab_ref ref = s->next_root;
	path->n = 0;
	for (uint64_t *node = node_at(s, ref); !is_leaf(node) && offset_of(node) < end; node = node_at(s, ref)) {
		ASSERT(path->n < STEPS_MAX);
		uint32_t twig = count(*node & (symbol_bit(key, offset_of(node)) - 1));
		path->steps[path->n++] = (struct step){ .ref = ref, .twig = twig };
		ref = twigs_of(node)[twig];
	}
	return ref;
}

/* Hang `child` in at the end of the path, copying what readers can see. On failure nothing has changed. */
static enum err hang(struct store *s, struct path *path, slab_ref child, uint32_t keep)
{
	uint32_t i = path->n;
	for (; i > 0 && (path->steps[i - 1].ref & FRESH) == 0; i--) {
		struct step *step = &path->steps[i - 1];
		uint64_t *old = node_at(s, step->ref);
		step->copy = node_new(s, node_bytes(old), keep);
		if (step->copy == 0)
			break;
		uint64_t *copy = node_at(s, step->copy);
		memcpy(copy, old, node_bytes(old));
		twigs_of(copy)[step->twig] = child;
		child = step->copy | FRESH;
	}
	if (i > 0 && (path->steps[i - 1].ref & FRESH) == 0) {
		for (; i < path->n; i++)
			node_free(s, path->steps[i].copy);
		return ERR_SPACE;
	}
	if (i == 0)
		s->next_root = child;
	else
		twigs_of(node_at(s, path->steps[i - 1].ref))[path->steps[i - 1].twig] = child;
	for (; i < path->n; i++) {
		discard(s, path->steps[i].ref);
		s->copied++;
	}
	return OK;
}

static slab_ref leaf_new(struct store *s, struct span key, struct span value)
{
	slab_ref ref = node_new(s, leaf_bytes(key.n, value.n), KEPT_PAGES);
	if (ref == 0)
		return 0;
	uint64_t *leaf = node_at(s, ref);
	*leaf = LEAF | (uint64_t)value.n << 16 | key.n;
	struct store_row row = leaf_row(leaf);
	if (value.n > 0)
		memcpy((uint8_t *)row.value.p, value.p, value.n);
	if (key.n > 0)
		memcpy((uint8_t *)row.key.p, key.p, key.n);
	return ref | FRESH;
}

/* A branch that looks at place `end` and has `leaf` besides what is at `at`, which looks at that place too (then it is
 * widened) or at a later one, where its keys continue as near_key does. */
static slab_ref branch_with(struct store *s, slab_ref at, slab_ref leaf, uint32_t end, struct span near_key)
{
	uint64_t *old = node_at(s, at), bit = symbol_bit(leaf_row(node_at(s, leaf)).key, end);
	bool widen = !is_leaf(old) && offset_of(old) == end;
	uint64_t bitmap = widen ? *old & BITMAP : symbol_bit(near_key, end);
	uint32_t n = count(bitmap), place = count(bitmap & (bit - 1));
	slab_ref ref = node_new(s, branch_bytes(n + 1), KEPT_PAGES);
	if (ref == 0)
		return 0;
	uint64_t *node = node_at(s, ref);
	*node = (uint64_t)end << OFFSET_SHIFT | bitmap | bit;
	const uint32_t *from = widen ? twigs_of(old) : &at;
	uint32_t *to = twigs_of(node);
	memcpy(to, from, place * sizeof(*to));
	to[place] = leaf;
	memcpy(to + place + 1, from + place, (n - place) * sizeof(*to));
	return ref | FRESH;
}

enum err store_put(struct store *s, struct span key, struct span value)
{
	if (key.n > STORE_KEY_MAX || value.n > STORE_VALUE_MAX)
		return ERR_LIMIT;
	slab_ref leaf = leaf_new(s, key, value);
	if (leaf == 0)
		return ERR_SPACE;
	if (s->next_root == 0) {
		s->next_root = leaf;
		s->keys++;
		return OK;
	}
	struct span near_key = leaf_row(nearest(s, s->next_root, key)).key;
	uint32_t end = differ(key, near_key);
	struct path path;
	slab_ref at = descend(s, key, end, &path), top = leaf;
	bool replaced = end == SAME || (!is_leaf(node_at(s, at)) && offset_of(node_at(s, at)) == end);
	if (end != SAME)
		top = branch_with(s, at, leaf, end, near_key);
	if (top == 0 || !retire_room(s, path.n + 1, KEPT_PAGES) || hang(s, &path, top, KEPT_PAGES) != OK) {
		if (top != 0 && top != leaf)
			node_free(s, top);
		node_free(s, leaf);
		return ERR_SPACE;
	}
	if (replaced)
		discard(s, at);
	s->keys += end != SAME;
	return OK;
}

/* A copy of the branch without one child; the only other child when there were two. 0: no room. */
static slab_ref branch_without(struct store *s, slab_ref branch, uint32_t twig, struct span key)
{
	uint64_t *old = node_at(s, branch);
	uint32_t n = twig_count(old), *from = twigs_of(old);
	if (n == 2)
		return from[1 - twig];
	slab_ref ref = node_new(s, branch_bytes(n - 1), 0);
	if (ref == 0)
		return 0;
	uint64_t *node = node_at(s, ref);
	*node = *old & ~symbol_bit(key, offset_of(old));
	uint32_t *to = twigs_of(node);
	memcpy(to, from, twig * sizeof(*to));
	memcpy(to + twig, from + twig + 1, (n - 1 - twig) * sizeof(*to));
	return ref | FRESH;
}

enum err store_remove(struct store *s, struct span key)
{
	struct span value;
	if (!store_get(store_pending(s), key, &value))
		return ERR_NOTFOUND;
	struct path path;
	slab_ref leaf = descend(s, key, SAME, &path);
	if (!retire_room(s, path.n + 1, 0))
		return ERR_SPACE;
	if (path.n == 0) {
		s->next_root = 0;
	} else {
		struct step last = path.steps[--path.n];
		bool two = twig_count(node_at(s, last.ref)) == 2;
		slab_ref top = branch_without(s, last.ref, last.twig, key);
		if (top == 0)
			return ERR_SPACE;
		if (hang(s, &path, top, 0) != OK) {
			if (!two)
				node_free(s, top);
			return ERR_SPACE;
		}
		discard(s, last.ref);
	}
	discard(s, leaf);
	s->keys--;
	return OK;
}

/* No longer fresh: readers will see it. Only fresh nodes can lead to fresh ones. */
static slab_ref settle(struct store *s, slab_ref ref)
{
	if ((ref & FRESH) == 0)
		return ref;
	uint64_t *node = node_at(s, ref);
	for (uint32_t i = 0, n = is_leaf(node) ? 0 : twig_count(node); i < n; i++)
		twigs_of(node)[i] = settle(s, twigs_of(node)[i]);
	return ref & ~FRESH;
}

void store_commit(struct store *s)
{
	if (s->next_root != atomic_load_explicit(&s->root, memory_order_relaxed)) {
		s->next_root = settle(s, s->next_root);
		atomic_store(&s->root, s->next_root);
		atomic_store(&s->commits, atomic_load_explicit(&s->commits, memory_order_relaxed) + 1);
		s->kept = s->retired;
		s->keys_kept = s->keys;
		s->nretired_kept = s->nretired;
	}
	reclaim(s);
}

static void forget(struct store *s, slab_ref ref)
{
	if ((ref & FRESH) == 0)
		return;
	uint64_t *node = node_at(s, ref);
	for (uint32_t i = 0, n = is_leaf(node) ? 0 : twig_count(node); i < n; i++)
		forget(s, twigs_of(node)[i]);
	node_free(s, ref);
}

void store_abort(struct store *s)
{
	forget(s, s->next_root);
	s->next_root = atomic_load_explicit(&s->root, memory_order_relaxed);
	s->retired.last = s->kept.last;
	s->retired.last_n = s->kept.last_n;
	struct retired_block *last = block_at(s, s->retired.last);
	while (last->next != 0) {
		slab_ref spare = last->next;
		last->next = block_at(s, spare)->next;
		slab_free(&s->slab, spare, sizeof(*last));
	}
	s->keys = s->keys_kept;
	s->nretired = s->nretired_kept;
}

struct store_stat store_stat(const struct store *s)
{
	const struct slab *slab = &s->slab;
	return (struct store_stat){
		.bytes_max = (size_t)slab->npages * SLAB_PAGE,
		.bytes = (size_t)(slab->npages - slab->first - slab->nfree) * SLAB_PAGE +
		         slab->top * sizeof(*slab->pages),
		.bytes_nodes = slab->bytes,
		.nodes = slab->nodes,
		.keys = s->keys,
		.retired = s->nretired,
		.commits = atomic_load_explicit(&s->commits, memory_order_relaxed),
		.copied = s->copied,
	};
}
