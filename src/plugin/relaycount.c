/* What a Corefile's forward counts, under the names that CoreDNS has for it now, and under those it had: dashboards ask
 * for both. */
#include "core/sample.h"
#include "plugin/forwarding.h"

#define LABEL_BYTES_MAX 160u

static const double bounds[RELAY_BUCKETS] = { 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
	                                      0.256, 0.512, 1.024, 2.048, 4.096, 8.192 };

#define COUNTER(var, name, help) static const struct family var = { name, help, SAMPLE_COUNTER, NULL, 0 }
#define TIMES(var, name, help) static const struct family var = { name, help, SAMPLE_HISTOGRAM, bounds, RELAY_BUCKETS }

COUNTER(all_down, "coredns_forward_healthcheck_broken_total",
        "Counter of the number of complete failures of the healthchecks.");
COUNTER(rejected, "coredns_forward_max_concurrent_rejects_total",
        "Counter of the number of queries rejected because the concurrent queries were at maximum.");
TIMES(times, "coredns_proxy_request_duration_seconds", "Histogram of the time each request took.");
COUNTER(probes, "coredns_proxy_healthcheck_failures_total", "Counter of the number of failed healthchecks.");
COUNTER(reused, "coredns_proxy_conn_cache_hits_total", "Counter of connection cache hits per upstream and protocol.");
COUNTER(opened, "coredns_proxy_conn_cache_misses_total",
        "Counter of connection cache misses per upstream and protocol.");
COUNTER(old_requests, "coredns_forward_requests_total", "Counter of requests made per upstream.");
COUNTER(old_responses, "coredns_forward_responses_total", "Counter of responses received per upstream.");
TIMES(old_times, "coredns_forward_request_duration_seconds", "Histogram of the time each request took.");
COUNTER(old_probes, "coredns_forward_healthcheck_failures_total", "Counter of the number of failed healthchecks.");

static uint64_t read(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* to="9.9.9.9:53" */
static const char *label_to(const struct upstream *u, struct arena *a)
{
	char text[LABEL_BYTES_MAX];
	struct buf b = buf_on(text, sizeof(text));
	bool six = u->addr.family == ADDR_6;
	buf_text(&b, six ? "to=\"[" : "to=\"");
	addr_text(&u->addr, &b);
	buf_printf(&b, "%s:%u\"", six ? "]" : "", u->addr.port);
	const char *kept = arena_text(a, buf_span(&b));
	return kept == NULL ? "" : kept;
}

static void times_add(struct samples *to, const struct relay_server *s, const char *label, const char *proxy)
{
	for (unsigned r = 0; r < RELAY_RCODES; r++) {
		uint64_t *n = ARENA_ARRAY(to->arena, uint64_t, RELAY_BUCKETS + 1), all = 0;
		const char *code = arena_printf(to->arena, "rcode=\"%s\"", relay_rcodes[r]);
		const char *proxied = arena_printf(to->arena, "%s,rcode=\"%s\"", proxy, relay_rcodes[r]);
		if (n == NULL || code == NULL || proxied == NULL)
			return;
		for (unsigned i = 0; i <= RELAY_BUCKETS; i++)
			all += n[i] = read(&s->times[r][i]);
		if (all == 0)
			continue;
		struct histogram h = { n, (double)read(&s->spent_ms[r]) / 1000 };
		sample_histogram(to, &times, h, proxied, label);
		sample_histogram(to, &old_times, h, label, code);
		sample_add(to, &old_responses, all, label, code);
	}
}

static void server_add(struct samples *to, const struct relay_server *s, const struct upstream *u)
{
	static const char proxy[] = "proxy_name=\"forward\"";
	const char *label = label_to(u, to->arena);
	uint64_t asked = 0;
	times_add(to, s, label, proxy);
	for (unsigned p = 0; p < RELAY_PROTOS; p++) {
		uint64_t hits = read(&s->reused[p]), misses = read(&s->opened[p]);
		const char *more = arena_printf(to->arena, "%s,proto=\"%s\"", label, relay_protos[p]);
		asked += hits + misses;
		if (hits + misses == 0 || more == NULL)
			continue;
		sample_add(to, &reused, hits, proxy, more);
		sample_add(to, &opened, misses, proxy, more);
	}
	sample_add(to, &probes, read(&s->probes_failed), proxy, label);
	sample_add(to, &old_probes, read(&s->probes_failed), label, NULL);
	sample_add(to, &old_requests, asked, label, NULL);
}

void relaying_samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct forwarding *f = l->self;
	const struct relay_counts *c = forwarding_counts(l);
	(void)where;
	if (c == NULL)
		return;
	sample_add(to, &all_down, read(&c->all_down), NULL, NULL);
	sample_add(to, &rejected, read(&c->rejected), NULL, NULL);
	for (unsigned i = 0; i < c->n && i < f->group.n; i++)
		server_add(to, &c->servers[i], &f->group.servers[i]);
}
