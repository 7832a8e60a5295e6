/* fetcher: the worker's part of HTTP and the process it starts, alone, on orders from standard input, for the tests of
 * test/peer. Orders, one a line, words by blanks:
 *   get NR URL [WORD=VALUE ...]   addr ca cert key token user password name method body accept idle connect unchecked
 *   end NR
 *   slow MS                       wait so long at each piece that comes
 *   quit
 * It prints "head NR STATUS TYPE", "body NR BYTES HASH" for all of a body so far at its end and every 16 MB,
 * "piece NR TEXT" for small ones of text, and "end NR TEXT". */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/fetching.h"
#include "base/heap.h"
#include "io/clock.h"

#define ORDERS_MAX 64u
#define LINE_MAX 8192u

struct order {
	unsigned nr;
	uint64_t fetch, bytes, hash, shown;
	struct engine *engine;
};

static struct worker w;
static struct order orders[ORDERS_MAX];
static long slow_ms;

static void fetched(void *live, struct engine *e, const struct fetched *what);
static const struct steps steps = { .fetched = fetched };

static void show_body(struct order *o)
{
	printf("body %u %llu %016llx\n", o->nr, (unsigned long long)o->bytes, (unsigned long long)o->hash);
	o->shown = o->bytes;
}

static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n < 200;
}

static void fetched(void *live, struct engine *e, const struct fetched *what)
{
	struct order *o = live;
	(void)e;
	if (what->kind == FETCHED_HEAD) {
		printf("head %u %u %.*s\n", o->nr, what->status, (int)what->bytes.n, (const char *)what->bytes.p);
	} else if (what->kind == FETCHED_END) {
		show_body(o);
		printf("end %u %s\n", o->nr, what->text == NULL ? "-" : what->text);
	} else {
		for (size_t i = 0; i < what->bytes.n; i++)
			o->hash = (o->hash ^ what->bytes.p[i]) * UINT64_C(0x100000001b3);   /* FNV-1a */
		o->bytes += what->bytes.n;
		if (is_text(what->bytes))
			printf("piece %u %.*s\n", o->nr, (int)what->bytes.n, (const char *)what->bytes.p);
		if (o->bytes - o->shown >= 16u << 20)
			show_body(o);
		if (slow_ms > 0)
			nanosleep(&(struct timespec){ slow_ms / 1000, slow_ms % 1000 * 1000000 }, NULL);
	}
	fflush(stdout);
}

/* What stands behind "name=" among the words; NULL: nothing does. */
static const char *option(char **words, const char *name)
{
	size_t n = strlen(name);
	for (unsigned i = 0; words[i] != NULL; i++)
		if (strncmp(words[i], name, n) == 0 && words[i][n] == '=')
			return words[i] + n + 1;
	return NULL;
}

