#include "core/marks.h"

enum err scrub_keep_ns(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept)
{
	struct marks k;
	unsigned n = 0;
	TRY(marks_begin(&k, a, m->question.class, zone, m));
	bool fits = kept->kind == SCRUB_POSITIVE || (kept->kind == SCRUB_NODATA && kept->msg.nrrs == 0);
	for (size_t i = 0; i < m->nrrs && fits && n < SCRUB_NS_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_AUTHORITY || rr->type != RR_NS || rr->class != m->question.class ||
		    !name_below(rr->owner, zone) || !name_below(kept->final, rr->owner) ||
		    (k.nsets > 0 && !name_eq(k.sets[0].owner, rr->owner)))
			continue;
		k.keep[i] = 1;
		n++;
		marks_set(&k, rr->owner, RR_NS, SEC_AUTHORITY);
	}
	if (n == 0)
		return OK;
	marks_additional(&k);
	marks_rrsigs(&k);
	return marks_append(&k, &kept->msg);
}

/* Does the type say where a zone or name goes on, what is not there, or who signs? Unasked nobody is to hear of it. */
static bool steers(uint16_t type)
{
	static const uint16_t types[] = { RR_A, RR_AAAA, RR_NS, RR_SOA, RR_CNAME, RR_DNAME, RR_DS, RR_DNSKEY, RR_RRSIG,
		                          RR_NSEC, RR_NSEC3 };
	for (unsigned i = 0; i < COUNT(types); i++)
		if (types[i] == type)
			return true;
	return rrtype_is_meta(type);
}

enum err scrub_keep_unknown(struct arena *a, struct name zone, const struct msg *m, struct scrubbed *kept)
{
	struct marks k;
	unsigned n = 0;
	TRY(marks_begin(&k, a, m->question.class, zone, m));
	for (size_t i = 0; i < m->nrrs && kept->kind == SCRUB_POSITIVE && n < SCRUB_EXTRA_MAX; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->section != SEC_ADDITIONAL || steers(rr->type) || rr->class != m->question.class ||
		    !name_below(rr->owner, zone))
			continue;
		k.keep[i] = 1;
		n++;
		marks_set(&k, rr->owner, rr->type, SEC_ADDITIONAL);
	}
	if (n == 0)
		return OK;
	marks_rrsigs(&k);
	return marks_append(&k, &kept->msg);
}

enum err scrub_keep_glue(struct arena *a, const struct msg *m, struct scrubbed *kept)
{
	struct marks k;
	if (kept->kind != SCRUB_REFERRAL)
		return OK;
	TRY(marks_begin(&k, a, m->question.class, name_root, m));
	for (size_t i = 0; i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		struct rr ns = { .owner = rr->owner, .type = RR_NS, .section = SEC_AUTHORITY, .rdata = rr->rdata };
		k.keep[i] = rr->section == SEC_AUTHORITY && rr->type == RR_NS && marks_has(&kept->msg, &ns);
	}
	marks_additional(&k);
	return marks_append(&k, &kept->msg);
}
