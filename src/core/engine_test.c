/* The chain experiment: toy plugins that wait in every way there is, on the real engine, with the test as their world.
 * Pass: no special case in the driver, every question ends exactly once, every arena comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/engine.h"

#define QUESTIONS_MAX 16384u
#define WORKERS_MAX 3u
#define STEPS_MAX 2000000u

struct mail {
	struct mail *next;
	msec at;
	uint32_t to;
	bool ask;
	struct remote_ask ask_it;
	struct remote_answer told;
	uint8_t name[NAME_MAX_BYTES];
	uint8_t *blob;
};

/* The world: workers, letters between them, and what came of each question. */
struct world {
	unsigned workers;
	struct engine engines[WORKERS_MAX];
	struct effects fx[WORKERS_MAX];
	struct arena scratch[WORKERS_MAX];
	struct metrics metrics[WORKERS_MAX];
	struct now now;
	struct mail *mail, **mail_last;
	msec letter_ms;               /* how long a letter takes */
	uint8_t replies[QUESTIONS_MAX];
	uint16_t rcodes[QUESTIONS_MAX];
	unsigned packets_left[QUESTIONS_MAX];
	unsigned expired, sent;                /* by leaves */
	msec leaf_ms, shared_ms;
	size_t blocks;
};

static struct world w;

/* ---- the toys ---- */

static bool below(const struct query *q, const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	assert_int_equal(name_from_text(span_text(text), &name_root, store, &n), OK);
	return name_below(q->question.name, n);
}

static enum err ask(struct query *q, enum door door, const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct question qn = { .type = RR_A, .class = CLASS_IN };
	assert_int_equal(name_from_text(span_text(text), &name_root, store, &qn.name), OK);
	return query_ask(q, door, &qn);
}

struct count {
	unsigned open;
	bool done;
};

/* A number of sub-questions at once; the verdict when one could not be asked. */
static enum verdict ask_all(struct query *q, const char *const *names, unsigned n)
{
	struct count *c = query_state(q, sizeof(*c));
	assert_non_null(c);
	for (unsigned i = 0; i < n; i++) {
		enum err err = ask(q, DOOR_BELOW, names[i]);
		if (err != OK)
			return query_fail_err(q, err);
		c->open++;
	}
	c->done = true;
	return WAIT;
}

static bool last_child(struct query *q, const struct query *child)
{
	struct count *c = query_state(q, sizeof(*c));
	assert_non_null(c);
	return child != NULL && --c->open == 0;
}

/* Waits on the way up for three shared sub-questions, then descends once more. */
static enum verdict three_response(const struct link *l, struct query *q)
{
	static const char *const names[] = { "one.shared.", "two.shared.", "three.shared." };
	(void)l;
	struct count *c = query_state(q, sizeof(*c));
	assert_non_null(c);
	if (!below(q, "three.") || c->done)
		return PASS;
	return ask_all(q, names, 3);
}

static enum verdict three_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child != NULL && child->err != OK)
		return query_fail_err(q, child->err);
	return last_child(q, child) ? AGAIN : WAIT;
}

/* Asks four names on the way down. */
static enum verdict four_request(const struct link *l, struct query *q)
{
	static const char *const names[] = { "a.fetch.", "b.fetch.", "c.fetch.", "d.fetch." };
	(void)l;
	struct count *c = query_state(q, sizeof(*c));
	assert_non_null(c);
	return !below(q, "four.") || c->done ? PASS : ask_all(q, names, 4);
}

static enum verdict four_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child != NULL && child->err != OK)
		return query_fail_err(q, child->err);
	return last_child(q, child) ? PASS : WAIT;
}

/* Asks something else instead, from the top: alias. is www.three.; left. and right. are each other, for ever. */
static enum verdict rewrite_request(const struct link *l, struct query *q)
{
	(void)l;
	const char *to = below(q, "alias.") ? "www.three." : below(q, "left.") ? "right."
		: below(q, "right.") ? "left." : NULL;
	if (to == NULL)
		return PASS;
	enum err err = ask(q, DOOR_TOP, to);
	return err == OK ? WAIT : query_fail_err(q, err);
}

static enum verdict rewrite_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	if (child == NULL)
		return WAIT;
	if (child->err != OK)
		return query_fail_err(q, child->err);
	return query_fail(q, child->answer->rcode, -1, NULL);
}

