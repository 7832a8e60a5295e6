#include "app/anchors.h"

#include "core/anchorage.h"
#include "core/autotrust.h"
#include "io/file.h"
#include "plugin/validate.h"

#define WHY_MAX 512u
#define TAG_2017 20326u
#define TAG_2024 38696u

struct loading {
	struct arena *arena;
	struct anchors *anchors;
	struct anchorage_conf *conf;
	struct diag *diag;
	const struct anchor_files *given;
	const struct validate_conf *rules;
	const struct anchor_source *missing;   /* the first managed file that is not there */
	bool broken;                           /* one is there and cannot be used */
	const struct anchor_source *old;       /* the first that brings the root key of 2017 */
};

/* Nothing when it cannot be read, which has been told. */
static struct span source_text(struct loading *l, const struct anchor_source *s)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct span bytes = { 0 };
	if (s->bytes.p != NULL)
		return s->bytes;
	for (const struct anchor_files *f = l->given; f != NULL; f = f->next)
		if (strcmp(f->name, s->text) == 0)
			return f->text;
	enum err err = file_read(s->text, ANCHOR_TEXT_MAX, l->arena, &bytes, &why);
	bool managed = s->kind == ANCHOR_AUTO_FILE;
	if (err == OK)
		return bytes;
	diag_warning(l->diag, s->file, s->line, s->column, "%s; expected a file of trust anchors%s", buf_cstr(&why),
	             managed ? "; the root's keys that come with signet stand in" : "");
	if (managed && err == ERR_NOTFOUND && l->missing == NULL)
		l->missing = s;
	l->broken |= managed && err != ERR_NOTFOUND;
	return (struct span){ 0 };
}

static void add_point(struct loading *l, const struct anchor_source *s, struct anchor_point point)
{
	if (l->conf->npoints == POINTS_MAX)
		diag_error(l->diag, s->file, s->line, s->column, "more than %u state files", POINTS_MAX);
	else
		l->conf->points[l->conf->npoints++] = point;
}

static void load_auto(struct loading *l, const struct anchor_source *s)
{
	struct span text = source_text(l, s);
	struct autotrust *t = ARENA_NEW(l->arena, struct autotrust);
	if (text.p == NULL || t == NULL)
		return;
	struct diag told;
	diag_init(&told, l->arena);
	enum err err = autotrust_read(l->arena, text, s->text, &told, t);
	for (const struct diag_line *line = told.first; line != NULL; line = line->next)
		diag_warning(l->diag, line->file, line->line, line->column, "%s", line->text);
	if (err == OK) {
		add_point(l, s, (struct anchor_point){ s->text, anchor_mark(text), t });
		return;
	}
	l->broken = true;
	diag_warning(l->diag, s->file, s->line, s->column, "%s holds no trust anchor that can be used; "
	             "the root's keys that come with signet stand in", s->text);
}

static void load_insecure(struct loading *l, const struct anchor_source *s)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name zone;
	if (name_from_text(span_text(s->text), NULL, store, &zone) != OK)
		diag_error(l->diag, s->file, s->line, s->column, "domain-insecure: '%s' is no domain name", s->text);
	else if (anchors_add_insecure(l->arena, l->anchors, name_dup(l->arena, zone), 0) != OK)
		diag_error(l->diag, s->file, s->line, s->column, "domain-insecure: more names than can be kept");
}

static void load_source(struct loading *l, const struct anchor_source *s)
{
	switch (s->kind) {
	case ANCHOR_TEXT:
		anchors_read(l->arena, l->anchors, span_text(s->text), s->file, l->diag);
		break;
	case ANCHOR_FILE:
		anchors_read(l->arena, l->anchors, source_text(l, s), s->text, l->diag);
		break;
	case ANCHOR_BIND_FILE:
		anchors_read_bind(l->arena, l->anchors, source_text(l, s), s->text, l->diag);
		break;
	case ANCHOR_AUTO_FILE:
		load_auto(l, s);
		break;
	case ANCHOR_INSECURE:
		load_insecure(l, s);
		break;
	}
}

/* ---- the root ---- */

static bool trust_has(const struct trust *t, uint16_t tag)
{
	for (unsigned i = 0; i < t->nds; i++)
		if (get_u16(t->ds[i].p) == tag)
			return true;
	for (unsigned i = 0; i < t->nkeys; i++)
		if (dnskey_tag(t->keys[i]) == tag)
			return true;
	return false;
}

/* Can anything ever be verified from it? */
static bool is_usable(const struct validate_conf *conf, const struct trust *t)
{
	bool usable = false;
	for (unsigned i = 0; i < t->nds; i++)
		usable |= algorithm_supported(conf, t->ds[i].p[2]) && digest_supported(t->ds[i].p[3]);
	for (unsigned i = 0; i < t->nkeys; i++)
		usable |= algorithm_supported(conf, t->keys[i].p[3]);
	return usable;
}

