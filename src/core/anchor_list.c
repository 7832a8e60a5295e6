#include "core/anchor_list.h"

const char *const anchor_row_kinds[] = { "static", "managed", "insecure", "nta" };

static void put_row(struct anchor_listing *l, struct anchor_row row, struct span rdata)
{
	if (rdata.n >= 4 && row.type == RR_DS) {
		row.tag = get_u16(rdata.p);
		row.algorithm = rdata.p[2];
	} else if (rdata.n >= 4) {
		row.tag = dnskey_tag(rdata);
		row.algorithm = rdata.p[3];
	}
	row.zone = name_dup(l->arena, row.zone);
	if (row.zone.wire != NULL && l->n < l->cap)
		l->rows[l->n++] = row;
}

static void list_trust(struct anchor_listing *l, const struct trust *t)
{
	struct anchor_row row = { .kind = ANCHOR_ROW_FIXED, .zone = t->zone, .state = "FIXED" };
	for (unsigned i = 0; i < t->nds; i++) {
		row.type = RR_DS;
		put_row(l, row, t->ds[i]);
	}
	for (unsigned i = 0; i < t->nkeys; i++) {
		row.type = RR_DNSKEY;
		put_row(l, row, t->keys[i]);
	}
}

void anchor_list_fixed(struct anchor_listing *l, const struct anchors *fixed)
{
	for (unsigned i = 0; i < fixed->n; i++)
		list_trust(l, &fixed->list[i]->trust);
}

void anchor_list_point(struct anchor_listing *l, const struct point *p)
{
	const struct autotrust *t = &p->state;
	char *file = arena_text(l->arena, span_text(p->file));
	struct anchor_row row = { .kind = ANCHOR_ROW_MANAGED, .zone = t->zone, .file = file, .queried = t->queried,
		                  .succeeded = t->succeeded, .next_probe = t->next_probe };
	for (unsigned i = 0; i < t->nds; i++) {
		row.type = RR_DS;
		row.state = "SEED";
		put_row(l, row, t->ds[i]);
	}
	for (unsigned i = 0; i < t->nkeys; i++) {
		row.type = RR_DNSKEY;
		row.state = autokey_state_names[t->keys[i].state];
		row.changed = t->keys[i].changed;
		put_row(l, row, t->keys[i].rdata);
	}
}

void anchor_list_insecure(struct anchor_listing *l, const struct anchors *fixed)
{
	for (unsigned i = 0; i < fixed->n; i++) {
		const struct anchor *an = fixed->list[i];
		if (anchor_is_negative(an))
			put_row(l, (struct anchor_row){ .kind = ANCHOR_ROW_INSECURE, .zone = an->trust.zone,
				.state = "INSECURE" }, (struct span){ 0 });
	}
}

void anchor_list_ntas(struct anchor_listing *l, const struct ntas *ntas, int64_t wall)
{
	for (unsigned i = 0; i < ntas->n; i++) {
		const struct nta *n = &ntas->list[i];
		if (nta_holds(n, wall))
			put_row(l, (struct anchor_row){ .kind = ANCHOR_ROW_NTA, .zone = n->zone, .state = "NTA",
				.until = n->until }, (struct span){ 0 });
	}
}
