#include "app/proof_show.h"

#include <time.h>

#include "app/show.h"
#include "base/time.h"

static const struct { uint8_t code; const char *name; } algorithms[] = {
#define ALGORITHM(code, NAME) { code, #NAME },
#include "wire/codes.def"
};

static const char *const words[] = {
	[SECURITY_UNCHECKED] = "unchecked", [SECURITY_BOGUS] = "bogus", [SECURITY_INDETERMINATE] = "unknown",
	[SECURITY_INSECURE] = "insecure", [SECURITY_SECURE] = "secure",
};


const char *algorithm_name(uint8_t algorithm)
{
	for (size_t i = 0; i < COUNT(algorithms); i++)
		if (algorithms[i].code == algorithm)
			return algorithms[i].name;
	return NULL;
}

void put_stamp(uint32_t wall, struct buf *to)
{
	time_t t = wall;
	struct tm tm;
	gmtime_r(&t, &tm);
	buf_printf(to, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	           tm.tm_sec);
}

static void put_question(const struct question *q, struct buf *to)
{
	name_text(q->name, to);
	buf_u8(to, ' ');
	rrtype_text(q->type, to);
}

/* ---- one line each ---- */

static void put_indent(const struct proof *p, const struct link *l, bool below, struct buf *to)
{
	unsigned depth = below;
	for (unsigned up = 0; l != NULL && !l->anchored && up < LINKS_MAX; up++, depth++)
		l = proof_link(p, l->parent);
	for (unsigned i = 1; i < depth; i++)
		buf_text(to, "   ");
	buf_text(to, depth > 0 ? "`- " : "");
}

/* "signed by 12345, 29 days left" */
static void put_seal(const struct proof *p, const struct seal *s, struct buf *to)
{
	int32_t left = (int32_t)(s->expiration - p->wall), until = (int32_t)(s->inception - p->wall);
	if (!s->there) {
		buf_text(to, "not signed");
		return;
	}
	buf_printf(to, s->why == WHY_NONE ? "signed by %u" : "signature of %u", s->tag);
	if (s->why != WHY_NONE)
		buf_printf(to, ": %s", why_text(s->why));
	if (until > 0)
		buf_printf(to, ", valid in %d days (from ", until / (int32_t)DAY);
	else if (left >= 0)
		buf_printf(to, ", %d days left (until ", left / (int32_t)DAY);
	else
		buf_printf(to, ", for %d days now (since ", -(left / (int32_t)DAY));
	put_stamp(until > 0 ? s->inception : s->expiration, to);
	buf_u8(to, ')');
}

static void put_trust(struct proof *p, const struct link *l, struct buf *to)
{
	for (unsigned i = 0; i < l->trust.nds; i++) {
		const uint8_t *ds = l->trust.ds[i].p;
		buf_printf(to, "%s%u/%u/%u", i == 0 ? l->anchored ? "anchor DS " : "DS " : " ", get_u16(ds), ds[2],
		           ds[3]);
		if (l->keys.n > 0 && !proof_matched(p, l, l->trust.ds[i]))
			buf_text(to, "(no such key)");
	}
	for (unsigned i = 0; i < l->trust.nkeys; i++) {
		buf_printf(to, "%s%u/%u", i == 0 ? "anchor DNSKEY " : " ", dnskey_tag(l->trust.keys[i]),
		           l->trust.keys[i].p[3]);
	}
	if (!l->anchored && l->trust.nds > 0) {
		buf_u8(to, ' ');
		put_seal(p, &l->trust_seal, to);
	}
}

/* The keys; a star where the DS or anchor names this one. */
static void put_keys(struct proof *p, const struct link *l, struct buf *to)
{
	if (l->keys.n == 0)
		return;
	buf_text(to, "; DNSKEY");
	for (unsigned i = 0; i < l->keys.n; i++) {
		const struct zone_key *k = &l->keys.list[i];
		buf_printf(to, " %u/%u%s", k->tag, k->algorithm, proof_vouched(p, l, k) ? "*" : "");
		buf_text(to, k->flags & DNSKEY_REVOKED ? "(revoked)" : "");
	}
	buf_u8(to, ' ');
	put_seal(p, &l->keys_seal, to);
}

