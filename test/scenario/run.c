/* run: plays a scenario file (*.scn) in the simulator's world. One statement a line, in the order of time:
 *
 *   conf ... end                         unbound.conf text
 *   workers N | seed N | tls             tls: no plaintext may leave; before the first `at`
 *   stale SECS TTL                       what may be served past its time
 *   name NAME KIND N TTL                 address, text, alias (N: entry, from 0), nodata, absent
 *   server N KEY VALUE...                10.0.0.N: port, rtt, jitter, loss, twice, closes (of 100), lies NAME OF_100,
 *                                        dead silent | refusing | no, proof good | name | ca
 *   zone N APEX ... end                  server N is authoritative for a zone of these records
 *   at MS ask LABEL NAME TYPE [KEY..]    worker N, times N, tcp, plain (no EDNS)
 *   at MS server N KEY VALUE...          changes it
 *   at MS expect LABEL KEY VALUE...      replies N, rcode NAME, within MS, ede N, ttl MOST, records N, cached N, tc N
 *   at MS expect-text LABEL TEXT         in the EDE
 *   at MS expect-server N KEY OP VALUE   datagrams streamed opens without-edns; = <= >=
 *   at MS expect-log TEXT                in the last line for the operator
 *   at MS zero N                         forget what that server counted; 0: what all did
 *   at MS forget N                       server N has no zones any more
 *   at MS expect-record LABEL TEXT       in a record of the answer
 *   at MS expect-sent OP N               questions sent upstream in all; = <= >=
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/host.h"

#define FILE_BYTES 65536u
#define WORDS_MAX 40u
#define LABEL_BYTES 24u
#define START_MS 1000000

static struct host host;

struct play {
	struct host *h;
	const char *file;
	unsigned line;
	bool begun, failed;
	unsigned workers;
	uint64_t seed;
	bool tls;
	struct stale_rules stale;
	char conf[FILE_BYTES], zone[FILE_BYTES];
	unsigned zone_server;
	char zone_apex[256];
	char labels[ASKED_MAX][LABEL_BYTES];
	unsigned nwords;
	char *words[WORDS_MAX];
};

static struct play play;

static void wrong(struct play *p, const char *what, const char *which)
{
	printf("%s:%u: %s %s\n", p->file, p->line, what, which);
	p->failed = true;
}

static const char *word(const struct play *p, unsigned i)
{
	return i < p->nwords ? p->words[i] : "";
}

static bool is(const struct play *p, unsigned i, const char *text)
{
	return strcmp(word(p, i), text) == 0;
}

static unsigned number(struct play *p, unsigned i)
{
	char *end;
	unsigned long v = strtoul(word(p, i), &end, 10);
	if (*word(p, i) == 0 || *end != 0)
		wrong(p, "expected a number, not", word(p, i));
	return (unsigned)v;
}

/* Words of a line; "quoted text" is one. # begins a comment. */
static void split(struct play *p, char *line)
{
	p->nwords = 0;
	for (char *at = line; p->nwords < WORDS_MAX;) {
		at += strspn(at, " \t\r\n");
		if (*at == 0 || *at == '#')
			return;
		bool quoted = *at == '"';
		at += quoted;
		p->words[p->nwords++] = at;
		at += strcspn(at, quoted ? "\"" : " \t\r\n");
		if (*at == 0)
			return;
		*at++ = 0;
	}
}

static void server_set(struct play *p, unsigned i)
{
	struct host *h = p->h;
	unsigned nr = number(p, i);
	if (nr == 0 || nr > SERVERS_MAX) {
		wrong(p, "no such server:", word(p, i));
		return;
	}
	while (h->nservers < nr) {
		struct server fresh = { .rtt = 20, .addr = { .family = ADDR_4, .port = 53, .ip = { 10 } } };
		fresh.addr.ip[3] = (uint8_t)(h->nservers + 1);
		h->servers[h->nservers++] = fresh;
	}
	struct server *s = &h->servers[nr - 1];
	for (i++; i < p->nwords; i += 2) {
		if (is(p, i, "rtt"))
			s->rtt = number(p, i + 1);
		else if (is(p, i, "port"))
			s->addr.port = (uint16_t)number(p, i + 1);
		else if (is(p, i, "jitter"))
			s->jitter = number(p, i + 1);
		else if (is(p, i, "loss"))
			s->loss = number(p, i + 1);
		else if (is(p, i, "twice"))
			s->twice = number(p, i + 1);
		else if (is(p, i, "closes"))
			s->closes = number(p, i + 1);
		else if (is(p, i, "dead")) {
			s->refuses = is(p, i + 1, "refusing");
			s->dead_from = 0;
			s->dead_until = is(p, i + 1, "no") ? 0 : NEVER;
		} else if (is(p, i, "proof")) {
			s->proof = is(p, i + 1, "name") ? PROOF_WRONG_NAME : is(p, i + 1, "ca") ? PROOF_UNKNOWN_CA
				: PROOF_GOOD;
		} else if (is(p, i, "lies")) {
			s->lies = 0;
			for (unsigned k = 0; k < LIE_COUNT; k++)
				s->lies |= is(p, i + 1, lie_names[k]) ? 1u << k : 0;
			if (s->lies == 0)
				wrong(p, "no such lie:", word(p, i + 1));
			s->lies_of_100 = number(p, i + 2);
			i++;
		} else {
			wrong(p, "a server has no", word(p, i));
		}
	}
}

