#include "app/worker.h"

#include <signal.h>
#include <unistd.h>

#include "app/errand.h"
#include "app/fetching.h"
#include "app/saver.h"
#include "app/serve.h"
#include "app/upstreams.h"
#include "crypto/verify.h"
#include "io/clock.h"
#include "io/process.h"
#include "io/urgency.h"

#define MAIL_MAX 1024u       /* taken from one inbox in one turn */
/* An older configuration is kept so long at least: for as long as a peer's questions live, its mail may name it, and
 * what they ask lives as long again. */
#define LEAVE_MS (2 * QUERY_LIFE_MS + SECOND)

void worker_init(struct worker *w, uint32_t nr, uint32_t count, const struct hash_key *key)
{
	uint8_t seed[32];
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	w->nr = nr;
	w->count = count;
	process_random(seed);
	engine_init(&w->engine, nr, count, key, seed);
	explicit_bzero(seed, sizeof(seed));
	arena_init(&w->scratch, SCRATCH_MAX);
	w->fx.scratch = &w->scratch;
	w->engine.fx = &w->fx;
	w->engine.metrics = &w->metrics;
	ring_init(&w->log.ring, RECORD_RING_BYTES);
	w->engine.log = &w->log;
	enum err err = loop_init(&w->loop, &why);
	ASSERT(err == OK);
	clock_now(&w->engine.now);
	w->engine.crypto = verifier_new(NULL, key, VERIFIER_KEYS, &why);
	ASSERT(w->engine.crypto != NULL);
	w->serving = serving_new(w);
	w->asking = asking_new(w);
	w->help.fetching = fetching_new(w);
}

void worker_fini(struct worker *w)
{
	serving_free(w->serving);
	asking_free(w->asking);
	fetching_free(w->help.fetching);
	engine_fini(&w->engine);
	arena_free(&w->scratch);
	verifier_free(w->engine.crypto);
	ring_fini(&w->log.ring);
	loop_fini(&w->loop);
}

void worker_wake(struct worker *w)
{
	loop_wake(&w->loop);
}

void worker_give(struct worker *w, struct generation *g)
{
	atomic_store(&w->next, g);
	loop_wake(&w->loop);
}

/* ---- effects ---- */

static struct inbox *inbox_between(struct worker *w, uint32_t from, uint32_t to)
{
	return &w->inboxes[to * w->count + from];
}

struct inbox *worker_own_inbox(struct worker *w)
{
	return inbox_between(w, w->nr, w->nr);
}

static void hand_over(struct worker *w, const struct effect *fx)
{
	if (inbox_ask(inbox_between(w, w->nr, fx->worker), fx, w->nr)) {
		w->woken |= UINT64_C(1) << fx->worker;
		return;
	}
	struct remote_answer full = { .remote = fx->remote, .err = ERR_LIMIT, .share = fx->share };
	ask_told(&w->engine, &full);
}

static void tell(struct worker *w, const struct effect *fx)
{
	if (inbox_tell(inbox_between(w, w->nr, fx->worker), fx))
		w->woken |= UINT64_C(1) << fx->worker;
}

static void log_text(struct worker *w, struct span text)
{
	char line[RECORD_TEXT_MAX];
	struct buf b = buf_on(line, sizeof(line));
	buf_span_put(&b, text);
	record_text(&w->log, RECORD_TEXT, w->engine.now.wall, NULL, buf_cstr(&b));
}

/* The main thread ends the program as if it had been asked to, with another status. */
static void give_up(struct worker *w, struct span why)
{
	char line[RECORD_TEXT_MAX];
	struct buf b = buf_on(line, sizeof(line));
	buf_text(&b, "fatal error: ");
	buf_span_put(&b, why);
	record_text(&w->log, RECORD_TEXT, w->engine.now.wall, NULL, buf_cstr(&b));
	if (!atomic_exchange(&w->fatal, true))
		kill(getpid(), SIGTERM);
}

static void perform(struct worker *w, const struct effect *fx)
{
	switch (fx->kind) {
	case FX_REPLY:
		serving_reply(w->serving, fx->query);
		break;
	case FX_PART:
		serving_part(w->serving, fx->query, fx->bytes);
		break;
	case FX_ASK:
		hand_over(w, fx);
		break;
	case FX_TELL:
		tell(w, fx);
		break;
	case FX_SAVE:
		saver_wake(w->help.saver);
		break;
	case FX_LOG:
		log_text(w, fx->bytes);
		break;
	case FX_FATAL:
		give_up(w, fx->bytes);
		break;
	case FX_FETCH:
	case FX_FETCH_END:
		fetching_perform(w->help.fetching, fx);
		break;
	case FX_DATAGRAM:
	case FX_SOCKET_END:
	case FX_OPEN:
	case FX_WRITE:
	case FX_CLOSE:
		asking_perform(w->asking, fx);
		break;
	}
}

/* Performing may write more effects, a line for the log at most: what is refused by the dozen waits for its end. */
void worker_perform(struct worker *w)
{
	do {
		for (unsigned i = 0; i < w->fx.n; i++) {
			struct effect fx = w->fx.list[i];
			perform(w, &fx);
		}
		w->fx.n = 0;
		arena_free(&w->scratch);
	} while (asking_refused(w->asking) || fetching_refused(w->help.fetching));
}

void worker_relieve(struct worker *w)
{
	if (w->fx.n > EFFECTS_MAX / 2)
		worker_perform(w);
}

/* ---- generations ---- */

