#include "core/zone_load.h"

#include "core/zone_build.h"
#include "wire/zonefile.h"

/* A file that is being read. */
struct reading {
	struct zonefile *text;
	const char *file;
};

struct zone_load {
	struct arena *scratch;
	struct diag *diag;
	struct zone_build *build;
	struct name origin;
	struct zonefile_conf next;         /* what the file handed over next begins with */
	struct zonefile_item item;         /* the latest */
	unsigned n, files;
	struct reading open[ZONE_INCLUDES_MAX];
	bool full;                         /* no memory was left */
	const char *file;                  /* the zone's own */
};

struct zone_load *zone_load_new(struct arena *keep, struct arena *scratch, struct name origin, struct diag *diag)
{
	struct zone_load *l = ARENA_NEW(scratch, struct zone_load);
	if (l == NULL)
		return NULL;
	*l = (struct zone_load){ .scratch = scratch, .diag = diag, .origin = origin };
	l->next = (struct zonefile_conf){ .origin = origin, .class = CLASS_IN };
	l->build = zone_build_new(keep, scratch, origin, diag);
	return l->build == NULL ? NULL : l;
}

void zone_load_text(struct zone_load *l, const char *file, struct span text)
{
	struct reading r = { zonefile_new(l->scratch, text, &l->next), file };
	if (l->file == NULL)
		l->file = file;
	if (r.text == NULL || l->n == ZONE_INCLUDES_MAX) {
		l->full = true;
		return;
	}
	l->open[l->n++] = r;
	l->files++;
}

void zone_load_missing(struct zone_load *l, const char *why)
{
	const char *file = l->n == 0 ? l->file : l->open[l->n - 1].file;
	diag_error(l->diag, file, l->item.line, l->item.column, "cannot include '%.*s': %s; expected a file to read",
	           (int)l->item.include.n, (const char *)l->item.include.p, why);
}

/* False: it may not be included. */
static bool include(struct zone_load *l, const struct reading *r)
{
	if (l->n == ZONE_INCLUDES_MAX || l->files == ZONE_FILES_MAX) {
		diag_error(l->diag, r->file, l->item.line, l->item.column,
		           "too many $INCLUDE; expected at most %u files, %u deep", ZONE_FILES_MAX, ZONE_INCLUDES_MAX);
		return false;
	}
	l->next = zonefile_state(r->text);
	l->next.origin = l->item.include_origin;
	return true;
}

enum zone_want zone_load_run(struct zone_load *l, struct span *ret_file, const char **ret_from)
{
	while (l->n > 0 && !l->full) {   /* ends: each step takes an item, or closes a file */
		struct reading *r = &l->open[l->n - 1];
		struct zonefile_item *i = &l->item;
		zonefile_next(r->text, i);
		struct zone_where w = { r->file, i->line, i->column };
		switch (i->kind) {
		case ZF_RR:
			l->full = zone_build_add(l->build, &i->rr, &w) != OK;
			break;
		case ZF_INCLUDE:
			if (!include(l, r))
				return ZONE_WANTS_OUT;
			*ret_file = i->include;
			*ret_from = r->file;
			return ZONE_WANTS_FILE;
		case ZF_ERROR:
			diag_error(l->diag, r->file, i->line, i->column, "%s", i->what);
			break;
		case ZF_END:
			l->n--;
			break;
		}
	}
	return l->full ? ZONE_WANTS_OUT : ZONE_WANTS_NOTHING;
}

const struct zone *zone_load_done(struct zone_load *l)
{
	if (l->full)
		diag_error(l->diag, l->file, 0, 0, "the zone is too large for the memory that it may take");
	return l->diag->errors > 0 ? NULL : zone_build_done(l->build, l->file);
}