static const struct trust *fixed_root(const struct loading *l)
{
	const struct anchor *root = anchors_find(l->anchors, name_root, 0);
	return root != NULL && !anchor_is_negative(root) ? &root->trust : NULL;
}

/* Does the configuration itself trust that root key? */
static bool names_root_key(const struct loading *l, uint16_t tag)
{
	const struct trust *fixed = fixed_root(l);
	struct trust trust;
	bool found = fixed != NULL && trust_has(fixed, tag);
	for (unsigned i = 0; i < l->conf->npoints && !found; i++) {
		const struct autotrust *t = l->conf->points[i].state;
		autotrust_trust(t, &trust);
		found = t->zone.labels == 0 && trust_has(&trust, tag);
	}
	return found;
}

/* Has this state seen the last of the built-in key at `which`? It says so; or it has been kept up to date since, and
 * knows the key that came after it but not this one. */
static bool is_gone(const struct autotrust *t, const struct trust *builtin, unsigned which)
{
	struct trust trust;
	autotrust_trust(t, &trust);
	if (autotrust_has_revoked(t, RR_DS, builtin->ds[which]))
		return true;
	for (unsigned i = which + 1; i < builtin->nds && t->succeeded != 0; i++)
		if (trust_has(&trust, get_u16(builtin->ds[i].p)) && !trust_has(&trust, get_u16(builtin->ds[which].p)))
			return true;
	return false;
}

/* The built-in keys that no state file has seen the end of; *ret_ours: the root that the configuration trusts is the
 * one that they are of, not somebody's own, nor one whose keys have all come after them. */
static struct trust builtin_root(struct loading *l, bool *ret_ours)
{
	struct anchors builtin = { 0 };
	struct trust left = { .zone = name_root };
	*ret_ours = false;
	if (anchors_add_root(l->arena, &builtin) != OK)
		return left;
	const struct trust *all = &builtin.list[0]->trust;
	for (unsigned i = 0; i < all->nds; i++) {
		bool gone = false;
		*ret_ours |= names_root_key(l, get_u16(all->ds[i].p));
		for (unsigned k = 0; k < l->conf->npoints && !gone; k++) {
			const struct autotrust *t = l->conf->points[k].state;
			gone = t->zone.labels == 0 && is_gone(t, all, i);
			*ret_ours |= t->zone.labels == 0 && autotrust_has_revoked(t, RR_DS, all->ds[i]);
		}
		if (!gone)
			left.ds[left.nds++] = all->ds[i];
	}
	return left;
}

static void join_fixed(struct loading *l, const struct trust *builtin)
{
	struct rr rr = { .owner = name_root, .type = RR_DS, .class = CLASS_IN };
	for (unsigned i = 0; i < builtin->nds; i++) {
		rr.rdata = builtin->ds[i];
		if (anchors_add(l->arena, l->anchors, &rr) != OK)
			diag_warning(l->diag, NULL, 0, 0, "a built-in root key is left out: no room");
	}
}

/* To what a state file says of the root; what it knows already needs no more. */
static void join_point(struct loading *l, const struct anchor_point *point, const struct trust *builtin)
{
	struct autotrust *t = (struct autotrust *)(uintptr_t)point->state;   /* made above, ours till it is taken */
	struct trust trust, more = { .zone = name_root };
	autotrust_trust(t, &trust);
	for (unsigned i = 0; i < builtin->nds; i++)
		if (!trust_has(&trust, get_u16(builtin->ds[i].p)))
			more.ds[more.nds++] = builtin->ds[i];
	if (autotrust_vouch(t, &more) != OK)
		diag_warning(l->diag, NULL, 0, 0, "a built-in root key is left out: no room");
}

/* A managed file that is not there begins with the root's keys, and is written once they are proved. */
static void begin_missing(struct loading *l, const struct trust *builtin)
{
	struct autotrust *t = ARENA_NEW(l->arena, struct autotrust);
	if (t == NULL)
		return;
	*t = (struct autotrust){ .zone = name_root, .arena = l->arena };
	if (autotrust_vouch(t, builtin) == OK)
		add_point(l, l->missing, (struct anchor_point){ l->missing->text, 0, t });
}

/* Where the configuration trusts a key of the root's that we know, those of today join, but for what the state file has
 * seen the end of: a file that was written years ago must not end service when the key changes. */