static void name_add(struct play *p)
{
	static const char *const kinds[] = { [KIND_ADDRESS] = "address", [KIND_TEXT] = "text", [KIND_ALIAS] = "alias",
		                             [KIND_NODATA] = "nodata", [KIND_ABSENT] = "absent" };
	for (unsigned k = 0; k < COUNT(kinds); k++) {
		if (!is(p, 2, kinds[k]))
			continue;
		unsigned at = world_add(&p->h->world, word(p, 1), (enum kind)k, number(p, 3), number(p, 4));
		p->h->world.entries[at].alias = number(p, 3);
		if (k == KIND_NODATA || k == KIND_ABSENT)
			p->h->world.negative_ttl = number(p, 4);
		return;
	}
	wrong(p, "no such kind:", word(p, 2));
}

static void ask(struct play *p)
{
	struct asked how = { .edns = true, .flags = FLAG_RD, .at = p->h->now.ms };
	unsigned worker = 0, times = 1;
	if (rrtype_from_text(span_text(word(p, 5)), &how.type) != OK)
		wrong(p, "no such type:", word(p, 5));
	for (unsigned i = 6; i < p->nwords; i++) {
		if (is(p, i, "worker"))
			worker = number(p, ++i) % p->workers;
		else if (is(p, i, "times"))
			times = number(p, ++i);
		else if (is(p, i, "tcp"))
			how.tcp = true;
		else if (is(p, i, "plain"))
			how.edns = false;
		else
			wrong(p, "a question has no", word(p, i));
	}
	/* Under many names: %u in the name is the number. */
	for (unsigned k = 0; k < times && p->h->nasked < ASKED_MAX; k++) {
		char name[128];
		const char *at = strchr(word(p, 4), '%');
		struct buf b = buf_on(name, sizeof(name));
		buf_span_put(&b, span_of(word(p, 4), at == NULL ? strlen(word(p, 4)) : (size_t)(at - word(p, 4))));
		if (at != NULL)
			buf_printf(&b, "%u%s", k, at + 2);
		how.worker = (worker + k) % p->workers;
		unsigned nr = host_ask(p->h, buf_cstr(&b), &how);
		struct buf label = buf_on(p->labels[nr], LABEL_BYTES);
		buf_text(&label, word(p, 3));
		buf_cstr(&label);
	}
}

/* What the replies under a label were. */
struct seen {
	unsigned asked, replies, rcode, ede, ttl, records, cached, tc;
	msec within;
	bool same_rcode, text;
};

static bool says(struct span s, const char *text)
{
	bool there = memmem(s.p, s.n, text, strlen(text)) != NULL;
	if (!there)
		printf("it says: %.*s\n", (int)s.n, (const char *)s.p);
	return there;
}

static void look(struct play *p, const char *label, const char *text, struct seen *ret)
{
	struct host *h = p->h;
	*ret = (struct seen){ .same_rcode = true };
	for (unsigned i = 0; i < h->nasked; i++) {
		const struct asked *a = &h->asked[i];
		struct arena arena;
		struct msg m;
		if (strcmp(p->labels[i], label) != 0)
			continue;
		ret->asked++;
		if (a->replies == 0)
			continue;
		arena_init(&arena, 1u << 20);
		if (msg_parse(&arena, a->reply, &m) == OK) {
			ret->same_rcode &= ret->replies == 0 || ret->rcode == m.rcode;
			ret->replies++;
			ret->rcode = m.rcode;
			ret->records = (unsigned)m.nrrs;
			ret->cached += a->cached;
			ret->tc += (m.flags & FLAG_TC) != 0;
			ret->within = MAX(ret->within, a->replied - a->at);
			for (size_t k = 0; k < m.nrrs; k++)
				ret->ttl = MAX(ret->ttl, m.rrs[k].ttl);
			if (m.edns.nede > 0)
				ret->ede = m.edns.ede[0].code;
			for (unsigned k = 0; k < m.edns.nede && text != NULL; k++)
				ret->text |= says(m.edns.ede[k].text, text);
		}
		arena_free(&arena);
	}
}