/* hurry.: dies soon. poor.: has nothing to spend. many.: asks a hundred names in one step. drop.: no answer. */
static enum verdict odd_request(const struct link *l, struct query *q)
{
	(void)l;
	if (q->client != NULL && below(q, "hurry.three."))
		q->deadline = q->engine->now.ms + 5;
	if (q->client != NULL && below(q, "poor.three."))
		q->own.packets = 1;
	if (below(q, "drop."))
		return DROP;
	if (!below(q, "many.") || q->ask.depth > 0)
		return PASS;
	struct count *c = query_state(q, sizeof(*c));
	assert_non_null(c);
	for (unsigned i = 0; i < 2 * BUDGET_QUESTIONS; i++) {
		char name[32];
		struct buf b = buf_on(name, sizeof(name));
		buf_printf(&b, "%u.%u.many.", i, q->client->id);
		enum err err = ask(q, DOOR_BELOW, buf_cstr(&b));
		assert_true(err == OK || err == ERR_BUDGET);
		assert_true(i < BUDGET_QUESTIONS || err == ERR_BUDGET);
		c->open += err == OK;
	}
	assert_true(c->open >= 8);   /* whoever owns them */
	return WAIT;
}

static void odd_expired(const struct link *l, struct query *q)
{
	assert_ptr_equal(l->steps, q->chain->links[0].steps);
	assert_non_null(q->client);
	assert_int_equal(q->err, ERR_TIMEOUT);
	w.expired++;
}

static enum verdict odd_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	return last_child(q, child) ? query_fail(q, RCODE_NOERROR, -1, NULL) : WAIT;
}

/* The end: one packet, and an answer after a while. */
static enum verdict leaf_request(const struct link *l, struct query *q)
{
	(void)l;
	enum err err = query_spend(q, 1, 100, 0);
	if (err != OK)
		return query_fail_err(q, err);
	w.sent++;
	q->wake_at = q->engine->now.ms + (below(q, "shared.") ? w.shared_ms : w.leaf_ms);
	return WAIT;
}

static enum verdict leaf_wake(const struct link *l, struct query *q, const struct query *child)
{
	(void)l;
	assert_null(child);
	if (q->engine->now.ms < q->wake_at)
		return WAIT;
	q->wake_at = NEVER;
	return query_fail(q, RCODE_NOERROR, -1, NULL);
}

static const struct steps steps[] = {
	{ .request = odd_request, .wake = odd_wake, .expired = odd_expired },
	{ .request = rewrite_request, .wake = rewrite_wake },
	{ .response = three_response, .wake = three_wake },
	{ .request = four_request, .wake = four_wake },
	{ .request = leaf_request, .wake = leaf_wake },
};
static struct chain chain = { .n = 5, .links = { { &steps[0], "odd", NULL, NULL }, { &steps[1], "rewrite", NULL, NULL },
	{ &steps[2], "three", NULL, NULL }, { &steps[3], "four", NULL, NULL }, { &steps[4], "leaf", NULL, NULL } } };

/* ---- the world ---- */

static void world_init(unsigned workers)
{
	static const struct hash_key key = { { 7 } };
	memset(&w, 0, sizeof(w));
	w.blocks = heap_blocks();
	w.workers = workers;
	w.now.ms = 1000;
	w.leaf_ms = w.shared_ms = 20;
	w.mail_last = &w.mail;
	for (unsigned i = 0; i < workers; i++) {
		uint8_t seed[32] = { (uint8_t)i };
		engine_init(&w.engines[i], i, workers, &key, seed);
		arena_init(&w.scratch[i], 16u << 20);
		w.fx[i].scratch = &w.scratch[i];
		w.engines[i].fx = &w.fx[i];
		w.engines[i].metrics = &w.metrics[i];
		w.engines[i].now = w.now;
	}
}

