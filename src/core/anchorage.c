#include "core/anchorage.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/heap.h"
#include "core/anchor_list.h"
#include "core/nta.h"

#define TABLE_BYTES_MAX (16u << 20)   /* 4,096 names with their keys */

/* One that is, or was, published. */
struct table {
	struct anchors anchors;
	struct arena arena;
	struct table *older;
};

/* Who reads what now; a cache line each. */
struct holder {
	_Alignas(64) _Atomic(struct table *) table;
};

struct anchorage {
	struct holder holders[ANCHORAGE_READERS];
	_Atomic(struct table *) table;
	_Atomic int64_t due;         /* of the next probe, or the end of a negative anchor */
	struct table *replaced;      /* newest first: freed when nobody holds them */
	pthread_mutex_t lock;        /* of all below */
	uint64_t serial;
	struct arena conf;           /* the configuration's */
	struct anchors fixed;
	struct autotrust_conf autotrust;
	unsigned npoints;
	struct point *points[POINTS_MAX];
	struct ntas ntas;
	struct rng rng;
};

/* ---- readers ---- */

const struct anchors *anchorage_hold(struct anchorage *g, uint32_t worker)
{
	ASSERT(worker < ANCHORAGE_READERS);
	struct table *t, *now = atomic_load(&g->table);
	do {   /* again only when it was replaced in between: then nobody may know that we hold it */
		t = now;
		atomic_store(&g->holders[worker].table, t);
		now = atomic_load(&g->table);
	} while (t != now);
	return &t->anchors;
}

void anchorage_release(struct anchorage *g, uint32_t worker)
{
	atomic_store_explicit(&g->holders[worker].table, NULL, memory_order_release);
}

/* ---- the table ---- */

static void table_free(struct table *t)
{
	arena_free(&t->arena);
	heap_free(t);
}

static struct table *table_new(void)
{
	struct table *t = heap_new(sizeof(*t));
	arena_init(&t->arena, TABLE_BYTES_MAX);
	return t;
}

static bool is_held(const struct anchorage *g, const struct table *t)
{
	for (unsigned i = 0; i < ANCHORAGE_READERS; i++) {
		if (atomic_load(&g->holders[i].table) == t)
			return true;
	}
	return false;
}

static void sweep(struct anchorage *g)
{
	for (struct table **at = &g->replaced; *at != NULL;) {
		struct table *t = *at;
		if (is_held(g, t)) {
			at = &t->older;
			continue;
		}
		*at = t->older;
		table_free(t);
	}
}

static void publish(struct anchorage *g, struct table *t)
{
	t->anchors.serial = ++g->serial;
	struct table *old = atomic_exchange(&g->table, t);
	if (old != NULL) {
		old->older = g->replaced;
		g->replaced = old;
	}
	sweep(g);
}

/* A file that was written years ago does not bring back what its owner has revoked since. */
static bool is_revoked(const struct anchorage *g, struct name zone, const struct rr *rr)
{
	for (unsigned i = 0; i < g->npoints; i++) {
		const struct autotrust *t = &g->points[i]->state;
		if (name_eq(t->zone, zone) && autotrust_has_revoked(t, rr->type, rr->rdata))
			return true;
	}
	return false;
}

static enum err add_trust(const struct anchorage *g, struct table *t, const struct trust *trust)
{
	struct rr rr = { .owner = trust->zone, .class = CLASS_IN };
	for (unsigned i = 0; i < trust->nds + trust->nkeys; i++) {
		bool ds = i < trust->nds;
		rr.type = ds ? RR_DS : RR_DNSKEY;
		rr.rdata = ds ? trust->ds[i] : trust->keys[i - trust->nds];
		if (is_revoked(g, trust->zone, &rr))
			continue;
		/* More of one zone than a table holds: the first ones vouch for it. */
		enum err err = anchors_add(&t->arena, &t->anchors, &rr);
		if (err != OK && err != ERR_LIMIT)
			return err;
	}
	return OK;
}