static void expect(struct play *p)
{
	struct seen s;
	look(p, word(p, 3), NULL, &s);
	if (s.asked == 0)
		wrong(p, "nothing was asked as", word(p, 3));
	for (unsigned i = 4; i < p->nwords; i += 2) {
		char was[64];
		struct buf b = buf_on(was, sizeof(was));
		const char *rcode = rcode_name(s.rcode);
		bool good = false;
		unsigned v = is(p, i, "rcode") ? 0 : number(p, i + 1);
		if (is(p, i, "rcode")) {
			good = s.replies > 0 && s.same_rcode && rcode != NULL && is(p, i + 1, rcode);
			buf_text(&b, rcode == NULL ? "?" : rcode);
		} else if (is(p, i, "within")) {
			good = s.within <= v;
			buf_printf(&b, "%lld", (long long)s.within);
		} else if (is(p, i, "ttl")) {
			good = s.ttl <= v;
			buf_printf(&b, "%u", s.ttl);
		} else {
			unsigned have = is(p, i, "replies") ? s.replies : is(p, i, "ede") ? s.ede
				: is(p, i, "records") ? s.records : is(p, i, "cached") ? s.cached
				: is(p, i, "tc") ? s.tc : 99999;
			good = have == v;
			buf_printf(&b, "%u", have);
		}
		if (good)
			continue;
		printf("%s:%u: %s: expected %s %s, was %s\n", p->file, p->line, word(p, 3), word(p, i),
		       word(p, i + 1), buf_cstr(&b));
		p->failed = true;
	}
}

static void expect_text(struct play *p)
{
	struct seen s;
	look(p, word(p, 3), word(p, 4), &s);
	if (!s.text)
		wrong(p, "no EDE says", word(p, 4));
}

/* Words from `at` on: OP and a number. */
static void compare(struct play *p, const char *what, unsigned have, unsigned at)
{
	unsigned v = number(p, at + 1);
	if (is(p, at, "=") ? have == v : is(p, at, "<=") ? have <= v : have >= v)
		return;
	printf("%s:%u: %s: expected %s %s, was %u\n", p->file, p->line, what, word(p, at), word(p, at + 1), have);
	p->failed = true;
}

static void expect_server(struct play *p)
{
	unsigned nr = number(p, 3);
	if (nr == 0 || nr > p->h->nservers) {
		wrong(p, "no such server:", word(p, 3));
		return;
	}
	const struct server *s = &p->h->servers[nr - 1];
	unsigned have = is(p, 4, "datagrams") ? s->datagrams : is(p, 4, "streamed") ? s->streamed
		: is(p, 4, "opens") ? s->opens : s->without_edns;
	compare(p, word(p, 4), have, 5);
}

static void expect_record(struct play *p)
{
	bool there = false;
	for (unsigned i = 0; i < p->h->nasked; i++) {
		const struct asked *a = &p->h->asked[i];
		struct arena arena;
		struct msg m;
		if (strcmp(p->labels[i], word(p, 3)) != 0 || a->replies == 0)
			continue;
		arena_init(&arena, 1u << 20);
		for (size_t k = 0; msg_parse(&arena, a->reply, &m) == OK && k < m.nrrs; k++) {
			char text[1024];
			struct buf b = buf_on(text, sizeof(text));
			there |= rr_text(&m.rrs[k], &b) == OK && strstr(buf_cstr(&b), word(p, 4)) != NULL;
		}
		arena_free(&arena);
	}
	if (!there)
		wrong(p, "no record says", word(p, 4));
}

/* ---- lines ---- */

static void begin(struct play *p)
{
	if (p->begun)
		return;
	p->begun = true;
	if (!host_init(p->h, p->conf, p->workers, p->seed)) {
		for (const struct diag_line *l = p->h->diag.first; l != NULL; l = l->next)
			printf("%s: conf %u:%u: %s\n", p->file, l->line, l->column, l->text);
		wrong(p, "the configuration is not taken", "");
		return;
	}
	p->h->tls = p->tls;
	p->h->stale = p->stale;
}

