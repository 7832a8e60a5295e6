/* file: zones of our own, served from zone files (RFC1034 4.3). What stands in the file is served as it is, signatures
 * and proofs included, and none of it is judged. Where an alias leads out of the zone the whole server is asked for the
 * rest. A zone lives over reloads until its SOA has another serial. */
#include "plugin/file.h"

#include "base/heap.h"
#include "core/transfer.h"
#include "core/zone_load.h"
#include "core/zone_walk.h"
#include "plugin/zones.h"
#include "plugin/zoneserve.h"
#include "plugin/zonewatch.h"

#define PATH_BYTES_MAX 4096u
#define ZONE_BYTES_MAX ((size_t)4 << 30)      /* of one directive's zones in memory */
#define WORDS_BYTES_MAX ((size_t)4 << 20)     /* of what is wrong with them, and of paths */

/* A file that the zones are made of: DBFILE itself, then what is included, as it is found. */
struct part {
	const char *path;
	struct span text;            /* p NULL: it is missing */
	bool taken;
};

/* What lives on. */
struct served {
	struct arena arena;
	unsigned n;
	const struct zone **zones;   /* as file.zones; n 0: not there yet */
	struct zonewatch watch;      /* worker 0's */
};

struct file {
	struct zone_list zones;      /* origins */
	const char *corefile;        /* where DBFILE is named */
	uint32_t line, column;
	msec reload;
	bool by_mtime;
	unsigned nparts;
	struct part parts[ZONE_FILES_MAX];
	uint64_t version;            /* of what was read; 0: it is not there yet */
	struct served **made;        /* what was read, until something that lives takes it over */
	struct zoneserve serving;
};

/* ---- files ---- */

/* A path in full: what is relative is below dir. */
static const char *path_of(struct arena *a, struct span name, struct span dir)
{
	char path[PATH_BYTES_MAX];
	struct buf b = buf_on(path, sizeof(path));
	if (name.n > 0 && name.p[0] != '/' && dir.n > 0) {
		buf_span_put(&b, dir);
		if (dir.p[dir.n - 1] != '/')
			buf_u8(&b, '/');
	}
	buf_span_put(&b, name);
	return buf_ok(&b) ? arena_text(a, buf_span(&b)) : NULL;
}

static struct span folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return span_of(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
}

static unsigned part_of(const struct file *s, const char *path)
{
	unsigned i = 0;
	while (i < s->nparts && strcmp(s->parts[i].path, path) != 0)
		i++;
	return i;
}

/* What an $INCLUDE names, below the folder of the file that it stands in: read on in it. False: it is still to come. */
static bool include(struct file *s, struct zone_load *l, struct span name, const char *from, struct arena *a)
{
	const char *path = path_of(a, name, folder_of(from));
	unsigned i = path == NULL ? s->nparts : part_of(s, path);
	if (path == NULL || i == ZONE_FILES_MAX) {
		zone_load_missing(l, "one file too many");
		return true;
	}
	if (i == s->nparts)
		s->parts[s->nparts++] = (struct part){ .path = path };
	if (!s->parts[i].taken)
		return false;
	if (s->parts[i].text.p == NULL)
		zone_load_missing(l, "no such file");
	else
		zone_load_text(l, s->parts[i].path, s->parts[i].text);
	return true;
}

/* One zone out of the parts that are there. */
static const struct zone *zone_read(struct file *s, struct name origin, struct arena *keep, struct arena *paths,
                                    struct diag *diag)
{
	struct arena scratch;
	struct span name;
	const char *from;
	const struct zone *z = NULL;
	bool whole = true;
	arena_init(&scratch, ZONE_BYTES_MAX);
	struct zone_load *l = zone_load_new(keep, &scratch, origin, diag);
	if (l != NULL) {
		zone_load_text(l, s->parts[0].path, s->parts[0].text);
		while (zone_load_run(l, &name, &from) == ZONE_WANTS_FILE)   /* ZONE_FILES_MAX */
			whole &= include(s, l, name, from, paths);
		z = whole ? zone_load_done(l) : NULL;
	}
	arena_free(&scratch);
	return z;
}

static void lines_copy(struct diag *to, const struct diag *from)
{
	for (const struct diag_line *l = from->first; l != NULL; l = l->next) {   /* DIAG_LINES_MAX */
		if (l->level == DIAG_ERROR)
			diag_error(to, l->file, l->line, l->column, "%s", l->text);
		else
			diag_warning(to, l->file, l->line, l->column, "%s", l->text);
	}
}

static uint64_t mix(uint64_t version, uint64_t more)
{
	static const struct hash_key key = { { 'z', 'o', 'n', 'e' } };   /* told apart, not defended: files are ours */
	uint64_t words[2] = { version, more };
	return hash_bytes(&key, span_of(words, sizeof(words))) | 1;
}

