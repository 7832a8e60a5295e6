/* Any message, asked of the zone that is the question's name without a label or two: what is kept belongs. */
#include <stdlib.h>

#include "core/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void judge(const struct msg *m, struct name zone, const struct scrubbed *s)
{
	size_t n[3] = { 0 };
	must(s->msg.nrrs <= m->nrrs + SCRUB_CNAMES_MAX);
	for (size_t i = 0; i < s->msg.nrrs; i++) {
		const struct rr *rr = &s->msg.rrs[i];
		must(name_below(rr->owner, zone) && rr->class == m->question.class && rr->section <= SEC_ADDITIONAL);
		must(!rrtype_is_meta(rr->type));
		must(rr->section != SEC_AUTHORITY || rr->type == RR_SOA || rr->type == RR_NSEC ||
		     rr->type == RR_NSEC3 || rr->type == RR_RRSIG ||
		     (s->kind == SCRUB_REFERRAL && (rr->type == RR_NS || rr->type == RR_DS)));
		must(rr->section != SEC_ADDITIONAL || rr->type == RR_A || rr->type == RR_AAAA || rr->type == RR_RRSIG);
		n[rr->section]++;
	}
	must(n[0] == s->msg.counts[1] && n[1] == s->msg.counts[2] && n[2] == s->msg.counts[3]);
	must(s->kind != SCRUB_LAME || s->msg.nrrs == 0);
	must(s->kind != SCRUB_POSITIVE || n[0] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct msg m;
	struct scrubbed s, again;
	arena_init(&a, 32u << 20);
	if (msg_parse(&a, span_of(data, size), &m) == OK && m.question.name.len > 0) {
		unsigned labels = m.question.name.labels, up = m.id % 3 == 0 ? labels : MIN(m.id % 3u, labels);
		struct name zone = name_up(m.question.name, up);
		if (scrub_msg(&a, &m.question, zone, &m, &s) == OK) {
			judge(&m, zone, &s);
			/* Once is enough. */
			must(scrub_msg(&a, &m.question, zone, &s.msg, &again) == OK);
			must(s.kind == SCRUB_LAME || (again.dropped == 0 && again.kind == s.kind));
		}
	}
	arena_free(&a);
	return 0;
}