static void join_root(struct loading *l)
{
	bool tracked = false, over = false, ours;
	struct trust builtin = builtin_root(l, &ours);
	for (unsigned i = 0; i < l->conf->npoints; i++) {
		const struct anchor_point *p = &l->conf->points[i];
		if (p->state->zone.labels > 0)
			continue;
		tracked |= !p->state->revoked;
		over |= p->state->revoked;
		if (ours && !p->state->revoked)
			join_point(l, p, &builtin);
	}
	bool fixed = fixed_root(l) != NULL;
	/* An anchor that nobody can verify with would leave the root to nobody. */
	ours |= fixed && !is_usable(l->rules, fixed_root(l));
	if ((ours && (fixed || over)) || (l->broken && !tracked && !fixed))
		join_fixed(l, &builtin);
	if (l->missing != NULL && !tracked && !over && !fixed)
		begin_missing(l, &builtin);
}

static void note_old(struct loading *l, const struct anchor_source *s)
{
	if (l->old == NULL && names_root_key(l, TAG_2017))
		l->old = s;
}

static void warn_old(struct loading *l)
{
	const struct anchor_source *s = l->old;
	if (s == NULL || names_root_key(l, TAG_2024))
		return;
	diag_warning(l->diag, s->file, s->line, s->column, "%s: of the root's keys only %u, of 2017; the root is "
	             "signed with %u since October 2026, which comes with signet and joins: replace the file",
	             s->kind == ANCHOR_TEXT ? "trust-anchor" : s->text, TAG_2017, TAG_2024);
}

/* ---- a Corefile ---- */

static void leave_alone(struct loading *l, const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name zone;
	if (name_from_text(span_text(text), NULL, store, &zone) != OK ||
	    anchors_add_insecure(l->arena, l->anchors, name_dup(l->arena, zone), 0) != OK)
		diag_error(l->diag, NULL, 0, 0, "%s cannot be left out of validation: no room", text);
}

static void leave_range(struct loading *l, unsigned from, unsigned to, const char *zone)
{
	for (unsigned i = from; i <= to; i++) {
		const char *text = arena_printf(l->arena, "%u.%s", i, zone);
		leave_alone(l, text == NULL ? zone : text);
	}
}

/* Names that everybody may use at home: the root knows nothing of them, or says that they are not there. Whoever has
 * keys there has an anchor for them, which counts. */
static void leave_own(struct loading *l)
{
	leave_alone(l, "local.");      /* cluster.local, and RFC6762 */
	leave_alone(l, "internal.");   /* reserved by ICANN in 2024 */
	leave_alone(l, "alt.");        /* RFC9476 */
#define HOME(zone, kind) leave_alone(l, zone);
#define LAN(zone) leave_alone(l, zone);
#define LAN_RANGE(from, to, zone) leave_range(l, from, to, zone);
#include "plugin/localzone_defaults.def"
}

/* The root's keys of today always join, whatever files say: one written years ago must not end service. */
static void join_corefile(struct loading *l)
{
	if (anchors_add_root(l->arena, l->anchors) != OK)
		diag_error(l->diag, NULL, 0, 0, "a root key is left out: the files name more than there is room for");
	leave_own(l);
}

/* Those of the first site that validates. */
static const struct validating *first_settings(const struct model *m)
{
	const struct validating *s = NULL;
	for (unsigned i = 0; i < m->nsites && s == NULL; i++)
		s = validate_settings(&m->sites[i].chain);
	return s;
}

/* All that sites name: what one of them trusts, the process trusts. */
static void load_sources(struct loading *l, const struct model *m)
{
	for (unsigned i = 0; i < m->nsites; i++) {
		const struct validating *s = validate_settings(&m->sites[i].chain);
		for (unsigned k = 0; s != NULL && k < s->nsources; k++) {
			load_source(l, &s->sources[k]);
			note_old(l, &s->sources[k]);
		}
	}
}

bool anchors_load(struct model *m, const struct anchor_files *given, struct diag *diag)
{
	const struct validating *s = first_settings(m);
	uint32_t before = diag->errors;
	if (s == NULL)
		return true;
	struct anchors *all = ARENA_NEW(&m->arena, struct anchors);
	struct anchorage_conf *conf = ARENA_NEW(&m->arena, struct anchorage_conf);
	struct loading l = { .arena = &m->arena, .anchors = all, .conf = conf, .diag = diag,
		             .given = given, .rules = &s->conf };
	if (all == NULL || conf == NULL) {
		diag_error(diag, m->file, 0, 0, "no room for trust anchors");
		return false;
	}
	conf->fixed = all;
	conf->autotrust = &s->autotrust;
	load_sources(&l, m);
	warn_old(&l);
	if (s->corefile.is_one)
		join_corefile(&l);
	else
		join_root(&l);
	m->anchors = conf;
	return diag->errors == before;
}
