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
	bool missing_auto;       /* a managed file is not there: the built-in root keys stand in */
	bool revoked[2];         /* the state file says so of 20326 and 38696: they are not to come back */
};

/* Nothing when it cannot be read, which has been told. */
static struct span source_text(struct loading *l, const struct anchor_source *s)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct span bytes = { 0 };
	if (file_read(s->text, ANCHOR_TEXT_MAX, l->arena, &bytes, &why) != OK) {
		diag_warning(l->diag, s->file, s->line, s->column, "%s; expected a file of trust anchors",
		             buf_cstr(&why));
		l->missing_auto |= s->kind == ANCHOR_AUTO_FILE;
		return (struct span){ 0 };
	}
	return bytes;
}

/* FNV-1a: two texts of one file are told apart, against nobody who writes to it on purpose. */
static uint64_t mark_of(struct span text)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < text.n; i++)
		mark = (mark ^ text.p[i]) * UINT64_C(0x100000001b3);
	return mark;
}

static void note_revoked(struct loading *l, const struct autotrust *t)
{
	for (unsigned i = 0; i < AUTOKEYS_MAX && t->keys[i].rdata.n > 0; i++) {
		uint16_t tag = dnskey_tag(t->keys[i].rdata);
		bool gone = t->keys[i].state == AUTO_REVOKED || t->keys[i].state == AUTO_REMOVED;
		l->revoked[0] |= gone && (tag == TAG_2017 || tag == TAG_2017 + DNSKEY_REVOKED);
		l->revoked[1] |= gone && (tag == TAG_2024 || tag == TAG_2024 + DNSKEY_REVOKED);
	}
}

static void load_auto(struct loading *l, const struct anchor_source *s)
{
	struct span text = source_text(l, s);
	struct autotrust *t = ARENA_NEW(l->arena, struct autotrust);
	if (text.n == 0 || t == NULL)
		return;
	if (autotrust_read(l->arena, text, s->text, l->diag, t) != OK) {
		l->missing_auto = true;
		return;
	}
	note_revoked(l, t);
	if (l->conf->npoints == POINTS_MAX)
		diag_error(l->diag, s->file, s->line, s->column, "more than %u state files", POINTS_MAX);
	else
		l->conf->points[l->conf->npoints++] = (struct anchor_point){ s->text, mark_of(text), t };
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

/* Where the root is an anchor its keys of today join, unless the state file has seen them revoked: a file that was
 * written years ago must not end service when the key changes. */
static void join_root(struct loading *l)
{
	const struct anchor *root = anchors_find(l->anchors, name_root, 0);
	bool has_root = root != NULL && !anchor_is_negative(root);
	if ((!has_root && !l->missing_auto) || l->revoked[0] || l->revoked[1])
		return;
	if (anchors_add_root(l->arena, l->anchors) != OK)
		diag_warning(l->diag, NULL, 0, 0, "the built-in root keys are left out: no room");
}

void anchors_load(struct model *m, struct diag *diag)
{
	const struct validating *s = validate_settings(&m->chain);
	if (s == NULL)
		return;
	struct anchors *all = ARENA_NEW(&m->arena, struct anchors);
	struct anchorage_conf *conf = ARENA_NEW(&m->arena, struct anchorage_conf);
	struct loading l = { .arena = &m->arena, .anchors = all, .conf = conf, .diag = diag };
	if (all == NULL || conf == NULL)
		return;
	conf->fixed = all;
	conf->autotrust = &s->autotrust;
	for (unsigned i = 0; i < s->nsources; i++)
		load_source(&l, &s->sources[i]);
	join_root(&l);
	m->anchors = conf;
}