/* "signature expired; EDE 7 Signature Expired" */
static void put_reason(const struct ruling *r, struct buf *to)
{
	int ede = why_ede(r->why);
	const char *name = ede < 0 ? NULL : ede_name((uint16_t)ede);
	ruling_text(r, to);
	if (ede >= 0)
		buf_printf(to, "; EDE %d %s", ede, name == NULL ? "" : name);
}

static void put_link(struct proof *p, const struct link *l, struct buf *to)
{
	put_indent(p, l, false, to);
	name_text(l->zone, to);
	buf_printf(to, "  %s: ", words[l->ruling.security]);
	put_trust(p, l, to);
	put_keys(p, l, to);
	bool told = l->keys_seal.there && l->keys_seal.why == l->ruling.why;
	if (l->ruling.security != SECURITY_SECURE && !told) {
		buf_text(to, l->trust.nds + l->trust.nkeys > 0 ? "; " : "no DS; ");
		put_reason(&l->ruling, to);
	}
	buf_u8(to, '\n');
}

static void put_set(struct proof *p, const struct msg_rrset *set, struct buf *to)
{
	put_question(&(struct question){ set->owner, set->type, set->class }, to);
	buf_printf(to, "  %s: %u record%s", words[set->security], set->nrrs, set->nrrs == 1 ? "" : "s");
	if (set->nsigs > 0 && !p->unjudged) {
		struct seal s = proof_seal(p, set);
		buf_text(to, ", ");
		put_seal(p, &s, to);
		if (s.there)
			buf_text(to, " of zone ");
		if (s.there)
			name_text(s.signer, to);
	}
	buf_u8(to, '\n');
}

static bool is_denial(const struct hop *h)
{
	return h->answer.kind == SCRUB_NODATA || h->answer.kind == SCRUB_NXDOMAIN;
}

static void put_denial(const struct hop *h, struct buf *to)
{
	struct ruling r = h->judgement.ruling;
	unsigned nsec = 0, nsec3 = 0;
	for (unsigned i = 0; i < h->judge.sets.n; i++) {
		const struct msg_rrset *set = &h->judge.sets.list[i];
		bool counts = set->section == SEC_AUTHORITY && set->nrrs > 0;
		nsec += counts && set->type == RR_NSEC;
		nsec3 += counts && set->type == RR_NSEC3;
	}
	put_question(&h->question, to);
	buf_printf(to, "  %s: %s", words[r.security],
	           h->judgement.rcode == RCODE_NXDOMAIN ? "there is no such name" : "there is no such record");
	if (nsec + nsec3 > 0)
		buf_printf(to, "%s %u %s", r.security == SECURITY_SECURE ? ", proved by" : "; offered:", nsec + nsec3,
		           nsec3 > 0 ? "NSEC3" : "NSEC");
	if (r.security != SECURITY_SECURE) {
		buf_text(to, "; ");
		put_reason(&r, to);
	}
	buf_u8(to, '\n');
}

/* What stands below the zone `l`, NULL: what stands below no link at all. */
static void put_hops(struct proof *p, const struct link *l, struct buf *to)
{
	for (unsigned i = 0; i < p->nhops; i++) {
		struct hop *h = &p->hops[i];
		for (unsigned k = 0; k < h->judge.sets.n; k++) {
			const struct msg_rrset *set = &h->judge.sets.list[k];
			struct name at = rrset_signer(set).len > 0 ? rrset_signer(set) : set->owner;
			if (set->section != SEC_ANSWER || set->nrrs == 0 || proof_above(p, at) != l)
				continue;
			put_indent(p, l, l != NULL, to);
			put_set(p, set, to);
		}
		if (is_denial(h) && proof_above(p, h->answer.final) == l) {
			put_indent(p, l, l != NULL, to);
			put_denial(h, to);
		}
	}
}

/* Parents before children; a link is shown once. cost  LINKS_MAX squared */
static void put_tree(struct proof *p, struct buf *to)
{
	const struct link *stack[LINKS_MAX];
	unsigned n = 0;
	put_hops(p, NULL, to);
	for (unsigned i = p->nlinks; i-- > 0;)
		if (p->links[i]->anchored)
			stack[n++] = p->links[i];
	for (unsigned shown = 0; n > 0 && shown < LINKS_MAX; shown++) {
		const struct link *l = stack[--n];
		put_link(p, l, to);
		put_hops(p, l, to);
		for (unsigned i = p->nlinks; i-- > 0;)
			if (!p->links[i]->anchored && name_eq(p->links[i]->parent, l->zone) && n < LINKS_MAX)
				stack[n++] = p->links[i];
	}
}