static void post(struct effect *fx, uint32_t from)
{
	struct mail *m = heap_new(sizeof(*m));
	m->at = w.now.ms + w.letter_ms;
	m->to = fx->worker;
	m->ask = fx->kind == FX_ASK;
	if (m->ask) {
		const struct query *q = fx->query;
		m->ask_it = (struct remote_ask){ .chain = q->chain, .place = q->place, .depth = q->ask.depth,
			                         .question = q->question, .share = fx->share, .worker = from,
			                         .form = q->form,
			                         .remote = fx->remote };
		memcpy(m->name, q->question.name.wire, q->question.name.len);
		m->ask_it.question.name.wire = m->name;
	} else {
		m->told = (struct remote_answer){ .remote = fx->remote, .err = fx->err, .others = fx->others,
			                          .maker = fx->maker, .share = fx->share };
		if (fx->answer != NULL) {
			m->blob = memcpy(heap_new(fx->answer->size), fx->answer, fx->answer->size);
			m->told.answer = (const struct packed *)(const void *)m->blob;
		}
	}
	*w.mail_last = m;
	w.mail_last = &m->next;
}

static void mail_free(struct mail *m)
{
	heap_free(m->blob);
	heap_free(m);
}

static void perform(unsigned i)
{
	struct effects *fx = &w.fx[i];
	for (unsigned k = 0; k < fx->n; k++) {
		struct effect *f = &fx->list[k];
		if (f->kind == FX_REPLY) {
			unsigned id = f->query->client->id;
			assert_true(f->query->dropped || f->query->answer != NULL);
			w.replies[id]++;
			w.rcodes[id] = f->query->dropped ? 99 : f->query->answer->rcode;
			w.packets_left[id] = f->query->own.packets;
		} else {
			assert_true(f->kind == FX_ASK || f->kind == FX_TELL);
			assert_true(f->worker != i && f->worker < w.workers);
			post(f, i);
		}
	}
	fx->n = 0;
	arena_free(&w.scratch[i]);
}

static void deliver(void)
{
	while (w.mail != NULL && w.mail->at <= w.now.ms) {
		struct mail *m = w.mail;
		w.mail = m->next;
		if (w.mail == NULL)
			w.mail_last = &w.mail;
		if (m->ask)
			ask_handed(&w.engines[m->to], &m->ask_it);
		else
			ask_told(&w.engines[m->to], &m->told);
		if (w.fx[m->to].n > EFFECTS_MAX / 2)
			perform(m->to);
		mail_free(m);
	}
}

static msec next_time(void)
{
	msec at = w.mail == NULL ? NEVER : w.mail->at;
	for (unsigned i = 0; i < w.workers; i++)
		at = MIN(at, engine_deadline(&w.engines[i]));
	return at;
}

/* Let it run until that time or until nothing is left to happen. */
static void world_run(msec until)
{
	for (unsigned step = 0;; step++) {
		assert_true(step < STEPS_MAX);
		for (unsigned i = 0; i < w.workers; i++)
			w.engines[i].now = w.now;
		deliver();
		for (unsigned i = 0; i < w.workers; i++) {
			while (engine_turn(&w.engines[i]))
				perform(i);
		}
		msec at = next_time();
		if (at == NEVER || at > until)
			break;
		w.now.ms = MAX(at, w.now.ms);
	}
	w.now.ms = until == NEVER ? w.now.ms : until;
}

static void world_ask_with(unsigned worker, unsigned id, const char *text, bool dnssec_ok)
{
	uint8_t store[NAME_MAX_BYTES];
	struct client c = { .id = (uint16_t)id, .size_max = 1232,
		            .edns = { .present = dnssec_ok, .dnssec_ok = dnssec_ok } };
	assert_int_equal(name_from_text(span_text(text), &name_root, store, &c.question.name), OK);
	c.question.type = RR_A;
	c.question.class = CLASS_IN;
	w.engines[worker].now = w.now;
	assert_int_equal(engine_question(&w.engines[worker], &chain, 0, &c), OK);
}

static void world_ask(unsigned worker, unsigned id, const char *text)
{
	world_ask_with(worker, id, text, false);
}

/* Each of n questions got one answer, and nothing is left behind. */
static void world_end(unsigned n)
{
	world_run(NEVER);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(w.replies[i], 1);
	for (unsigned i = 0; i < w.workers; i++) {
		struct engine *e = &w.engines[i];
		assert_int_equal(e->queries.used, 0);
		assert_int_equal(e->asks.n, 0);
		assert_int_equal(e->clients, 0);
		engine_fini(e);
		arena_free(&w.scratch[i]);
	}
	assert_int_equal(heap_blocks(), w.blocks);
}

