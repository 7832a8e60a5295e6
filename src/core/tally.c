#include "core/tally.h"

#include "base/assert.h"

static const double size_bounds[] = { 0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3 };
static const uint16_t size_limits[] = { 0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000,
	                                64000 };
static const double time_bounds[] = { 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256,
	                              0.512, 1.024, 2.048, 4.096, 8.192 };

_Static_assert(COUNT(size_bounds) + 1 == TALLY_SIZES && COUNT(size_limits) + 1 == TALLY_SIZES, "buckets of sizes");
_Static_assert(COUNT(time_bounds) + 1 == TALLY_TIMES, "buckets of times");

static const struct family requests = { "coredns_dns_requests_total", "Counter of DNS requests made per zone, protocol "
	"and family.", SAMPLE_COUNTER };
static const struct family with_do = { "coredns_dns_do_requests_total",
	"Counter of DNS requests with DO bit set per zone.", SAMPLE_COUNTER };
static const struct family request_sizes = { "coredns_dns_request_size_bytes",
	"Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.", SAMPLE_HISTOGRAM, size_bounds,
	COUNT(size_bounds) };
static const struct family response_sizes = { "coredns_dns_response_size_bytes",
	"Size of the returned response in bytes.", SAMPLE_HISTOGRAM, size_bounds, COUNT(size_bounds) };
static const struct family times = { "coredns_dns_request_duration_seconds",
	"Histogram of the time (in seconds) each request took per zone.", SAMPLE_HISTOGRAM, time_bounds,
	COUNT(time_bounds) };
static const struct family responses = { "coredns_dns_responses_total", "Counter of response status codes.",
	SAMPLE_COUNTER };

static const struct family statuses = { "coredns_dns_https_responses_total",
	"Counter of DoH responses per server and http status code.", SAMPLE_COUNTER };
static const uint16_t status_rows[TALLY_STATUSES] = { 200, 400, 404, 405, 413, 414, 415, 431, 501, 505, 500 };

/* The types with a label of their own; behind them "other". */
static const char *const type_labels[TALLY_TYPES] = { "other", "A", "AAAA", "AXFR", "ANY", "CNAME", "DNSKEY", "DS",
	"HTTPS", "IXFR", "MX", "NS", "NSEC", "NSEC3", "PTR", "RRSIG", "SOA", "SRV", "SVCB", "TXT" };

static unsigned type_row(uint16_t type)
{
	static const uint8_t rows[] = { [RR_A] = 1, [RR_AAAA] = 2, [RR_CNAME] = 5, [RR_DNSKEY] = 6, [RR_DS] = 7,
		                        [RR_HTTPS] = 8, [RR_MX] = 10, [RR_NS] = 11, [RR_NSEC] = 12,
		                        [RR_NSEC3] = 13, [RR_PTR] = 14, [RR_RRSIG] = 15, [RR_SOA] = 16,
		                        [RR_SRV] = 17, [RR_SVCB] = 18, [RR_TXT] = 19 };
	if (type < COUNT(rows))
		return rows[type];
	return type == RR_AXFR ? 3 : type == RR_ANY ? 4 : type == RR_IXFR ? 9 : 0;
}

/* ---- counting: one writer ---- */

static inline void add(_Atomic uint64_t *n, uint64_t by)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

static void size_add(struct tally_sizes *s, size_t size)
{
	unsigned i = 0;
	while (i < COUNT(size_limits) && size > size_limits[i])
		i++;
	add(&s->buckets[i], 1);
	add(&s->sum, size);
}

void tally_request(struct tally *t, const struct client *c, size_t size)
{
	unsigned stream = c->proto != PROTO_UDP;
	add(&t->requests[stream][c->from.family == ADDR_6][type_row(c->question.type)], 1);
	if (client_wants_dnssec(c))
		add(&t->with_do, 1);
	size_add(&t->request_sizes[stream], size);
}

/* Pairs beyond the last place are counted there. */
static struct tally_response *response_of(struct tally *t, unsigned rcode, const char *plugin)
{
	unsigned i = 0;
	for (; i < TALLY_RESPONSES - 1; i++) {
		struct tally_response *r = &t->responses[i];
		const char *of = atomic_load_explicit(&r->plugin, memory_order_relaxed);
		if (of == plugin && r->rcode == rcode)
			return r;
		if (of == NULL)
			break;
	}
	struct tally_response *r = &t->responses[i];
	if (atomic_load_explicit(&r->plugin, memory_order_relaxed) == NULL) {
		r->rcode = (uint16_t)rcode;
		atomic_store_explicit(&r->plugin, plugin, memory_order_release);
	}
	return r;
}

void tally_response(struct tally *t, const struct client *c, const struct tally_reply *r)
{
	size_add(&t->response_sizes[c->proto != PROTO_UDP], r->size);
	add(&response_of(t, r->rcode, r->plugin)->n, 1);
}

void tally_time(struct tally *t, uint64_t us, uint32_t n)
{
	unsigned i = 0;
	for (uint64_t limit = 250; i < COUNT(time_bounds) && us > limit; limit *= 2)
		i++;
	add(&t->times[i], n);
	add(&t->time_us, us * n);
}