/* ---- the verdict ---- */

static const struct hop *last_hop(const struct proof *p)
{
	return p->nhops > 0 ? &p->hops[p->nhops - 1] : NULL;
}

/* Where it broke: the link, else the set, else the question. */
static void put_where(const struct proof *p, struct buf *to)
{
	const struct hop *h = last_hop(p);
	const struct link *l = p->ruling.zone.len > 0 ? proof_link(p, p->ruling.zone) : NULL;
	if (l != NULL && l->ruling.security == p->ruling.security && l->trust.nds + l->trust.nkeys > 0 &&
	    l->ruling.why == p->ruling.why) {
		buf_text(to, l->trust_seal.why != WHY_NONE && !l->anchored ? "DS of " : "DNSKEY of ");
		name_text(l->zone, to);
	} else if (l != NULL && l->ruling.security == p->ruling.security) {
		buf_text(to, "delegation of ");
		name_text(l->zone, to);
	} else if (h != NULL && h->judgement.culprit != NULL) {
		const struct msg_rrset *set = h->judgement.culprit;
		put_question(&(struct question){ set->owner, set->type, set->class }, to);
	} else if (h != NULL) {
		buf_text(to, is_denial(h) ? "denial of " : "");
		put_question(&h->question, to);
	}
}

static void put_verdict(const struct proof *p, const struct question *q, struct buf *to)
{
	struct ruling r = p->ruling;
	bool untold = r.security == SECURITY_INDETERMINATE;
	buf_printf(to, "%s: ", untold ? "could not tell" : words[r.security]);
	put_question(q, to);
	if (r.security == SECURITY_SECURE) {
		const struct hop *h = last_hop(p);
		buf_text(to, is_denial(h) ? h->judgement.rcode == RCODE_NXDOMAIN ?
		         " does not exist, and that is proved\n" : " has no records, and that is proved\n" :
		         " is proved\n");
		return;
	}
	if (untold && r.why == WHY_NONE) {
		buf_printf(to, ": %s\n", p->why);
		return;
	}
	buf_u8(to, '\n');
	buf_text(to, "  why:   ");
	put_reason(&r, to);
	buf_text(to, "\n  where: ");
	put_where(p, to);
	if (r.zone.len > 0) {
		buf_text(to, "\n  zone:  ");
		name_text(r.zone, to);
	}
	if (r.tag != 0)
		buf_printf(to, "\n  key:   %u", r.tag);
	buf_u8(to, '\n');
}

void proof_text(struct proof *p, const struct question *q, struct buf *to)
{
	put_tree(p, to);
	put_verdict(p, q, to);
}

/* ---- for programs ---- */

