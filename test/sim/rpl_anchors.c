#include "sim/rpl_anchors.h"

#include "app/anchors.h"
#include "base/assert.h"

struct anchorage *rpl_anchors_load(struct rpl *r, struct model *m, struct diag *diag, int64_t wall)
{
	static const uint8_t seed[32] = { 1 };
	const struct anchor_files *files = NULL;
	for (const struct rpl_file *f = r->autotrust; f != NULL; f = f->next) {
		struct anchor_files *more = ARENA_NEW(r->arena, struct anchor_files);
		ASSERT(more != NULL);
		*more = (struct anchor_files){ files, f->name, f->text };
		files = more;
	}
	(void)anchors_load(m, files, diag);
	if (m->anchors == NULL)
		return NULL;
	struct anchorage *g = anchorage_new(seed);
	enum err err = anchorage_configure(g, m->anchors, wall);
	ASSERT(err == OK);
	m->sites[0].chain.conf.anchorage = g;
	return g;
}

void rpl_anchors_save(struct rpl *r, struct anchorage *g)
{
	struct anchor_save what;
	while (anchorage_unsaved(g, r->arena, &what)) {
		for (struct rpl_file *f = r->autotrust; f != NULL; f = f->next)
			if (strcmp(f->name, what.file) == 0)
				f->text = what.text;
		anchorage_saved(g, &what);
	}
}
