#include "core/ahead.h"

/* Questions as they are chosen. */
struct plan {
	const struct ahead *a;
	struct question *list;
	unsigned n, max;
};

static void want(struct plan *p, uint16_t type, unsigned labels)
{
	struct name name = name_up(p->a->target, p->a->target.labels - labels);
	if (p->n < p->max)
		p->list[p->n++] = (struct question){ name, type, CLASS_IN };
}

/* The deepest ancestor that was a zone; `at` when none is remembered. */
static unsigned last_cut(const struct ahead *a)
{
	unsigned i = a->target.labels;
	while (i > a->at && !a->notes[i].cut)
		i--;
	return i;
}

/* Reverse names are long, and most of their labels are no zones. */
static bool is_under_arpa(struct name name)
{
	static const uint8_t arpa[] = "\4arpa";
	return name.labels > 0 && name_eq(name_up(name, name.labels - 1), (struct name){ arpa, sizeof(arpa), 1 });
}

/* Is a child of this zone likely enough to be signed? */
static bool is_hopeful(const struct ahead_note *zone)
{
	return zone->children_signed * AHEAD_SIGNED_OF >= zone->children;
}

/* Is the DNSKEY of the ancestor of i labels to be asked for; `zone`: of the deepest zone above it, as assumed. */
static bool wants_keys(const struct ahead *a, unsigned i, unsigned seen, unsigned zone)
{
	const struct ahead_note *above = &a->notes[zone];
	if (a->notes[i].cut || (a->claimed && i == a->target.labels))
		return true;
	/* What leads to a cut that was seen is known to be none. */
	return i > seen && !above->has_data && is_hopeful(above) && !is_under_arpa(a->target);
}

unsigned ahead_plan(const struct ahead *a, struct question *list, unsigned max)
{
	struct plan p = { .a = a, .list = list, .max = max };
	unsigned seen = last_cut(a), labels = a->target.labels, zone = a->at;
	unsigned end = a->claimed ? labels : MAX(seen, MIN(a->at + AHEAD_LABELS, labels));
	if (a->keys)
		want(&p, RR_DNSKEY, a->at);
	for (unsigned i = a->at + 1; i <= end; i++) {
		bool guess = !a->claimed && i > seen;
		if (guess && (a->notes[zone].has_data || is_under_arpa(a->target)))
			break;
		want(&p, RR_DS, i);
		if (a->notes[i].is_unsigned && !a->claimed)
			break;
		bool keys = wants_keys(a, i, seen, zone);
		if (keys)
			want(&p, RR_DNSKEY, i);
		if (guess && !keys)
			break;
		if (keys)
			zone = i;
	}
	return p.n;
}