static uint32_t number(char **words, const char *name)
{
	const char *text = option(words, name);
	return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static void get(unsigned nr, const char *url, char **words)
{
	struct order *o = &orders[nr % ORDERS_MAX];
	struct fetch_login login = {
		.ca_file = option(words, "ca"), .cert_file = option(words, "cert"), .key_file = option(words, "key"),
		.token_file = option(words, "token"), .user = option(words, "user"),
		.password = option(words, "password"), .server_name = option(words, "name"),
		.unchecked = option(words, "unchecked") != NULL,
	};
	struct fetch what = { .url = url, .method = option(words, "method"), .accept = option(words, "accept"),
		              .login = &login, .idle_ms = number(words, "idle"),
		              .connect_ms = number(words, "connect") };
	const char *addr = option(words, "addr"), *body = option(words, "body");
	struct addr at;
	if (addr != NULL && addr_parse(span_text(addr), 0, &at) == OK) {
		what.addrs = &at;
		what.naddrs = 1;
	}
	if (body != NULL)
		what.body = span_text(body);
	*o = (struct order){ .nr = nr, .hash = UINT64_C(0xcbf29ce484222325), .engine = &w.engine };
	if (fetch_begin(&w.engine, &steps, o, &what, &o->fetch) != OK)
		printf("end %u too much\n", nr);
}

/* false: to end */
static bool obey(char *line)
{
	char *words[32], *next = NULL;
	unsigned n = 0;
	for (char *word = strtok_r(line, " \n", &next); word != NULL && n < COUNT(words) - 1;
	     word = strtok_r(NULL, " \n", &next))
		words[n++] = word;
	words[n] = NULL;
	if (n == 0 || strcmp(words[0], "quit") == 0)
		return false;
	if (strcmp(words[0], "get") == 0 && n >= 3)
		get((unsigned)atoi(words[1]), words[2], words + 3);
	if (strcmp(words[0], "end") == 0 && n == 2)
		fetch_end(&w.engine, orders[(unsigned)atoi(words[1]) % ORDERS_MAX].fetch);
	if (strcmp(words[0], "slow") == 0 && n == 2)
		slow_ms = atol(words[1]);
	return true;
}

/* ---- what the worker has of its own ---- */

void worker_perform(struct worker *worker)
{
	do {
		for (unsigned i = 0; i < worker->fx.n; i++)
			fetching_perform(worker->help.fetching, &worker->fx.list[i]);
		worker->fx.n = 0;
		arena_free(&worker->scratch);
	} while (fetching_refused(worker->help.fetching));
}

void worker_relieve(struct worker *worker)
{
	if (worker->fx.n > EFFECTS_MAX / 2)
		worker_perform(worker);
}

static void say_records(void)
{
	size_t size;
	for (struct record *rec; (rec = ring_peek(&w.log.ring, &size)) != NULL; ring_done(&w.log.ring)) {
		char text[4096];
		struct record_style style = { .ident = "log" };
		struct buf b = buf_on(text, sizeof(text));
		record_line(rec, &style, 0, &b);
		fputs(buf_cstr(&b), stdout);
		fflush(stdout);
	}
}

static bool read_orders(void)
{
	static char text[LINE_MAX];
	static size_t n;
	ssize_t got = read(STDIN_FILENO, text + n, sizeof(text) - 1 - n);
	if (got <= 0)
		return false;
	n += (size_t)got;
	text[n] = 0;
	for (char *end; (end = strchr(text, '\n')) != NULL;) {
		*end = 0;
		if (!obey(text))
			return false;
		n -= (size_t)(end + 1 - text);
		memmove(text, end + 1, n + 1);
	}
	return true;
}

static bool turn(void)
{
	struct loop_event events[LOOP_EVENTS];
	bool on = true;
	bool idle = engine_deadline(&w.engine) == NEVER && !fetching_waits(w.help.fetching);
	unsigned n = loop_wait(&w.loop, idle ? 1000 : 0, events, LOOP_EVENTS);
	clock_now(&w.engine.now);
	for (unsigned i = 0; i < n; i++) {
		if (events[i].kind == KIND_FETCH)
			fetching_event(w.help.fetching, &events[i]);
		else if (events[i].kind == KIND_CLIENT)
			on = read_orders();
	}
	fetching_turn(w.help.fetching);
	for (bool more = true; more;) {
		more = engine_turn(&w.engine);
		worker_perform(&w);
	}
	fetching_flush(w.help.fetching);
	say_records();
	return on;
}

int main(void)
{
	static uint8_t seed[32];
	static struct hash_key key;
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	engine_init(&w.engine, 0, 1, &key, seed);
	arena_init(&w.scratch, SCRATCH_MAX);
	w.fx.scratch = &w.scratch;
	w.engine.fx = &w.fx;
	ring_init(&w.log.ring, RECORD_RING_BYTES);
	if (loop_init(&w.loop, &why) != OK ||
	    loop_add(&w.loop, STDIN_FILENO, LOOP_READ, KIND_CLIENT, 0) != OK)
		return 3;
	clock_now(&w.engine.now);
	w.help.fetching = fetching_new(&w);
	while (turn())
		;
	fetching_free(w.help.fetching);
	engine_fini(&w.engine);
	ring_fini(&w.log.ring);
	loop_fini(&w.loop);
	return 0;
}