static enum err add_fixed(const struct anchorage *g, struct table *t, const struct anchors *fixed)
{
	for (unsigned i = 0; i < fixed->n; i++) {
		const struct anchor *an = fixed->list[i];
		if (anchor_is_negative(an))
			TRY(anchors_add_insecure(&t->arena, &t->anchors, an->trust.zone, an->until));
		else
			TRY(add_trust(g, t, &an->trust));
	}
	return OK;
}

static enum err add_point(const struct anchorage *g, struct table *t, const struct point *p)
{
	struct trust trust;
	autotrust_trust(&p->state, &trust);
	if (trust.nds + trust.nkeys == 0)
		return OK;   /* all were revoked: as if it had never been named (RFC5011 5) */
	TRY(add_trust(g, t, &trust));
	struct anchor *an = anchors_at(&t->arena, &t->anchors, trust.zone);
	if (an == NULL)
		return ERR_LIMIT;
	an->tracked = true;
	return OK;
}

/* Somebody wants it so now, whatever the configuration says of that very name. */
static enum err add_nta(struct table *t, const struct nta *nta)
{
	struct anchor *an = anchors_at(&t->arena, &t->anchors, nta->zone);
	if (an == NULL)
		return ERR_LIMIT;
	*an = (struct anchor){ .trust.zone = an->trust.zone, .until = nta->until };
	return OK;
}

static enum err fill(const struct anchorage *g, struct table *t, int64_t wall)
{
	TRY(add_fixed(g, t, &g->fixed));
	for (unsigned i = 0; i < g->npoints; i++)
		TRY(add_point(g, t, g->points[i]));
	for (unsigned i = 0; i < g->ntas.n; i++) {
		if (nta_holds(&g->ntas.list[i], wall))
			TRY(add_nta(t, &g->ntas.list[i]));
	}
	return OK;
}

static void set_due(struct anchorage *g, int64_t wall)
{
	int64_t at = INT64_MAX;
	for (unsigned i = 0; i < g->npoints; i++) {
		int64_t due = g->points[i]->again ? wall : autotrust_due(&g->points[i]->state, wall);
		at = due == 0 ? at : MIN(at, due);
	}
	atomic_store(&g->due, MIN(at, ntas_first_end(&g->ntas)));
}

/* Publish what all parts come to now. */
static enum err renew(struct anchorage *g, int64_t wall)
{
	struct table *t = table_new();
	enum err err = fill(g, t, wall);
	if (err == OK)
		publish(g, t);
	else
		table_free(t);
	set_due(g, wall);
	return err;
}

/* ---- configuration ---- */

/* The point of that file whose text is the one we know: what is in memory is as new, or newer. */
static struct point *known_point(const struct anchorage *g, const struct anchor_point *like)
{
	for (unsigned i = 0; i < g->npoints; i++) {
		if (strcmp(g->points[i]->file, like->file) == 0 && g->points[i]->mark == like->mark)
			return g->points[i];
	}
	return NULL;
}

static enum err copy_fixed(struct arena *a, const struct anchors *from, struct anchors *ret)
{
	static const struct anchorage nobody;
	struct table t = { 0 };
	arena_init(&t.arena, TABLE_BYTES_MAX);
	enum err err = add_fixed(&nobody, &t, from);
	*a = t.arena;
	*ret = t.anchors;
	return err;
}

/* The parts of a configuration that has not been gone over to. */
struct parts {
	struct arena arena;
	struct anchors fixed;
	unsigned n;
	struct point *points[POINTS_MAX];
};

static enum err gather(const struct anchorage *g, const struct anchorage_conf *conf, struct parts *ret)
{
	TRY(copy_fixed(&ret->arena, conf->fixed, &ret->fixed));
	for (; ret->n < MIN(conf->npoints, POINTS_MAX); ret->n++) {
		const struct anchor_point *from = &conf->points[ret->n];
		struct point *known = known_point(g, from);
		const char *file = arena_text(&ret->arena, span_text(from->file));
		struct anchor_point like = { file, from->mark, known != NULL ? &known->state : from->state };
		if (file == NULL)
			return ERR_LIMIT;
		ret->points[ret->n] = anchor_point_new(&like, file);
		if (ret->points[ret->n] == NULL)
			return ERR_LIMIT;
	}
	return OK;
}