static void statement_at(struct play *p)
{
	host_run(p->h, START_MS + (msec)number(p, 1));
	if (is(p, 2, "ask"))
		ask(p);
	else if (is(p, 2, "server"))
		server_set(p, 3);
	else if (is(p, 2, "expect"))
		expect(p);
	else if (is(p, 2, "expect-text"))
		expect_text(p);
	else if (is(p, 2, "expect-server"))
		expect_server(p);
	else if (is(p, 2, "forget"))
		p->h->servers[number(p, 3) % (SERVERS_MAX + 1) - 1].zones.n = 0;
	else if (is(p, 2, "expect-record"))
		expect_record(p);
	else if (is(p, 2, "expect-sent"))
		compare(p, "sent", p->h->sent, 3);
	else if (is(p, 2, "expect-log") && strstr(p->h->seen.log, word(p, 3)) == NULL)
		wrong(p, "the last line for the operator is:", p->h->seen.log);
	else if (is(p, 2, "zero")) {
		unsigned nr = number(p, 3);
		p->h->sent = nr == 0 ? 0 : p->h->sent;
		for (unsigned i = 0; i < p->h->nservers; i++) {
			struct server *s = &p->h->servers[i];
			if (nr == 0 || nr == i + 1)
				s->datagrams = s->streamed = s->opens = s->without_edns = 0;
		}
	} else if (!is(p, 2, "expect-log")) {
		wrong(p, "unknown word", word(p, 2));
	}
}

static void zone_begin(struct play *p)
{
	struct buf b = buf_on(p->zone_apex, sizeof(p->zone_apex));
	p->zone_server = number(p, 1);
	buf_text(&b, word(p, 2));
	buf_cstr(&b);
	p->nwords = 2;
	server_set(p, 1);   /* made when it is not there yet */
}

static void zone_end(struct play *p)
{
	const char *what = "there is no such server";
	if (p->zone_server > 0 && p->zone_server <= p->h->nservers)
		what = zones_add(&p->h->servers[p->zone_server - 1].zones, &p->h->keep, p->zone_apex,
		                 span_text(p->zone));
	if (what != NULL)
		wrong(p, "zone:", what);
}

static void statement(struct play *p)
{
	if (is(p, 0, "workers"))
		p->workers = MAX(1u, MIN(number(p, 1), WORKERS_MAX));
	else if (is(p, 0, "seed"))
		p->seed = number(p, 1);
	else if (is(p, 0, "tls"))
		p->tls = true;
	else if (is(p, 0, "stale"))
		p->stale = (struct stale_rules){ true, true, number(p, 1), number(p, 2) };
	else {
		begin(p);
		if (p->failed)
			return;
		if (is(p, 0, "name"))
			name_add(p);
		else if (is(p, 0, "server"))
			server_set(p, 1);
		else if (is(p, 0, "zone"))
			zone_begin(p);
		else if (is(p, 0, "at"))
			statement_at(p);
		else
			wrong(p, "unknown word", word(p, 0));
	}
}

static void read_lines(struct play *p, FILE *f)
{
	char line[1024];
	bool in_conf = false, in_zone = false;
	struct buf conf = buf_on(p->conf, sizeof(p->conf)), zone;
	while (fgets(line, sizeof(line), f) != NULL && p->h->seen.fault == NULL) {
		p->line++;
		if (strncmp(line, "end", 3) == 0 && in_conf) {
			in_conf = false;
			buf_cstr(&conf);
		} else if (in_conf) {
			buf_text(&conf, line);
		} else if (strncmp(line, "end", 3) == 0 && in_zone) {
			in_zone = false;
			buf_cstr(&zone);
			zone_end(p);
		} else if (in_zone) {
			buf_text(&zone, line);
		} else if (strncmp(line, "conf", 4) == 0) {
			in_conf = true;
		} else {
			split(p, line);
			in_zone = is(p, 0, "zone");
			zone = buf_on(p->zone, sizeof(p->zone));
			if (p->nwords > 0)
				statement(p);
		}
	}
}

static bool run(const char *file)
{
	FILE *f = fopen(file, "r");
	if (f == NULL) {
		printf("%s: cannot be read\n", file);
		return false;
	}
	const char *base = strrchr(file, '/');
	memset(&play, 0, sizeof(play));
	memset(&host, 0, sizeof(host));
	play.h = &host;
	play.file = base == NULL ? file : base + 1;
	play.workers = 1;
	play.seed = 1;
	read_lines(&play, f);
	(void)fclose(f);
	if (!play.begun)
		return false;
	host_run(play.h, NEVER);
	host_fini(play.h);
	if (play.h->seen.fault != NULL)
		printf("%s:%u: %s\n", play.file, play.line, play.h->seen.fault);
	return !play.failed && play.h->seen.fault == NULL;
}

int main(int argc, char **argv)
{
	unsigned failed = 0;
	if (argc < 2) {
		fprintf(stderr, "usage: run FILE.scn...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed += !run(argv[i]);
	printf("%d scenarios, %u failed\n", argc - 1, failed);
	return failed == 0 ? 0 : 1;
}