static uint64_t mix_bytes(uint64_t version, struct span bytes)
{
	static const struct hash_key key = { { 'z', 'o', 'n', 'e' } };
	return mix(version, hash_bytes(&key, bytes));
}

static void served_free(struct served *v)
{
	if (v == NULL)
		return;
	arena_free(&v->arena);
	heap_free(v);
}

static struct served *served_new(void)
{
	struct served *v = heap_new(sizeof(*v));
	arena_init(&v->arena, ZONE_BYTES_MAX);
	return v;
}

/* All zones out of the parts; NULL: they are not whole yet, as more parts are wanted. What is wrong is in diag. */
static struct served *zones_read_all(struct file *s, struct arena *a, struct diag *diag)
{
	struct served *v = served_new();
	unsigned before = s->nparts;
	v->zones = ARENA_ARRAY(&v->arena, const struct zone *, s->zones.n);
	for (unsigned i = 0; i < s->zones.n && v->zones != NULL && s->nparts == before; i++) {
		v->zones[i] = zone_read(s, s->zones.names[i], &v->arena, a, diag);
		v->n += v->zones[i] != NULL;
	}
	v->watch.results = ARENA_ARRAY(&v->arena, struct zonewatch_result, s->zones.n);
	if (s->nparts == before)
		return v;
	served_free(v);
	return NULL;
}

/* All parts that are known are there: read the zones. */
static void settle(struct file *s, struct arena *a, struct diag *diag)
{
	struct arena words;
	struct diag told;
	arena_init(&words, WORDS_BYTES_MAX);
	diag_init(&told, &words);
	struct served *v = zones_read_all(s, a, &told);
	if (v != NULL) {
		served_free(*s->made);
		*s->made = v;
		lines_copy(diag, &told);
		s->version = 0;
		for (unsigned i = 0; i < v->n; i++)
			s->version = mix(s->version, v->zones[i] == NULL ? 0 : v->zones[i]->serial);
		for (unsigned i = 0; i < s->nparts && s->by_mtime; i++)
			s->version = mix_bytes(s->version, s->parts[i].text);
	}
	arena_free(&words);
}

static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct file *s = self;
	s->parts[i].text = text;
	s->parts[i].taken = true;
	for (unsigned k = 0; k < s->nparts; k++)
		if (!s->parts[k].taken)
			return;
	if (s->parts[0].text.p != NULL)
		settle(s, a, diag);
	else
		diag_warning(diag, s->corefile, s->line, s->column,
		             "open %s: no such file or directory; its zones are answered with SERVFAIL until it is "
		             "there", s->parts[0].path);
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct file *s = self;
	if (i >= s->nparts)
		return false;
	*ret = (struct file_want){ .path = s->parts[i].path, .every = s->reload, .optional = i > 0 || s->reload > 0 };
	return true;
}

/* ---- what lives ---- */

static void live_text(const void *self, struct buf *to)
{
	const struct file *s = self;
	uint64_t version = s->version;
	for (unsigned i = 0; i < s->zones.n; i++)
		version = mix_bytes(version, span_of(s->zones.names[i].wire, s->zones.names[i].len));
	buf_printf(to, "zones %s %u %016llx", s->parts[0].path, s->version != 0 ? s->zones.n : 0,
	           (unsigned long long)version);
}

static void live_free(void *live)
{
	served_free(live);
}

static void settings_drop(void *self)
{
	struct file *s = self;
	if (s->made == NULL)
		return;
	served_free(*s->made);
	*s->made = NULL;
}

static void *live_make(const void *self, const struct live_env *env)
{
	const struct file *s = self;
	struct served *v = *s->made;
	(void)env;
	*s->made = NULL;
	return v != NULL ? v : served_new();
}

const struct zone *file_zone(const void *self, unsigned i, const char **ret_path)
{
	const struct file *s = self;
	if (s->made == NULL || *s->made == NULL || i >= (*s->made)->n)
		return NULL;
	*ret_path = s->parts[0].path;
	return (*s->made)->zones[i];
}

/* ---- answers ---- */

/* The zone that holds the name; *ret_zone NULL: it is not there yet. False: none does. */
static bool zone_for(const struct link *l, const struct question *q, const struct zone **ret_zone)
{
	const struct file *s = l->self;
	const struct served *v = l->live;
	const struct name *origin = q->class == CLASS_IN ? zones_find(&s->zones, q->name) : NULL;
	if (origin == NULL)
		return false;
	*ret_zone = v->n == 0 ? NULL : v->zones[origin - s->zones.names];
	return true;
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	const struct file *s = l->self;
	const struct zone *z;
	if (LIKELY(!zone_for(l, &f->client->question, &z)))
		return PASS;
	return z == NULL ? SLOW : zoneserve_fast(&s->serving, z, f);
}

