/* Which NSEC and NSEC3 records prove what (RFC4035 3.1.3, RFC5155 7.2). */
#include "core/zone_picks.h"

static const struct name star = { (const uint8_t *)"\001*", 3, 1 };

/* ---- NSEC ---- */

static void nsec_add(struct picks *p, uint32_t at)
{
	const struct zone *z = p->ask->zone;
	uint32_t i = at == ZONE_NONE ? ZONE_NONE : z->nodes[at].nsec;
	if (i != ZONE_NONE)
		picks_add(p, SEC_AUTHORITY, z->nodes[i].name, zone_set_of(&z->nodes[i], RR_NSEC));
}

/* The wildcard below the encloser of name. ERR_NAME: there is no room for one. */
static enum err wildcard_of(struct name name, const struct zone_place *place, uint8_t store[NAME_MAX_BYTES],
                            struct name *ret)
{
	return name_join(star, 1, name_up(name, name.labels - place->encloser), store, ret);
}

/* That there is none. */
static void nsec_no_wildcard(struct picks *p, struct name name, const struct zone_place *place)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name wildcard;
	if (wildcard_of(name, place, store, &wildcard) == OK)
		nsec_add(p, zone_find(p->ask->zone, wildcard).before);
}

/* ---- NSEC3 ---- */

static void hash(const struct picks *p, struct name name, uint8_t ret[NSEC3_HASH_BYTES])
{
	uint8_t store[NAME_MAX_BYTES];
	const struct zone *z = p->ask->zone;
	struct name folded = name_fold(name, store);
	verifier_nsec3(p->ask->crypto, span_of(folded.wire, folded.len), z->salt, z->iterations, ret);
}

/* The record of name itself, or the one that covers it. False: there is none of that sort. */
static bool hash_add(struct picks *p, struct name name, bool matching)
{
	uint8_t h[NSEC3_HASH_BYTES];
	bool exact;
	const struct zone *z = p->ask->zone;
	hash(p, name, h);
	uint32_t i = zone_hash_find(z, h, &exact);
	if (i == ZONE_NONE || exact != matching)
		return false;
	picks_add(p, SEC_AUTHORITY, z->hashes[i].name, z->hashes[i].set);
	return true;
}

/* The nearest name above or at `labels` of name that has a record, and what covers the one below it on the way to name
 * (RFC5155 7.2.1). An opted-out name has none, so it may be higher than the closest encloser. returns its labels */
static unsigned closest(struct picks *p, struct name name, unsigned labels)
{
	const struct zone *z = p->ask->zone;
	for (; labels > z->origin.labels; labels--)   /* LABELS_MAX, each an existing name */
		if (hash_add(p, name_up(name, name.labels - labels), true))
			break;
	if (labels == z->origin.labels)
		(void)hash_add(p, z->origin, true);
	if (labels < name.labels)
		(void)hash_add(p, name_up(name, name.labels - labels - 1), false);
	return labels;
}

static void nsec3_nxdomain_add(struct picks *p, struct name name, const struct zone_place *place)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name wildcard;
	unsigned labels = closest(p, name, place->encloser);
	if (name_join(star, 1, name_up(name, name.labels - labels), store, &wildcard) == OK)
		(void)hash_add(p, wildcard, false);
}

static void nsec3_wildcard_add(struct picks *p, struct name name, const struct zone_place *place, bool nodata)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name wildcard;
	if (!nodata) {
		(void)hash_add(p, name_up(name, name.labels - place->encloser - 1), false);
		return;
	}
	(void)closest(p, name, place->encloser);
	if (wildcard_of(name, place, store, &wildcard) == OK)
		(void)hash_add(p, wildcard, true);
}

/* ---- either ---- */

static bool by_hash(const struct picks *p)
{
	return p->ask->zone->nhashes > 0 && p->ask->crypto != NULL;
}

void denial_pick_nxdomain(struct picks *p, struct name name, const struct zone_place *place)
{
	if (!p->ask->dnssec)
		return;
	if (by_hash(p)) {
		nsec3_nxdomain_add(p, name, place);
		return;
	}
	nsec_add(p, place->before);
	nsec_no_wildcard(p, name, place);
}

void denial_pick_nodata(struct picks *p, struct name name, const struct zone_place *place)
{
	if (!p->ask->dnssec)
		return;
	if (by_hash(p))
		(void)closest(p, name, name.labels);
	else
		nsec_add(p, place->before);
}

void denial_pick_wildcard(struct picks *p, struct name name, const struct zone_place *place, bool nodata)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name wildcard;
	if (!p->ask->dnssec)
		return;
	if (by_hash(p)) {
		nsec3_wildcard_add(p, name, place, nodata);
		return;
	}
	if (nodata && wildcard_of(name, place, store, &wildcard) == OK)
		nsec_add(p, zone_find(p->ask->zone, wildcard).at);
	nsec_add(p, place->before);
}

void denial_pick_ds(struct picks *p, uint32_t cut)
{
	const struct zone *z = p->ask->zone;
	struct name name = z->nodes[cut].name;
	if (!p->ask->dnssec)
		return;
	if (by_hash(p))
		(void)closest(p, name, name.labels);
	else
		nsec_add(p, cut);
}