static void parts_free(struct parts *p)
{
	for (unsigned i = 0; i < p->n; i++)
		anchor_point_free(p->points[i]);
	arena_free(&p->arena);
}

static void swap_parts(struct anchorage *g, struct parts *p)
{
	struct parts old = { .arena = g->conf, .fixed = g->fixed, .n = g->npoints };
	memcpy(old.points, g->points, sizeof(old.points));
	g->conf = p->arena;
	g->fixed = p->fixed;
	g->npoints = p->n;
	memcpy(g->points, p->points, sizeof(g->points));
	*p = old;
}

enum err anchorage_configure(struct anchorage *g, const struct anchorage_conf *conf, int64_t wall)
{
	struct parts parts = { .n = 0 };
	pthread_mutex_lock(&g->lock);
	enum err err = gather(g, conf, &parts);
	if (err == OK) {
		swap_parts(g, &parts);
		err = renew(g, wall);
		if (err != OK)
			swap_parts(g, &parts);
		else
			g->autotrust = *conf->autotrust;
	}
	parts_free(&parts);
	pthread_mutex_unlock(&g->lock);
	return err;
}

struct anchorage *anchorage_new(const uint8_t seed[32])
{
	struct anchorage *g = heap_new(sizeof(*g));
	int e = pthread_mutex_init(&g->lock, NULL);
	ASSERT(e == 0);
	rng_seed(&g->rng, seed);
	arena_init(&g->conf, TABLE_BYTES_MAX);
	atomic_store(&g->due, INT64_MAX);
	publish(g, table_new());
	return g;
}

void anchorage_free(struct anchorage *g)
{
	for (unsigned i = 0; i < g->npoints; i++)
		anchor_point_free(g->points[i]);
	ntas_free(&g->ntas);
	sweep(g);
	ASSERT(g->replaced == NULL);
	table_free(atomic_load(&g->table));
	arena_free(&g->conf);
	pthread_mutex_destroy(&g->lock);
	heap_free(g);
}

/* ---- negative trust anchors ---- */

static enum err nta_add(struct anchorage *g, struct name zone, int64_t until, int64_t wall)
{
	ntas_drop_ended(&g->ntas, wall);
	bool found;
	unsigned at = ntas_place(&g->ntas, zone, &found);
	if (!found && g->ntas.n == NTAS_MAX)
		return ERR_LIMIT;
	if (!found)
		ntas_put(&g->ntas, at, zone);
	int64_t before = g->ntas.list[at].until;
	g->ntas.list[at].until = until;
	enum err err = renew(g, wall);
	if (err == OK)
		return OK;
	g->ntas.list[at].until = before;
	if (!found)
		ntas_drop(&g->ntas, at);
	return err;
}

enum err anchorage_nta_add(struct anchorage *g, struct name zone, int64_t until, int64_t wall)
{
	if (until != 0 && until <= wall)
		return ERR_RANGE;
	pthread_mutex_lock(&g->lock);
	enum err err = nta_add(g, zone, until, wall);
	pthread_mutex_unlock(&g->lock);
	return err;
}

enum err anchorage_nta_remove(struct anchorage *g, struct name zone, int64_t wall)
{
	bool found;
	pthread_mutex_lock(&g->lock);
	ntas_drop_ended(&g->ntas, wall);
	unsigned at = ntas_place(&g->ntas, zone, &found);
	if (found)
		ntas_drop(&g->ntas, at);
	enum err err = found ? renew(g, wall) : ERR_NOTFOUND;
	pthread_mutex_unlock(&g->lock);
	return err;
}

/* ---- upkeep ---- */

int64_t anchorage_due(const struct anchorage *g)
{
	return atomic_load(&g->due);
}

static struct autotrust_turn turn_of(struct anchorage *g, int64_t wall)
{
	return (struct autotrust_turn){ &g->autotrust, wall, &g->rng };
}