static enum verdict request(const struct link *l, struct query *q)
{
	const struct file *s = l->self;
	const struct zone *z;
	if (!zone_for(l, &q->question, &z))
		return PASS;
	if (z == NULL)
		return query_fail(q, RCODE_SERVFAIL, EDE_NOT_READY, "the zone's file is missing");
	return zoneserve_request(&s->serving, z, q);
}

/* ---- whole zones ---- */

static enum err transfer_begin(const struct link *l, struct query *q, struct transfer *t)
{
	const struct file *s = l->self;
	const struct served *v = l->live;
	for (unsigned i = 0; i < s->zones.n; i++) {
		if (!name_eq(s->zones.names[i], t->zone))
			continue;
		if (v->n == 0)
			return ERR_UPSTREAM;
		struct zone_walk *w = ARENA_NEW(&q->arena, struct zone_walk);
		if (w == NULL)
			return ERR_LIMIT;
		zone_walk_begin(w, v->zones[i]);
		t->state = w;
		t->soa = zone_soa(v->zones[i]);
		return OK;
	}
	return ERR_NOTFOUND;
}

/* The zone stays as long as a query stands in its configuration. */
static enum transfer_step transfer_next(const struct link *l, struct query *q, struct transfer *t, struct rr *ret)
{
	(void)l;
	(void)q;
	return zone_walk_next(t->state, ret) ? TRANSFER_RECORD : TRANSFER_END;
}

static bool transfer_zone(const struct link *l, struct engine *e, unsigned i, struct transfer_zone *ret)
{
	const struct file *s = l->self;
	const struct served *v = l->live;
	(void)e;
	if (i >= s->zones.n)
		return false;
	*ret = (struct transfer_zone){ .zone = s->zones.names[i], .there = v->n > 0 };
	if (ret->there)
		ret->soa = zone_soa(v->zones[i]);
	return true;
}

static const struct transfer_source transfers = { transfer_begin, transfer_next, transfer_zone };

static msec tend(const struct link *l, struct engine *e)
{
	struct served *v = l->live;
	return e->tending.chain->check_zones ? zonewatch_tend(&v->watch, v->zones, v->n, e) : NEVER;
}

/* From any thread. */
static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct served *v = l->live;
	for (unsigned i = 0; i < v->n; i++)
		zonewatch_samples(v->zones[i], v->watch.results == NULL ? NULL : &v->watch.results[i], where, to);
}

/* ---- settings ---- */

/* file DBFILE [ZONES...] */
static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct file *s = self;
	if (d->nargs == 0) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "Wrong argument count or unexpected line ending after 'file'; expected DBFILE [ZONES...]");
		return;
	}
	const char *root = d->server == NULL || d->server->root == NULL ? "" : d->server->root;
	const char *path = path_of(a, span_text(d->args[0].text), span_text(root));
	s->zones = zones_read(d, 1, a, diag);
	s->corefile = d->file;
	s->line = d->args[0].line;
	s->column = d->args[0].column;
	s->made = ARENA_NEW(a, struct served *);
	if (path == NULL || s->made == NULL)
		diag_error(diag, d->file, s->line, s->column, "the file's name is too long; expected at most %u bytes",
		           PATH_BYTES_MAX - 1);
	else
		s->parts[s->nparts++] = (struct part){ .path = path };
}

static void parse_fallthrough(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	((struct file *)self)->serving.fall = zones_or_all(d, 0, a, diag);
}

static bool wanted(const void *self)
{
	return ((const struct file *)self)->nparts > 0;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	(void)a;
	(void)diag;
	zoneserve_joined(&((struct file *)self)->serving, chain);
}

#define T struct file

static const struct opt opts[] = {
	{ { "reload", 1, "1m" }, { NULL, NULL }, MSEC(T, reload), .min = 0, .max = (int64_t)365 * DAY * SECOND,
	  .doc = "Look this often whether the file has changed; a changed zone is taken when its SOA has another "
	         "serial. 0: never, and a missing file is an error." },
	{ { "reload_by_mtime", 0, NULL }, { NULL, NULL }, BOOL(T, by_mtime),
	  .doc = "Take a changed file whatever its serial." },
	{ { "fallthrough", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = parse_fallthrough,
	  .doc = "For names that are not in the zone, all or those in these zones, ask the next plugin." },
};

const struct plugin plugin_file = {
	.settings = { .name = "file", .doc = "serves zones of our own from zone files",
	              .corefile = { "file", DIRECTIVE_EACH, head }, .size = sizeof(T), .opts = opts,
	              .nopts = COUNT(opts) },
	.steps = { .request = request, .wake = zoneserve_wake, .fast = fast, .tend = tend, .zones = &transfers },
	.live_text = live_text, .live_make = live_make, .live_free = live_free, .settings_drop = settings_drop,
	.joined = joined, .wanted = wanted, .file_want = file_want, .file_take = file_take, .samples = samples,
};
