/* cache: what a hit costs, look-up and reply together, and what an answer kept costs in memory. One thread, no socket.
 * usage  bench_cache [NAMES [MB]] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/attr.h"
#include "core/cache.h"
#include "core/record.h"
#include "core/reply.h"

#define HITS 4000000u
#define LINES 2000000u

struct asked {
	struct name name;
	uint8_t wire[NAME_MAX_BYTES];
};

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_cache: %s\n", what);
	exit(3);
}

static const struct packed *answer(struct arena *a, const struct question *q, bool is_signed)
{
	static const uint8_t address[4] = { 192, 0, 2, 1 };
	uint8_t sig[18 + 9 + 64] = { 0, RR_A, 13, 2, [18] = 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0 };
	struct rr rrs[2] = {
		{ .owner = q->name, .type = RR_A, .class = CLASS_IN, .ttl = 300, .rdata = span_of(address, 4) },
		{ .owner = q->name, .type = RR_RRSIG, .class = CLASS_IN, .ttl = 300,
		  .rdata = span_of(sig, sizeof(sig)) },
	};
	struct msg m = { .question = *q, .rrs = rrs, .nrrs = is_signed ? 2 : 1 };
	struct pack_conf conf = { .minimal = true, .ttl_max = 86400, .negative_max = 3600 };
	const struct packed *p;
	check(packed_make(a, q, &m, &conf, &p) == OK, "packed_make");
	return p;
}

static size_t key_make(uint8_t key[NAME_MAX_BYTES + 10], const struct asked *q)
{
	struct name folded = name_fold(q->name, key + 10);
	memset(key, 0, 10);
	return 10u + folded.len;
}

/* Ask for names in an order that no prefetcher guesses. */
static void hits(struct cache *c, const struct asked *asked, size_t names, bool dnssec)
{
	static const struct reply_conf conf = { .edns_size = 1232, .rotate = true };
	static const struct reply_form form = { .age = 7, .ttl_cap = NO_TTL_CAP };
	struct client client = { .flags = FLAG_RD, .size_max = 1232, .edns = { .present = true, .dnssec_ok = dnssec } };
	uint8_t key[NAME_MAX_BYTES + 10], out[1232];
	uint64_t to[512];
	size_t found = 0, bytes = 0;
	double start = now_ns();
	for (size_t i = 0, at = 0; i < HITS; i++, at = (at + 7919) % names) {
		struct cache_meta meta;
		size_t n = key_make(key, &asked[at]);
		struct span k = span_of(key, n);
		if (cache_get(c, cache_key(c, k), to, sizeof(to), &meta) == 0)
			continue;
		struct buf b = buf_on(out, sizeof(out));
		client.question = (struct question){ asked[at].name, RR_A, CLASS_IN };
		found += reply_write(&conf, &client, (const struct packed *)(void *)to, form, &b) == OK;
		bytes += b.n;
	}
	double ns = (now_ns() - start) / HITS;
	printf("hit  %s  %6.0f ns  (%.1f %% found, %zu bytes each)\n", dnssec ? "with DO   " : "without DO", ns,
	       100.0 * (double)found / HITS, found == 0 ? 0 : bytes / found);
}

static void fill(size_t names, size_t mb, bool is_signed)
{
	static const struct hash_key key = { { 1 } };
	struct cache *c = cache_new(mb << 20, &key);
	struct asked *asked = calloc(names, sizeof(*asked));
	struct arena a;
	arena_init(&a, 1u << 20);
	check(asked != NULL, "memory");
	for (size_t i = 0; i < names; i++) {
		char text[64];
		uint8_t k[NAME_MAX_BYTES + 10];
		snprintf(text, sizeof(text), "host-%zu.Sub.example.", i);
		check(name_from_text(span_text(text), NULL, asked[i].wire, &asked[i].name) == OK, "name");
		struct question q = { asked[i].name, RR_A, CLASS_IN };
		const struct packed *p = answer(&a, &q, is_signed);
		struct cache_meta meta = { 0, 300000, 0 };
		struct span ks = span_of(k, key_make(k, &asked[i]));
		cache_put(c, cache_key(c, ks), span_of(p, p->size), &meta);
		arena_free(&a);
	}
	struct cache_stats stats;
	cache_stats(c, &stats);
	printf("%zu names, %zu MB, %s: %.0f bytes an answer in the log; %.0f of the budget when it is full\n", names,
	       mb, is_signed ? "signed" : "unsigned", (double)stats.bytes / (double)stats.entries,
	       stats.evicted > 0 ? (double)(mb << 20) / (double)stats.entries : 0.0);
	hits(c, asked, names, false);
	if (is_signed)
		hits(c, asked, names, true);
	free(asked);
	cache_free(c);
}

static void lines(void)
{
	static struct record_ring ring;
	static const struct record_style style = { .ident = "unbound", .pid = 2813, .tag = true };
	static const uint8_t wire[] = "\3www\7example";
	static uint8_t out[1u << 16];
	struct client c = { .question = { .type = RR_A, .class = CLASS_IN },
		            .from = { .family = ADDR_4, .ip = { 127, 0, 0, 1 } } };
	check(name_from_wire(span_of(wire, sizeof(wire)), &c.question.name) == OK, "name");
	ring_init(&ring.ring, 1u << 20);
	double writing = 0, formatting = 0;
	for (unsigned i = 0; i < LINES / 1000; i++) {
		double start = now_ns();
		for (unsigned k = 0; k < 1000; k++) {
			struct record_reply r = { RCODE_NOERROR, true, 159, k };
			record_reply(&ring, (struct wall){ 1795304181, k }, &c, &r);
		}
		double between = now_ns();
		size_t n;
		for (const struct record *rec; (rec = ring_peek(&ring.ring, &n)) != NULL; ring_done(&ring.ring)) {
			struct buf b = buf_on(out, sizeof(out));
			record_line(rec, &style, 0, &b);
		}
		writing += between - start;
		formatting += now_ns() - between;
	}
	printf("log  a reply's record %.0f ns, its line %.0f ns\n", writing / LINES, formatting / LINES);
	ring_fini(&ring.ring);
}

int main(int argc, char **argv)
{
	size_t names = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	size_t mb = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;
	check(names > 0 && names <= 10000000 && mb > 0 && mb <= 65536, "usage: bench_cache [NAMES [MB]]");
	fill(names, mb, false);
	fill(names, mb, true);
	lines();
	return 0;
}
