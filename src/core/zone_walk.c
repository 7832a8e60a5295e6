#include "core/zone_walk.h"

static struct rr record(struct name owner, uint16_t type, uint32_t ttl, const struct zone_rdata *r)
{
	return (struct rr){ .owner = owner, .type = type, .class = CLASS_IN, .ttl = ttl,
	                    .rdata = span_of(r->bytes, r->n), .section = SEC_ANSWER };
}

struct rr zone_soa(const struct zone *z)
{
	return record(z->nodes[z->apex].name, RR_SOA, z->soa->ttl, z->soa->rrs);
}

/* Records of w->i begin. False: there is no such place any more. */
static bool enter(struct zone_walk *w)
{
	const struct zone *z = w->zone;
	w->rr = NULL;
	w->sigs = false;
	if (w->i > z->n + z->nhashes)
		return false;
	if (w->i == 0)
		w->set = z->nodes[z->apex].sets;
	else if (w->i <= z->n)
		w->set = w->i - 1 == z->apex ? NULL : z->nodes[w->i - 1].sets;
	else
		w->set = z->hashes[w->i - z->n - 1].set;
	return true;
}

void zone_walk_begin(struct zone_walk *w, const struct zone *z)
{
	*w = (struct zone_walk){ .zone = z };
	(void)enter(w);
}

static struct name owner(const struct zone_walk *w)
{
	const struct zone *z = w->zone;
	if (w->i == 0)
		return z->nodes[z->apex].name;
	return w->i <= z->n ? z->nodes[w->i - 1].name : z->hashes[w->i - z->n - 1].name;
}

/* The first record of the set, or of its signatures. */
static const struct zone_rdata *first(const struct zone_walk *w)
{
	if (w->sigs)
		return w->set->sigs;
	return w->set->type == RR_SOA ? NULL : w->set->rrs;
}

/* On to the signatures of this set, to the next set, or to the next name. */
static bool on(struct zone_walk *w)
{
	if (w->set != NULL && !w->sigs) {
		w->sigs = true;
		w->rr = w->set->sigs;
		return true;
	}
	if (w->set != NULL && w->i <= w->zone->n && w->set->next != NULL) {
		w->set = w->set->next;
		w->sigs = false;
		w->rr = first(w);
		return true;
	}
	w->i++;
	if (!enter(w))
		return false;
	if (w->set != NULL)
		w->rr = first(w);
	return true;
}

bool zone_walk_next(struct zone_walk *w, struct rr *ret)
{
	if (w->i == 0 && w->rr == NULL && w->set != NULL && !w->sigs && w->set == w->zone->nodes[w->zone->apex].sets)
		w->rr = first(w);
	while (w->rr == NULL)   /* the zone's sets, and its names */
		if (!on(w))
			return false;
	*ret = record(owner(w), w->sigs ? (uint16_t)RR_RRSIG : w->set->type, w->sigs ? w->rr->ttl : w->set->ttl, w->rr);
	w->rr = w->rr->next;
	return true;
}
