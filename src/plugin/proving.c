#include "plugin/proving.h"

#include "base/heap.h"
#include "core/cache.h"
#include "plugin/known.h"

#define LABEL_TEXT_MAX 128u

static const struct family validations = { "coredns_dnssec_validations_total", "Answers judged by DNSSEC validation.",
	                                   SAMPLE_COUNTER, NULL, 0 };
static const struct family failures = { "coredns_dnssec_failures_total",
	                                "Answers refused because they could not be proved.", SAMPLE_COUNTER, NULL, 0 };

static const struct {
	const char *label;
	enum metric metric;
} results[] = {
	[SECURITY_BOGUS] = { "result=\"bogus\"", M_BOGUS },
	[SECURITY_INDETERMINATE] = { "result=\"indeterminate\"", M_INDETERMINATE },
	[SECURITY_INSECURE] = { "result=\"insecure\"", M_INSECURE },
	[SECURITY_SECURE] = { "result=\"secure\"", M_SECURE },
};

void *proving_make(const void *self, const struct live_env *env)
{
	const struct validating *s = self;
	struct proving *p = heap_pages(sizeof(*p) + env->workers * sizeof(p->counts[0]));
	p->workers = env->workers;
	p->known = cache_new(s->known_bytes, &env->key);
	return p;
}

void proving_free(void *live)
{
	struct proving *p = live;
	cache_free(p->known);
	heap_pages_free(p, sizeof(*p) + p->workers * sizeof(p->counts[0]));
}

void proving_flush(void *live, struct flush *f)
{
	known_flush(((struct proving *)live)->known, f);
}

static struct proving_counts *counts_of(const struct link *l, const struct engine *e)
{
	return &((struct proving *)l->live)->counts[e->worker];
}

static void one_more(_Atomic uint64_t *n)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

void proving_result(const struct link *l, const struct engine *e, enum security security)
{
	metrics_add(e->metrics, results[security].metric, 1);
	one_more(&counts_of(l, e)->results[security]);
}

void proving_failure(const struct link *l, const struct engine *e, enum why why)
{
	metrics_add(e->metrics, (enum metric)(M_WHY_NONE + why), 1);
	one_more(&counts_of(l, e)->failures[why]);
}

void proving_lookups(const struct link *l, const struct engine *e, unsigned hits, unsigned misses)
{
	lookups_count(&counts_of(l, e)->lookups, hits, misses);
}

/* ---- numbers ---- */

static void failures_add(const struct proving *p, const struct sample_labels *where, struct samples *to)
{
	for (unsigned why = 0; why < WHY_COUNT; why++) {
		char text[LABEL_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		uint64_t n = 0;
		for (uint32_t i = 0; i < p->workers; i++)
			n += atomic_load_explicit(&p->counts[i].failures[why], memory_order_relaxed);
		if (why_ede((enum why)why) < 0)
			continue;
		metric_labels(&metric_rows[M_WHY_NONE + why], &b);
		sample_add(to, &failures, n, where->server, buf_cstr(&b));
	}
}

void proving_samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct proving *p = l->live;
	struct lookups sum = { 0 };
	struct cache_stats stats;
	for (uint32_t i = 0; i < p->workers; i++)
		lookups_add(&sum, &p->counts[i].lookups);
	cache_stats(p->known, &stats);
	lookups_samples(&sum, where, to);
	lookups_entries(stats.entries, "type=\"key\"", where, to);
	for (size_t k = 0; k < COUNT(results); k++) {
		uint64_t n = 0;
		for (uint32_t i = 0; i < p->workers; i++)
			n += atomic_load_explicit(&p->counts[i].results[k], memory_order_relaxed);
		if (results[k].label != NULL)
			sample_add(to, &validations, n, where->server, results[k].label);
	}
	failures_add(p, where, to);
}