static void ask_many(unsigned worker, unsigned from, unsigned n, const char *zone)
{
	for (unsigned i = from; i < from + n; i++) {
		char name[64];
		struct buf b = buf_on(name, sizeof(name));
		buf_printf(&b, "%u.%s", i, zone);
		world_ask(worker, i, buf_cstr(&b));
	}
}

static unsigned count_rcode(unsigned from, unsigned n, unsigned rcode)
{
	unsigned found = 0;
	for (unsigned i = from; i < from + n; i++)
		found += w.rcodes[i] == rcode;
	return found;
}

/* ---- the tests ---- */

static void test_toys(void **state)
{
	(void)state;
	world_init(1);
	world_ask(0, 0, "www.three.");     /* 2 descents + 3 shared */
	world_ask(0, 1, "www.four.");      /* 4 + 1 */
	world_ask(0, 2, "alias.");         /* joins nothing: question 0's stand no deeper than its own child */
	world_ask(0, 3, "drop.");
	world_run(NEVER);
	assert_int_equal(w.sent, 2 + 3 + 4 + 1 + 2 + 3);
	assert_int_equal(w.rcodes[0], RCODE_NOERROR);
	assert_int_equal(w.rcodes[1], RCODE_NOERROR);
	assert_int_equal(w.rcodes[2], RCODE_NOERROR);
	assert_int_equal(w.rcodes[3], 99);
	assert_int_equal(w.packets_left[1], BUDGET_PACKETS - 5);
	world_end(4);
}

static void test_one_fetch_for_a_thousand(void **state)
{
	(void)state;
	world_init(1);
	ask_many(0, 0, 1000, "three.");
	world_run(NEVER);
	assert_int_equal(w.sent, 2 * 1000 + 3);
	assert_int_equal(count_rcode(0, 1000, RCODE_NOERROR), 1000);
	world_end(1000);
}

/* Who asks with DO shares with such as do too, where that makes other answers; elsewhere with everybody. */
static void test_dnssec_ok_apart(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 2; workers++)
		for (unsigned apart = 0; apart < 2; apart++) {
			world_init(workers);
			chain.conf.by_do = apart != 0;
			for (unsigned i = 0; i < 8; i++)
				world_ask_with(i % workers, i, "www.three.", i % 4 >= 2);
			world_run(NEVER);
			assert_int_equal(w.sent, 2 * 8 + (apart ? 6 : 3));
			assert_int_equal(count_rcode(0, 8, RCODE_NOERROR), 8);
			chain.conf.by_do = false;
			world_end(8);
		}
}

/* More than can be kept in one fetch's arena: those beyond share another. */
static void test_very_many(void **state)
{
	(void)state;
	const unsigned n = 3 * WAITERS_MAX;
	world_init(1);
	ask_many(0, 0, n, "three.");
	world_run(NEVER);
	assert_int_equal(w.sent, 2 * n + 3 * 3);
	assert_int_equal(count_rcode(0, n, RCODE_NOERROR), n);
	world_end(n);
}

static void test_first_asker_dies(void **state)
{
	(void)state;
	world_init(1);
	world_ask(0, 0, "hurry.three.");
	world_run(w.now.ms + 4);
	ask_many(0, 1, 999, "three.");
	world_run(NEVER);
	assert_int_equal(w.expired, 1);   /* and the fetch that it left behind tells nobody */
	assert_int_equal(w.rcodes[0], RCODE_SERVFAIL);
	assert_int_equal(count_rcode(1, 999, RCODE_NOERROR), 999);
	world_end(1000);

	/* It dies while its fetch is under way. */
	world_init(1);
	w.leaf_ms = 3;
	w.shared_ms = 50;
	world_ask(0, 0, "hurry.three.");
	world_run(w.now.ms + 4);
	ask_many(0, 1, 999, "three.");
	world_run(NEVER);
	assert_int_equal(w.rcodes[0], RCODE_SERVFAIL);
	assert_int_equal(count_rcode(1, 999, RCODE_NOERROR), 999);
	assert_int_equal(w.sent, 1 + 3 + 2 * 999);
	world_end(1000);
}