static void json_name(const char *key, struct name name, struct buf *to)
{
	char text[NAME_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	name_text(name, &b);
	buf_printf(to, "\"%s\":", key);
	show_string(buf_span(&b), to);
}

static void json_seal(const struct seal *s, const struct proof *p, struct buf *to)
{
	if (!s->there) {
		buf_text(to, "null");
		return;
	}
	buf_printf(to, "{\"key_tag\":%u,\"algorithm\":%u,", s->tag, s->algorithm);
	json_name("signer", s->signer, to);
	buf_printf(to, ",\"inception\":%u,\"expiration\":%u,\"days_left\":%.1f,\"ok\":%s}", s->inception, s->expiration,
	           (double)(int32_t)(s->expiration - p->wall) / DAY, s->why == WHY_NONE ? "true" : "false");
}

static void json_ruling(const struct ruling *r, struct buf *to)
{
	char text[200];
	struct buf b = buf_on(text, sizeof(text));
	int ede = why_ede(r->why);
	ruling_text(r, &b);
	buf_printf(to, "\"security\":\"%s\",\"why\":", words[r->security]);
	show_string(buf_span(&b), to);
	if (ede >= 0)
		buf_printf(to, ",\"ede\":%d", ede);
}

static void json_link(struct proof *p, const struct link *l, struct buf *to)
{
	buf_u8(to, '{');
	json_name("zone", l->zone, to);
	if (!l->anchored) {
		buf_u8(to, ',');
		json_name("parent", l->parent, to);
	}
	buf_printf(to, ",\"anchor\":%s,", l->anchored ? "true" : "false");
	json_ruling(&l->ruling, to);
	buf_text(to, ",\"ds\":[");
	for (unsigned i = 0; i < l->trust.nds; i++) {
		const uint8_t *ds = l->trust.ds[i].p;
		buf_printf(to, "%s{\"key_tag\":%u,\"algorithm\":%u,\"digest_type\":%u,\"matched\":%s}",
		           i > 0 ? "," : "", get_u16(ds), ds[2], ds[3],
		           proof_matched(p, l, l->trust.ds[i]) ? "true" : "false");
	}
	buf_text(to, "],\"ds_signature\":");
	json_seal(&l->trust_seal, p, to);
	buf_text(to, ",\"keys\":[");
	for (unsigned i = 0; i < l->keys.n; i++) {
		const struct zone_key *k = &l->keys.list[i];
		buf_printf(to, "%s{\"key_tag\":%u,\"algorithm\":%u,\"flags\":%u,\"vouched\":%s}",
		           i > 0 ? "," : "", k->tag, k->algorithm, k->flags,
		           proof_vouched(p, l, k) ? "true" : "false");
	}
	buf_text(to, "],\"keys_signature\":");
	json_seal(&l->keys_seal, p, to);
	buf_u8(to, '}');
}

static void json_hop(struct proof *p, const struct hop *h, struct buf *to)
{
	const char *rcode = rcode_name(h->judgement.rcode), *comma = "";
	buf_u8(to, '{');
	json_name("name", h->question.name, to);
	buf_printf(to, ",\"rcode\":\"%s\",", rcode != NULL ? rcode : "");
	json_ruling(&h->judgement.ruling, to);
	buf_text(to, ",\"sets\":[");
	for (unsigned i = 0; i < h->judge.sets.n; i++) {
		const struct msg_rrset *set = &h->judge.sets.list[i];
		struct seal s = { 0 };
		if (set->nrrs == 0)
			continue;
		buf_printf(to, "%s{", comma);
		comma = ",";
		json_name("name", set->owner, to);
		buf_text(to, ",\"type\":\"");
		rrtype_text(set->type, to);
		buf_printf(to, "\",\"section\":\"%s\",\"security\":\"%s\",\"records\":%u,\"signature\":",
		           set->section == SEC_ANSWER ? "answer" : "authority", words[set->security], set->nrrs);
		if (set->nsigs > 0)
			s = proof_seal(p, set);
		json_seal(&s, p, to);
		buf_u8(to, '}');
	}
	buf_text(to, "]}");
}

void proof_json(struct proof *p, const struct question *q, struct buf *to)
{
	char text[NAME_TEXT_MAX + 40];
	struct buf where = buf_on(text, sizeof(text));
	bool untold = p->ruling.security == SECURITY_INDETERMINATE;
	buf_u8(to, '{');
	json_name("name", q->name, to);
	buf_text(to, ",\"type\":\"");
	rrtype_text(q->type, to);
	buf_printf(to, "\",\"verdict\":\"%s\",", words[p->ruling.security]);
	json_ruling(&p->ruling, to);
	if (untold && p->ruling.why == WHY_NONE) {
		buf_text(to, ",\"failure\":");
		show_string(span_text(p->why), to);
	} else if (p->ruling.security != SECURITY_SECURE) {
		put_where(p, &where);
		buf_text(to, ",\"where\":");
		show_string(buf_span(&where), to);
		if (p->ruling.zone.len > 0) {
			buf_u8(to, ',');
			json_name("zone", p->ruling.zone, to);
		}
		if (p->ruling.tag != 0)
			buf_printf(to, ",\"key_tag\":%u", p->ruling.tag);
	}
	buf_text(to, ",\"links\":[");
	for (unsigned i = 0; i < p->nlinks; i++) {
		buf_text(to, i > 0 ? "," : "");
		json_link(p, p->links[i], to);
	}
	buf_text(to, "],\"answers\":[");
	for (unsigned i = 0; i < p->nhops; i++) {
		buf_text(to, i > 0 ? "," : "");
		json_hop(p, &p->hops[i], to);
	}
	buf_text(to, "]}\n");
}