void tally_status(struct tally *t, unsigned status, uint32_t n)
{
	unsigned i = 0;
	while (i < TALLY_STATUSES - 1 && status_rows[i] != status)
		i++;
	add(&t->statuses[i], n);
}

/* ---- reading ---- */

#define LABEL_TEXT_MAX 160u

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void requests_sample(const struct tally *t, const char *labels, struct samples *to)
{
	char text[LABEL_TEXT_MAX];
	for (unsigned i = 0; i < 2 * 2 * TALLY_TYPES; i++) {
		unsigned stream = i / (2 * TALLY_TYPES), six = i / TALLY_TYPES % 2, type = i % TALLY_TYPES;
		uint64_t n = get(&t->requests[stream][six][type]);
		struct buf b = buf_on(text, sizeof(text));
		buf_printf(&b, "proto=\"%s\",family=\"%u\",type=\"%s\"", stream ? "tcp" : "udp", six + 1,
		           type_labels[type]);
		if (n > 0)
			sample_add(to, &requests, n, labels, buf_cstr(&b));
	}
}

static void responses_sample(const struct tally *t, const char *labels, struct samples *to)
{
	char text[LABEL_TEXT_MAX];
	for (unsigned i = 0; i < TALLY_RESPONSES; i++) {
		const struct tally_response *r = &t->responses[i];
		const char *plugin = atomic_load_explicit(&r->plugin, memory_order_acquire);
		if (plugin == NULL)
			return;
		const char *name = rcode_name(r->rcode);
		struct buf b = buf_on(text, sizeof(text));
		if (name != NULL)
			buf_printf(&b, "rcode=\"%s\",plugin=\"%s\"", name, plugin);
		else
			buf_printf(&b, "rcode=\"%u\",plugin=\"%s\"", r->rcode, plugin);
		sample_add(to, &responses, get(&r->n), labels, buf_cstr(&b));
	}
}

static void statuses_sample(const struct tally *t, const char *labels, struct samples *to)
{
	char text[LABEL_TEXT_MAX];
	for (unsigned i = 0; i < TALLY_STATUSES; i++) {
		struct buf b = buf_on(text, sizeof(text));
		buf_printf(&b, "status=\"%u\"", status_rows[i]);
		if (get(&t->statuses[i]) > 0)
			sample_add(to, &statuses, get(&t->statuses[i]), labels, buf_cstr(&b));
	}
}

/* Buckets of all workers added up. n: of them; offset: of the first, in a struct tally */
static struct histogram buckets_sum(const struct tally *const *list, unsigned n, size_t offset, unsigned nbuckets,
                                    uint64_t *room)
{
	struct histogram h = { .buckets = room };
	uint64_t sum = 0;
	for (unsigned b = 0; b <= nbuckets; b++)
		room[b] = 0;
	for (unsigned i = 0; i < n; i++) {
		const _Atomic uint64_t *from = (const void *)((const uint8_t *)list[i] + offset);
		for (unsigned b = 0; b < nbuckets; b++)
			room[b] += get(&from[b]);
		sum += get(&from[nbuckets]);   /* stands behind them */
	}
	h.sum = (double)sum;
	return h;
}

static bool is_empty(const uint64_t *buckets, unsigned n)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < n; i++)
		all += buckets[i];
	return all == 0;
}

static void sizes_sample(const struct tally *const *list, unsigned n, const char *labels, struct samples *to)
{
	static const char *const protos[] = { "proto=\"udp\"", "proto=\"tcp\"" };
	uint64_t room[TALLY_SIZES + 1];
	for (unsigned p = 0; p < 2; p++) {
		struct histogram h = buckets_sum(list, n, offsetof(struct tally, request_sizes[p]), TALLY_SIZES, room);
		if (!is_empty(room, TALLY_SIZES))
			sample_histogram(to, &request_sizes, h, labels, protos[p]);
		h = buckets_sum(list, n, offsetof(struct tally, response_sizes[p]), TALLY_SIZES, room);
		if (!is_empty(room, TALLY_SIZES))
			sample_histogram(to, &response_sizes, h, labels, protos[p]);
	}
}

void tally_samples(const struct tally *const *list, unsigned n, const char *labels, struct samples *to)
{
	_Static_assert(offsetof(struct tally, time_us) == offsetof(struct tally, times[TALLY_TIMES]), "sum behind");
	uint64_t room[TALLY_TIMES + 1], dos = 0;
	for (unsigned i = 0; i < n; i++) {
		requests_sample(list[i], labels, to);
		statuses_sample(list[i], labels, to);
		responses_sample(list[i], labels, to);
		dos += get(&list[i]->with_do);
	}
	if (dos > 0)
		sample_add(to, &with_do, dos, labels, NULL);
	sizes_sample(list, n, labels, to);
	struct histogram h = buckets_sum(list, n, offsetof(struct tally, times), TALLY_TIMES, room);
	h.sum /= 1e6;
	if (!is_empty(room, TALLY_TIMES))
		sample_histogram(to, &times, h, labels, NULL);
}