static void test_first_asker_is_poor(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 2; workers++) {
		world_init(workers);
		w.letter_ms = workers;
		for (unsigned i = 0; i < workers; i++)
			world_ask(i, i, "poor.three.");
		ask_many(0, workers, 1000 - workers, "three.");
		world_run(NEVER);
		assert_int_equal(count_rcode(0, workers, RCODE_SERVFAIL), workers);
		assert_int_equal(count_rcode(workers, 1000 - workers, RCODE_NOERROR), 1000 - workers);
		world_end(1000);
	}
}

/* Waits only ever go deeper: two that want each other end at the depth bound, at once and not at their deadline. */
static void test_circle(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		world_init(workers);
		w.letter_ms = 1;
		msec start = w.now.ms;
		world_ask(0, 0, "left.");
		world_ask(workers - 1, 1, "right.");
		ask_many(workers / 2, 2, 500, "left.");
		ask_many(workers - 1, 502, 500, "right.");
		world_run(start + 200);
		assert_int_equal(count_rcode(0, 1002, RCODE_SERVFAIL), 1002);
		assert_int_equal(w.sent, 0);
		world_end(1002);
	}
}

static void test_two_workers(void **state)
{
	(void)state;
	world_init(2);
	w.letter_ms = 1;
	ask_many(0, 0, 1000, "three.");
	ask_many(1, 1000, 1000, "three.");
	ask_many(0, 2000, 100, "four.");
	ask_many(1, 2100, 100, "four.");
	world_run(NEVER);
	assert_int_equal(w.sent, 2 * 2000 + 3 + 200 + 4);
	assert_int_equal(count_rcode(0, 2200, RCODE_NOERROR), 2200);
	world_end(2200);
}

/* What a share did not spend comes back: the packets of all that was asked are paid once, by whoever asked first. */
static void test_shares_return(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		world_init(workers);
		w.letter_ms = 3;
		world_ask(0, 0, "www.four.");
		world_run(NEVER);
		assert_int_equal(w.packets_left[0], BUDGET_PACKETS - 5);
		assert_int_equal(w.sent, 5);
		world_ask(workers - 1, 1, "alias.");
		world_run(NEVER);
		assert_int_equal(w.packets_left[1], BUDGET_PACKETS - 5);
		world_end(2);
	}
}

/* An answer from another worker comes too late or never: the question still ends, once, by its deadline. */
static void test_slow_letters(void **state)
{
	(void)state;
	world_init(2);
	w.letter_ms = QUERY_LIFE_MS;
	msec start = w.now.ms;
	ask_many(0, 0, 100, "three.");
	ask_many(1, 100, 100, "four.");
	world_run(start + QUERY_LIFE_MS + 1);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(w.replies[i], 1);
	world_end(200);
}

/* Hundreds of questions that ask a hundred names each in one step: no turn says more than it has room for. */
static void test_flood(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		world_init(workers);
		w.letter_ms = 1;
		for (unsigned i = 0; i < 300; i++) {
			char name[32];
			struct buf b = buf_on(name, sizeof(name));
			buf_printf(&b, "%u.many.", i);
			world_ask(i % workers, i, buf_cstr(&b));
		}
		world_run(NEVER);
		assert_int_equal(count_rcode(0, 300, RCODE_NOERROR), 300);
		world_end(300);
	}
}

/* The process ends while much is under way. */
static void test_end_in_the_middle(void **state)
{
	(void)state;
	world_init(2);
	w.letter_ms = 1;
	ask_many(0, 0, 1000, "three.");
	ask_many(1, 1000, 1000, "four.");
	world_run(w.now.ms + 10);
	for (unsigned i = 0; i < w.workers; i++) {
		engine_fini(&w.engines[i]);
		arena_free(&w.scratch[i]);
	}
	for (struct mail *m = w.mail, *next; m != NULL; m = next) {
		next = m->next;
		mail_free(m);
	}
	assert_int_equal(heap_blocks(), w.blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_toys), cmocka_unit_test(test_one_fetch_for_a_thousand),
		cmocka_unit_test(test_very_many), cmocka_unit_test(test_dnssec_ok_apart),
		cmocka_unit_test(test_first_asker_dies), cmocka_unit_test(test_first_asker_is_poor),
		cmocka_unit_test(test_circle), cmocka_unit_test(test_two_workers), cmocka_unit_test(test_shares_return),
		cmocka_unit_test(test_slow_letters), cmocka_unit_test(test_flood),
		cmocka_unit_test(test_end_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
