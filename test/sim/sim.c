/* sim: random worlds from seeds. Each is a configuration, some servers and a crowd of clients; what must hold in every
 * one is checked as it happens (host.c, world.c) and at the end (here). A failure prints its seed. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/exchange.h"
#include "sim/host.h"

#define CONF_BYTES 4096u
#define QUESTIONS_LEAST 10u
#define QUESTIONS_MORE 200u

static struct host host;

struct plan {
	unsigned transport;        /* 0 UDP, 1 TCP, 2 TLS */
	bool honest;               /* the first server always answers, truly and soon */
	bool prefetch, serve_expired, minimal, ede;
	uint32_t expired_ttl, client_timeout, reply_ttl;
};

static void random_server(struct host *h, struct server *s, bool honest)
{
	struct rng *r = &h->rng;
	s->rtt = 1 + rng_below(r, honest ? 80 : 200);
	s->jitter = rng_below(r, 20);
	if (honest)
		return;
	s->loss = rng_below(r, 3) == 0 ? rng_below(r, 60) : 0;
	s->twice = rng_below(r, 30);
	s->closes = rng_below(r, 3) == 0 ? rng_below(r, 40) : 0;
	if (rng_below(r, 3) == 0) {
		s->lies = (uint32_t)rng_u64(r) & ~1u;
		s->lies_of_100 = 1 + rng_below(r, 100);
	}
	if (rng_below(r, 3) == 0) {
		s->dead_from = h->now.ms + rng_below(r, 20000);
		s->dead_until = s->dead_from + rng_below(r, 60000);
		s->refuses = rng_below(r, 2);
	}
	if (rng_below(r, 6) == 0)
		s->proof = (enum proof)rng_below(r, 3);
}

static void make_conf(struct rng *r, struct plan *p, unsigned nservers, char *to)
{
	struct buf b = buf_on(to, CONF_BYTES);
	p->transport = rng_below(r, 3);
	p->honest = rng_below(r, 2);
	p->prefetch = rng_below(r, 2);
	p->serve_expired = rng_below(r, 3) == 0;
	p->minimal = rng_below(r, 2);
	p->ede = rng_below(r, 2);
	p->expired_ttl = 1 + rng_below(r, 60);
	p->client_timeout = rng_below(r, 2) == 0 ? 0 : rng_below(r, 2000);
	p->reply_ttl = 1 + rng_below(r, 40);
	buf_printf(&b, "server:\n msg-cache-size: 256k\n prefetch: %s\n serve-expired: %s\n minimal-responses: %s\n",
	           p->prefetch ? "yes" : "no", p->serve_expired ? "yes" : "no", p->minimal ? "yes" : "no");
	buf_printf(&b, " ede: %s\n", p->ede ? "yes" : "no");
	buf_printf(&b, " serve-expired-ttl: %u\n serve-expired-client-timeout: %u\n serve-expired-reply-ttl: %u\n",
	           p->expired_ttl, p->client_timeout, p->reply_ttl);
	buf_printf(&b, "forward-zone:\n name: \".\"\n forward-tls-upstream: %s\n forward-tcp-upstream: %s\n",
	           p->transport == 2 ? "yes" : "no", p->transport == 1 ? "yes" : "no");
	for (unsigned i = 0; i < nservers; i++)
		buf_printf(&b, " forward-addr: 10.0.0.%u@853#s%u.example\n", i + 1, i);
	buf_cstr(&b);
}

static void make_clients(struct host *h)
{
	struct rng *r = &h->rng;
	unsigned n = QUESTIONS_LEAST + rng_below(r, QUESTIONS_MORE);
	uint32_t within = rng_below(r, 2) == 0 ? 500 : 1 + rng_below(r, 100000);
	for (unsigned i = 0; i < n; i++) {
		char name[32];
		struct buf b = buf_on(name, sizeof(name));
		unsigned entry = rng_below(r, 1 + rng_below(r, h->world.n));
		struct asked how = { .tcp = rng_below(r, 5) == 0, .edns = rng_below(r, 4) != 0 };
		unsigned cd = rng_below(r, 16) == 0 ? FLAG_CD : 0, ad = rng_below(r, 8) == 0 ? FLAG_AD : 0;
		how.flags = (uint16_t)(FLAG_RD | cd | ad);
		buf_printf(&b, "%c%u", rng_below(r, 4) == 0 ? 'N' : 'n', entry);
		how.at = h->now.ms + rng_below(r, within);
		how.worker = rng_below(r, h->workers);
		how.type = world_type(&h->world, entry);
		host_ask(h, buf_cstr(&b), &how);
	}
}