bool anchorage_probe(struct anchorage *g, int64_t wall, uint8_t *store, struct name *ret)
{
	struct point *found = NULL;
	pthread_mutex_lock(&g->lock);
	struct autotrust_turn turn = turn_of(g, wall);
	for (unsigned i = 0; i < g->npoints && found == NULL; i++) {
		struct point *p = g->points[i];
		int64_t due = autotrust_due(&p->state, wall);
		if (!p->again && (due == 0 || due > wall))
			continue;
		p->tries = p->again ? p->tries - 1 : PROBE_TRIES - 1;
		p->again = false;
		autotrust_begin(&p->state, &turn);
		*ret = name_fold(p->state.zone, store);
		found = p;
	}
	if (ntas_drop_ended(&g->ntas, wall))
		(void)renew(g, wall);   /* without them there is room */
	set_due(g, wall);
	pthread_mutex_unlock(&g->lock);
	return found != NULL;
}

bool anchorage_hear(struct anchorage *g, struct name zone, struct validator *v, struct msg_rrset *dnskeys,
                    int64_t wall)
{
	bool differs = false, unsaved = false;
	pthread_mutex_lock(&g->lock);
	struct autotrust_turn turn = turn_of(g, wall);
	for (unsigned i = 0; i < g->npoints; i++) {
		struct point *p = g->points[i];
		if (!name_eq(p->state.zone, zone))
			continue;
		differs |= anchor_point_hear(p, &turn, v, dnskeys);
		unsaved |= p->state.unsaved;
	}
	if (differs)
		(void)renew(g, wall);   /* no room: those of before stay, and each probe tries again */
	set_due(g, wall);
	pthread_mutex_unlock(&g->lock);
	return unsaved;
}

/* FNV-1a: it tells two texts of one file apart, not somebody who writes to it on purpose. */
uint64_t anchor_mark(struct span text)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < text.n; i++)
		mark = (mark ^ text.p[i]) * UINT64_C(0x100000001b3);
	return mark;
}

bool anchorage_unsaved(struct anchorage *g, struct arena *a, struct anchor_save *ret)
{
	bool found = false;
	pthread_mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->npoints && !found; i++) {
		struct point *p = g->points[i];
		if (!p->state.unsaved)
			continue;
		p->state.unsaved = false;
		struct buf b = buf_on(arena_alloc(a, AUTOTRUST_FILE_MAX), AUTOTRUST_FILE_MAX);
		if (b.p == NULL)
			break;
		autotrust_write(&p->state, &b);
		ret->file = arena_text(a, span_text(p->file));
		ret->text = buf_span(&b);
		ret->mark = anchor_mark(ret->text);
		found = ret->file != NULL && buf_ok(&b);
	}
	pthread_mutex_unlock(&g->lock);
	return found;
}

void anchorage_saved(struct anchorage *g, const struct anchor_save *save)
{
	pthread_mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->npoints; i++) {
		if (strcmp(g->points[i]->file, save->file) == 0)
			g->points[i]->mark = save->mark;
	}
	pthread_mutex_unlock(&g->lock);
}

/* ---- what there is ---- */

struct anchor_row *anchorage_list(struct anchorage *g, struct arena *a, int64_t wall, unsigned *ret_n)
{
	struct anchor_listing l = { .arena = a };
	pthread_mutex_lock(&g->lock);
	l.cap = g->ntas.n + g->fixed.n * 2 * TRUST_DS_MAX + g->npoints * (AUTOKEYS_MAX + TRUST_DS_MAX) + 1;
	l.rows = ARENA_ARRAY(a, struct anchor_row, l.cap);
	if (l.rows != NULL) {
		anchor_list_fixed(&l, &g->fixed);
		for (unsigned i = 0; i < g->npoints; i++)
			anchor_list_point(&l, g->points[i]);
		anchor_list_insecure(&l, &g->fixed);
		anchor_list_ntas(&l, &g->ntas, wall);
	}
	pthread_mutex_unlock(&g->lock);
	*ret_n = l.n;
	return l.rows;
}