/* Does a configuration that is still in use here have that life, from the newest down to `last`? */
static bool is_kept(const struct worker *w, const struct generation *last, const struct life *life)
{
	for (const struct generation *g = w->generation;; g = g->next) {
		if (generation_has_life(g, life))
			return true;
		if (g == last)
			return false;
	}
}

static void leave(struct worker *w, const struct generation *old, const struct generation *newer)
{
	for (unsigned i = 0; i < old->nlives; i++) {
		struct life *l = old->lives[i];
		if (l->plugin->live_leave != NULL && !is_kept(w, newer, l))
			l->plugin->live_leave(l->live, &w->engine);
		worker_relieve(w);
	}
}

/* Let go of what only older configurations had, once no query stands in them. Each has its own time, so that one reload
 * after the other does not heap them up. The main thread frees what is below w->left: no further is looked. */
static void leave_old(struct worker *w)
{
	struct generation *newer = w->generation, *old;
	uint64_t left = atomic_load(&w->left);
	if (left == newer->number)
		return;
	for (old = newer->next; w->engine.now.ms - newer->entered[w->nr] < LEAVE_MS; old = old->next) {
		if (old->number == left)
			return;
		newer = old;
	}
	if (engine_oldest(&w->engine) <= old->number)
		return;
	leave(w, old, newer);
	for (; old->number > left; old = old->next)
		leave(w, old->next, newer);
	worker_perform(w);
	asking_flush(w->asking);
	atomic_store(&w->left, newer->number);
}

static void enter_next(struct worker *w)
{
	struct generation *g = atomic_load(&w->next);
	if (g == w->generation)
		return;
	serving_enter(w->serving, g, w->generation);
	asking_enter(w->asking, g);
	/* Some may have come and gone without this worker. */
	for (struct generation *x = g; x != w->generation; x = x->next)
		x->entered[w->nr] = w->engine.now.ms;
	if (w->generation == NULL)
		atomic_store(&w->left, g->number);
	w->generation = g;
	engine_tend(&w->engine, &g->model->sites[0].chain);
}

/* ---- turns ---- */

static void dispatch(struct worker *w, const struct loop_event *ev)
{
	switch ((enum loop_kind)ev->kind) {
	case KIND_WAKE:
		break;
	case KIND_UDP:
		serving_datagrams(w->serving, (uint32_t)ev->id);
		break;
	case KIND_TCP:
		serving_accept(w->serving, (uint32_t)ev->id);
		break;
	case KIND_CLIENT:
		serving_conn(w->serving, ev);
		break;
	case KIND_ASK:
	case KIND_STREAM:
		asking_event(w->asking, ev);
		break;
	case KIND_FETCH:
		fetching_event(w->help.fetching, ev);
		break;
	}
	worker_relieve(w);
}

static void take_mail(struct worker *w)
{
	for (uint32_t from = 0; from < w->count; from++) {
		struct inbox *b = inbox_between(w, from, w->nr);
		unsigned i = 0;
		for (; from != w->nr && i < MAIL_MAX && inbox_take(b, &w->engine); i++)
			worker_relieve(w);
		w->woken |= (uint64_t)(i == MAIL_MAX) << w->nr;   /* nobody else wakes us for it again */
	}
}

static void do_errands(struct worker *w)
{
	struct errand *er;
	while ((er = inbox_take_errand(worker_own_inbox(w))) != NULL)   /* one at a time is under way */
		errand_do(er, w);
}

static void wake_peers(struct worker *w)
{
	for (uint32_t i = 0; w->woken != 0; i++, w->woken >>= 1) {
		if (w->woken & 1)
			loop_wake(&w->peers[i].loop);
	}
}

static void housekeep(struct worker *w)
{
	if (w->engine.now.ms < w->housekeeping)
		return;
	w->housekeeping = w->engine.now.ms + SECOND;
	serving_housekeeping(w->serving);
	leave_old(w);
}

static msec sleep_ms(const struct worker *w)
{
	bool changing = atomic_load(&w->left) != w->generation->number;
	msec at = engine_deadline(&w->engine);
	if (changing || serving_keeps(w->serving))
		at = MIN(at, w->housekeeping);
	if (w->fx.n > 0 || fetching_waits(w->help.fetching))   /* flushing may have written some effects */
		return 0;
	return at == NEVER ? NEVER : MAX(at - w->engine.now.ms, 0);
}

static void turn(struct worker *w)
{
	struct loop_event events[LOOP_EVENTS];
	unsigned n = loop_wait(&w->loop, sleep_ms(w), events, LOOP_EVENTS);
	clock_now(&w->engine.now);
	enter_next(w);
	asking_trusted(w->asking);
	for (unsigned i = 0; i < n; i++)
		dispatch(w, &events[i]);
	fetching_turn(w->help.fetching);   /* behind the questions */
	worker_relieve(w);
	take_mail(w);
	do_errands(w);
	bool more = true;
	while (more) {
		more = engine_turn(&w->engine);
		worker_perform(w);
	}
	serving_flush(w->serving);
	asking_flush(w->asking);
	fetching_flush(w->help.fetching);
	wake_peers(w);
	housekeep(w);
	atomic_store_explicit(&w->waiting, w->engine.clients, memory_order_release);
}

void *worker_run(void *arg)
{
	struct worker *w = arg;
	atomic_store(&w->thread_id, process_thread());
	urgency_short();
	enter_next(w);   /* main has given it before the start; service may end before the first turn */
	while (atomic_load(&w->stop) == WORKER_SERVES)
		turn(w);
	serving_stop(w->serving, w->generation);
	while (atomic_load(&w->stop) != WORKER_ENDS)
		turn(w);
	engine_tend(&w->engine, NULL);
	return NULL;
}