/* What can only be said when all is over. */
static const char *judge_end(struct host *h, const struct plan *p)
{
	for (unsigned i = 0; i < h->nasked; i++) {
		const struct asked *a = &h->asked[i];
		if (a->replies != 1)
			return "a question that did not end";
		if (p->honest && a->reply.n >= MSG_HEADER && FLAGS_RCODE(get_u16(a->reply.p + 2)) == RCODE_SERVFAIL)
			return "a failure although an honest server was there";
		if (a->reply.n == 0)
			return "a question without a reply";
	}
	if (h->sent > ATTEMPTS_MAX * (h->nasked + host_metric(h, M_PREFETCHES)))
		return "more packets than the questions are worth";
	return NULL;
}

static void describe(const struct host *h, const char *conf)
{
	printf("%s", conf);
	for (unsigned i = 0; i < h->nservers; i++) {
		const struct server *s = &h->servers[i];
		printf("server %u: rtt %lld loss %u closes %u lies %x of 100: %u dead %lld..%lld proof %d", i,
		       (long long)s->rtt, s->loss, s->closes, s->lies, s->lies_of_100, (long long)s->dead_from,
		       (long long)s->dead_until, (int)s->proof);
		printf("; heard %u datagrams, %u on %u streams\n", s->datagrams, s->streamed, s->opens);
	}
	for (unsigned i = 0; i < h->nasked; i++) {
		const struct asked *a = &h->asked[i];
		unsigned rcode = a->reply.n == 0 ? 99u : FLAGS_RCODE(get_u16(a->reply.p + 2));
		printf("question %u at %lld, worker %u, entry %d: %u replies after %lld ms, rcode %u\n", i,
		       (long long)a->at, a->worker, a->entry, a->replies, (long long)(a->replied - a->at), rcode);
	}
	printf("now %lld, last word: %s\n", (long long)h->now.ms, h->seen.log);
}

static uint64_t run_seed(uint64_t seed, const char **ret_fault, bool verbose)
{
	struct rng r;
	struct plan p;
	char conf[CONF_BYTES];
	struct host *h = &host;
	rng_seed_number(&r, seed);
	unsigned nservers = 1 + rng_below(&r, 6), workers = 1 + rng_below(&r, 3);
	make_conf(&r, &p, nservers, conf);
	if (!host_init(h, conf, workers, seed)) {
		for (const struct diag_line *l = h->diag.first; l != NULL; l = l->next)
			fprintf(stderr, "%u:%u: %s\n", l->line, l->column, l->text);
		*ret_fault = "the configuration is not taken";
		return 0;
	}
	h->tls = p.transport == 2;
	h->stale = (struct stale_rules){ p.serve_expired, p.ede, p.expired_ttl, p.reply_ttl };
	world_make(&h->world, &h->rng);
	h->nservers = nservers;
	for (unsigned i = 0; i < nservers; i++) {
		struct server *s = &h->servers[i];
		s->addr = (struct addr){ .family = ADDR_4, .port = 853, .ip = { 10, 0, 0, 1 } };
		s->addr.ip[3] = (uint8_t)(i + 1);
		random_server(h, s, p.honest && i == 0);
	}
	make_clients(h);
	host_run(h, NEVER);
	if (h->seen.fault == NULL)
		h->seen.fault = judge_end(h, &p);
	if (verbose)
		describe(h, conf);
	host_fini(h);
	*ret_fault = h->seen.fault;
	return h->seen.trace;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, n = 100;
	bool verbose = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
			n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			first = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--verbose") == 0)
			verbose = true;
		else {
			fprintf(stderr, "usage: sim [--seeds N] [--seed FIRST] [--verbose]\n");
			return 2;
		}
	}
	unsigned failed = 0;
	uint64_t all = 0;
	for (uint64_t seed = first; seed < first + n; seed++) {
		const char *fault = NULL, *again = NULL;
		uint64_t trace = run_seed(seed, &fault, verbose);
		if (fault == NULL && seed % 8 == 0 && run_seed(seed, &again, false) != trace)
			fault = "the same seed twice is not the same";
		all = all * 31 + trace;
		if (fault == NULL)
			continue;
		printf("SEED=%llu %s\n", (unsigned long long)seed, fault);
		fflush(stdout);
		if (++failed == 20)
			break;
	}
	printf("%llu worlds from seed %llu, %u failed, trace %016llx\n", (unsigned long long)n,
	       (unsigned long long)first, failed, (unsigned long long)all);
	return failed == 0 ? 0 : 1;
}
