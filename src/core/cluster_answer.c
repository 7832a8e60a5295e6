#include "core/cluster_answer.h"

#include "core/cluster_blob.h"
#include "core/cluster_work.h"

uint32_t cluster_answer_serial(const struct cluster_ask *ask)
{
	int64_t changed = cluster_changed(ask->view->cluster);
	return changed == 0 ? ask->now : (uint32_t)changed;
}

enum err cluster_answer_none(struct arena *a, const struct cluster_ask *ask, unsigned rcode,
                             const struct packed **ret)
{
	return cluster_blob_none(a, ask, rcode, ret);
}

enum err cluster_answer_alias(struct arena *a, const struct cluster_ask *ask, const struct cluster_reply *r,
                              const struct packed **ret)
{
	return cluster_work_pack(a, ask, &r->msg, ret);
}

/* ---- pods ---- */

static enum err say_pod(struct cluster_work *w, const struct cluster_labels *l)
{
	enum cluster_pods mode = w->ask->terms->pods;
	uint32_t ns;
	struct addr a;
	if (l->n == 1)
		return cluster_work_nodata(w);
	if (mode == CLUSTER_PODS_DISABLED || !cluster_view_namespace(w->view, l->at[l->n - 2], &ns))
		return cluster_work_absent(w);
	if (l->n == 2)
		return cluster_work_nodata(w);
	if (l->n > 3 || !cluster_name_addr(l->at[0], &a) ||
	    (mode == CLUSTER_PODS_VERIFIED && !cluster_view_pod(w->view, &a, ns)))
		return cluster_work_absent(w);
	size_t size = addr_len(&a);
	struct cluster_gathered g = { .addrs = span_of(a.ip, size), .size = size, .any = true };
	if (!cluster_work_asks(w, size == 4 ? RR_A : RR_AAAA))
		return cluster_work_nodata(w);
	return cluster_work_gathered(w, &g);
}

/* ---- addresses to names ---- */

static void add_ptr(struct cluster_work *w, struct name target)
{
	cluster_work_add(w, SEC_ANSWER, w->name, RR_PTR, span_of(target.wire, target.len));
}

static bool is_addr(const struct cluster_endpoint *e, unsigned i, const struct addr *a)
{
	return e->family == a->family && memcmp(e->addrs + i * addr_len(a), a->ip, addr_len(a)) == 0;
}

static enum err say_reverse(struct cluster_work *w)
{
	struct addr a;
	uint32_t ns;
	struct span service;
	struct cluster_slice slice;
	struct name zone = *w->ask->terms->primary;
	if (!cluster_work_asks(w, RR_PTR) || !cluster_name_reverse(w->folded, &a))
		return cluster_work_absent(w);
	struct cluster_key at = cluster_row_owner(ROW_CLUSTER_IP, &a);
	TRY(cluster_work_records(w, CLUSTER_PTRS_MAX));
	if (cluster_view_owner(w->view, &a, &at, &ns, &service)) {
		add_ptr(w, cluster_work_service(w, service, ns, zone));
		return cluster_work_said(w);
	}
	struct cluster_slices all = cluster_view_at(w->view, &a);
	while (w->records.n < CLUSTER_PTRS_MAX && cluster_view_next(w->view, &all, &slice)) {
		struct cluster_endpoint e;
		while (!slice.import && cluster_endpoint_next(&slice, &e)) {
			struct cluster_spot spot = { a, e.name, &slice };
			for (unsigned i = 0; i < e.naddrs; i++)
				if (is_addr(&e, i, &a))
					add_ptr(w, cluster_work_endpoint(w, &spot, zone));
		}
	}
	return w->records.n == 0 ? cluster_work_absent(w) : cluster_work_said(w);
}

static enum err say(struct cluster_work *w)
{
	struct cluster_labels l;
	if (w->folded.labels == w->zone.labels)
		return cluster_self_apex(w);
	if (cluster_name_is_reverse(w->zone))
		return say_reverse(w);
	if (!cluster_name_labels(w->folded, w->zone.labels, &l))
		return cluster_work_absent(w);
	struct span last = l.at[l.n - 1];
	if (span_is(last, "svc"))
		return cluster_svc_say(w, &l);
	if (span_is(last, "pod"))
		return say_pod(w, &l);
	if (span_is(last, "dns-version") && l.n == 1)
		return cluster_self_version(w);
	if (span_is(last, "dns") && l.n == 1)
		return cluster_work_nodata(w);   /* ns.dns is below it */
	if (span_is(last, "dns") && l.n == 2 && span_is(l.at[0], "ns"))
		return cluster_self_ns(w);
	return cluster_work_absent(w);
}

/* ---- aliases ---- */

/* The aliases, with what was said of the last one's target behind them; NULL: nothing. */
static enum err aliases_message(struct cluster_work *w, const struct question *last, const struct packed *behind)
{
	struct msg more = { 0 };
	if (behind != NULL)
		TRY(packed_parse(w->arena, behind, last, &more));
	TRY(cluster_work_records(w, w->naliases + more.nrrs));
	for (unsigned i = 0; i < w->naliases; i++)
		cluster_work_add(w, SEC_ANSWER, w->aliases[i].owner, RR_CNAME,
		    span_of(w->aliases[i].target.wire, w->aliases[i].target.len));
	for (size_t i = 0; i < more.nrrs; i++)
		if (more.rrs[i].section == SEC_ANSWER)
			cluster_records_add(&w->records, &more.rrs[i]);
	w->ret->msg = cluster_work_message(w);
	w->ret->msg.flags |= more.flags & FLAG_TC;
	return OK;
}

/* Follow aliases for as long as they stay inside the zone. */
static enum err follow(struct cluster_work *w, const struct cluster_ask *asked)
{
	struct cluster_ask ask = *asked;
	struct question q = *asked->q;
	uint8_t store[NAME_MAX_BYTES];
	ask.q = &q;
	ask.room = NULL;
	ask.nroom = 0;
	w->ask = &ask;
	while (w->ret->said == CLUSTER_POINTS && q.type != RR_CNAME && name_below(w->ret->target, asked->zone)) {
		if (w->naliases > CLUSTER_CHAIN_MAX) {
			w->ask = asked;
			return cluster_work_nodata(w);
		}
		q.name = w->name = w->ret->target;
		ask.folded = w->folded = name_fold(q.name, store);
		TRY(say(w));
	}
	w->ret->loose = w->ret->said == CLUSTER_ABSENT;
	const struct packed *behind = w->ret->said == CLUSTER_SAYS ? w->ret->packed : NULL;
	w->ask = asked;
	TRY(aliases_message(w, &q, behind));
	if (w->ret->said == CLUSTER_POINTS && q.type != RR_CNAME)
		return OK;
	w->ret->said = CLUSTER_SAYS;
	return cluster_work_pack(w->arena, asked, &w->ret->msg, &w->ret->packed);
}

enum err cluster_answer(struct arena *a, const struct cluster_ask *ask, struct cluster_reply *ret)
{
	struct cluster_work w;
	memset(&w, 0, offsetof(struct cluster_work, aliases));
	w.arena = a;
	w.ask = ask;
	w.view = ask->view;
	w.ret = ret;
	w.name = ask->q->name;
	w.folded = ask->folded;
	w.zone = ask->zone;
	*ret = (struct cluster_reply){ .said = CLUSTER_REFUSES };
	if (ask->q->type == RR_AXFR || ask->q->type == RR_IXFR)
		return OK;
	TRY(say(&w));
	return ret->said == CLUSTER_POINTS ? follow(&w, ask) : OK;
}
