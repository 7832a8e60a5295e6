#include "sim/play_network.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "crypto/verify.h"
#include "sim/rpl_anchors.h"

#define START_WALL 1750000000
#define WAIT_MS 10000            /* as long as a client waits */
#define WAIT_OUT_MS 3000
#define TIMEOUTS_MAX 40u
#define TTL_SLACK 2u
#define FILE_MAX_BYTES (4u << 20)
#define SCENARIO_ARENA (64u << 20)
#define YEAR_ONE 100000000.0     /* a first step beyond this many seconds sets the clock */

/* ---- time ---- */

/* What ${time} and ${timeout} are now. */
static void set_macros(struct player *p)
{
	int64_t due = p->anchorage == NULL ? INT64_MAX : anchorage_due(p->anchorage);
	p->macros.time = p->engine.now.wall.sec;
	p->macros.timeout = due == INT64_MAX ? 0 : due - p->macros.time;
}

/* "ELAPSE 30", "EVAL ${30*24*3600}"; below 0: neither. */
static double seconds(struct player *p, struct span s)
{
	char text[64];
	struct buf b = buf_on(text, sizeof(text));
	bool eval = s.n > 5 && memcmp(s.p, "EVAL ", 5) == 0;
	if (!eval && (s.n < 7 || memcmp(s.p, "ELAPSE ", 7) != 0))
		return -1;
	set_macros(p);
	return rpl_expand(&p->macros, span_from(s, eval ? 5 : 7), &b, p->why) ? strtod(buf_cstr(&b), NULL) : -1;
}

static void time_passes(struct player *p, const struct rpl_step *s)
{
	double sec = seconds(p, s->rest);
	if (sec < 0) {
		play_fail(p, "no time: %.*s", (int)s->rest.n, (const char *)s->rest.p);
		return;
	}
	play_clock_set(p, p->engine.now.ms + (msec)(sec * 1000 + 0.5));
	play_settle(p);
}

/* ---- clients ---- */

static unsigned waiting(const struct player *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->clients.nasked; i++)
		n += p->clients.asked[i].waiting;
	return n;
}

static void refuse(struct player *p, struct client *c, unsigned i, unsigned rcode)
{
	uint8_t room[4096];
	struct buf out = buf_on(room, sizeof(room));
	if (reply_error(&p->model->sites[0].reply, c, rcode, (struct reason){ -1, NULL }, &out) == OK)
		play_answered(p, i, buf_span(&out));
}

static void ask(struct player *p, const struct rpl_step *s)
{
	static uint8_t room[MSG_MAX], packet[MSG_MAX];
	struct clients *cs = &p->clients;
	struct buf b = buf_on(packet, sizeof(packet)), out = buf_on(room, sizeof(room));
	if (cs->nasked == ASKED_MAX) {
		play_fail(p, "too many questions");
		return;
	}
	unsigned i = cs->nasked++, rcode;
	bool tcp = s->entry->match >> MATCH_TCP & 1;
	cs->asked[i] = (struct asked){ .nr = s->nr, .id = (uint16_t)(4711 + 97 * i), .tcp = tcp,
		                       .waiting = !s->entry->is_raw };
	rpl_question(s->entry, cs->asked[i].id, &b);
	struct client c = { .proto = tcp ? PROTO_TCP : PROTO_UDP, .conn = i + 1, .arrived = p->engine.now.ms,
		            .from = { .family = ADDR_4, .port = 5353, .ip = { 127, 0, 0, 1 } },
		            .to = { .family = ADDR_4, .port = 53, .ip = { 127, 0, 0, 1 } } };
	if (s->addr.family != ADDR_NONE)
		c.from = s->addr;
	uint16_t size_max = (uint16_t)MAX(512u, MIN(p->model->listen.max_udp_size, p->model->sites[0].reply.edns_size));
	enum client_sort sort = client_read(&c, buf_span(&b), size_max, &rcode);
	if (sort != CLIENT_QUESTION) {
		if (sort != CLIENT_DROP && !s->entry->is_raw)
			refuse(p, &c, i, rcode);
		return;
	}
	if (p->model->process.cookies && c.edns.present && (c.edns.cookie.n == 8 || c.edns.cookie.n >= 16))
		cookie_judge(&p->cookie, p->engine.now.wall, &c);
	struct fast f = { .engine = &p->engine, .chain = &p->model->sites[0].chain, .client = &c, .out = &out };
	f.reply = &p->model->sites[0].reply;
	enum verdict v = fast_run(&f);
	if (v == ANSWERED)
		play_answered(p, i, buf_span(&out));
	else if (v != SLOW || engine_question(&p->engine, f.chain, f.place, &c) != OK)
		play_answered(p, i, (struct span){ 0 });
	else
		purse_open(p->purse, &p->engine);
}

/* ---- steps ---- */

static bool judged(struct player *p, const struct rpl_step *s, const struct answer *a, struct buf *why)
{
	struct rpl_judge j = { .deckard = p->rpl.deckard, .ttl_slack = p->ttl_slack };
	return rpl_matches(&j, s->entry, &a->packet, why);
}

static void rescue(struct player *p)
{
	while (p->net.nout > 0) {
		struct out o = p->net.out[0];
		network_drop(p, 0);
		network_servfail(p, &o);
	}
}

/* Nothing more comes by itself: what is asked of nobody fails, and then time passes, as it does for a client. */
static bool stir(struct player *p, msec end)
{
	if (p->net.nout > 0) {
		rescue(p);
		play_settle(p);
		return true;
	}
	return play_advance(p, end);
}

static void check_answer(struct player *p)
{
	struct rpl_step *s = p->step;
	struct clients *c = &p->clients;
	msec end = p->engine.now.ms + WAIT_MS;
	if (c->nanswers == 0)
		network_answer(p);
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		char room[RPL_WHY];
		struct buf why = buf_on(room, sizeof(room));
		play_settle(p);
		if (p->result != PLAYED_PASS || p->step != s)
			return;
		for (unsigned i = 0; i < c->nanswers; i++) {
			why = buf_on(room, sizeof(room));
			if (!judged(p, s, &c->answers[i], &why))
				continue;
			play_note(p, "STEP %u CHECK_ANSWER ok", s->nr);
			memmove(&c->answers[i], &c->answers[i + 1], sizeof(c->answers[0]) * (c->nanswers - i - 1));
			c->nanswers--;
			p->step = s->next;
			return;
		}
		if (c->nanswers > 0 && waiting(p) == 0)
			play_fail(p, "%s", buf_cstr(&why));
		else if (waiting(p) == 0)
			play_fail(p, "no answer is due");
		else if (!stir(p, end))
			play_fail(p, "%s", c->nanswers > 0 ? buf_cstr(&why) : "no answer");
	}
}

static void check_out_query(struct player *p)
{
	const struct rpl_step *s = p->step;
	msec end = p->engine.now.ms + WAIT_OUT_MS;
	for (unsigned round = 0; round < ROUNDS_MAX && p->result == PLAYED_PASS; round++) {
		for (unsigned i = 0; i < p->net.nout; i++) {
			if (!network_is_due(p, s, &p->net.out[i]))
				continue;
			network_check_out(p, i);
			return;
		}
		play_settle(p);
		if (p->step != s || p->result != PLAYED_PASS)
			return;
		if (play_advance(p, end))
			continue;
		char room[RPL_WHY];
		struct buf b = buf_on(room, sizeof(room));
		for (unsigned i = 0; i < MIN(p->net.nout, 4u); i++) {
			buf_text(&b, i > 0 ? ", " : "");
			network_out_text(&p->net.out[i], &b);
		}
		play_fail(p, "no such question; there are: %s", b.n == 0 ? "none" : buf_cstr(&b));
	}
}

static void step_reply(struct player *p)
{
	struct rpl_step *s = p->step;
	msec end = p->engine.now.ms + WAIT_OUT_MS;
	play_settle(p);
	while (p->net.nout == 0 && p->result == PLAYED_PASS && play_advance(p, end))
		continue;
	if (p->result != PLAYED_PASS || p->step != s)
		return;
	if (p->net.nout == 0) {
		play_fail(p, "nobody has asked");
		return;
	}
	unsigned pick = p->net.nout - 1;
	const struct rpl_packet *want = &s->entry->packet;
	for (unsigned i = p->net.nout; i-- > 0;) {
		const struct out *o = &p->net.out[i];
		bool same = want->asked && o->packet.asked && o->packet.question.type == want->question.type &&
		            name_eq(o->packet.question.name, want->question.name);
		if (!same || (s->addr.family != ADDR_NONE && !addr_eq(&s->addr, &o->to)))
			continue;
		pick = i;
		break;
	}
	struct out o = p->net.out[pick];
	network_drop(p, pick);
	p->step = s->next;
	network_respond(p, &o, s->entry);
	if (!play_at(p, STEP_CHECK_ANSWER) && !play_at(p, STEP_CHECK_OUT_QUERY))
		play_settle(p);
}

/* What is asked stays without an answer until the resolver asks something else, or gives up. */
static void step_timeout(struct player *p)
{
	struct rpl_step *s = p->step;
	msec begun = p->engine.now.ms;
	play_settle(p);
	for (unsigned i = 0; i < TIMEOUTS_MAX && p->step == s && p->clients.nanswers == 0; i++) {
		p->timing_out = p->net.nout + 1;
		p->net.nout = p->net.nnew = 0;
		if (waiting(p) == 0 || !play_advance(p, NEVER - 1))
			break;
		if (p->net.nout > 0)
			break;
	}
	p->timing_out = 0;
	p->ttl_slack += (uint32_t)((p->engine.now.ms - begun + 999) / 1000);
	if (p->step == s)
		p->step = s->next;
	while (p->clients.nanswers > 0 && play_gives_up(p->step))
		p->step = p->step->next;
}

static void check_file(struct player *p, const struct rpl_step *s)
{
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	const struct rpl_file *f = p->rpl.autotrust;
	while (f != NULL && !span_is(s->rest, f->name))
		f = f->next;
	if (f == NULL || !rpl_file_is(&p->macros, s->file, f->text, &why))
		play_fail(p, "%s", f == NULL ? "no such file" : buf_cstr(&why));
}

/* Those that look at nothing the network says. */
static void step_aside(struct player *p, const struct rpl_step *s)
{
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	set_macros(p);
	if (s->kind == STEP_CHECK_AUTOTRUST)
		check_file(p, s);
	else if (s->kind == STEP_ASSIGN && !rpl_assign(&p->macros, s->rest, &why))
		play_fail(p, "%s", buf_cstr(&why));
}

static void play_step(struct player *p)
{
	struct rpl_step *s = p->step;
	if (s->kind == STEP_CHECK_ANSWER || s->kind == STEP_ANSWER) {
		check_answer(p);
		return;
	}
	if (s->kind == STEP_CHECK_OUT_QUERY) {
		check_out_query(p);
		return;
	}
	if (s->kind == STEP_REPLY || s->kind == STEP_MOCK) {
		step_reply(p);
		return;
	}
	network_answer(p);
	play_settle(p);
	if (p->step != s || p->result != PLAYED_PASS)
		return;
	play_note(p, "STEP %u %s", s->nr, rpl_step_names[s->kind]);
	if (play_gives_up(s)) {
		step_timeout(p);
		return;
	}
	if (s->kind == STEP_TIME_PASSES)
		time_passes(p, s);
	step_aside(p, s);
	p->step = s->next;      /* what is asked now is answered as of the next step */
	if (s->kind == STEP_QUERY) {
		ask(p, s);
		if (!play_at(p, STEP_CHECK_ANSWER) && !play_at(p, STEP_CHECK_OUT_QUERY) && !play_at(p, STEP_REPLY))
			play_settle(p);
	}
}

static void play_step_deckard(struct player *p)
{
	struct rpl_step *s = p->step;
	struct clients *c = &p->clients;
	msec end = p->engine.now.ms + WAIT_MS;
	char room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	play_note(p, "STEP %u %s", s->nr, rpl_step_names[s->kind]);
	if (s->kind == STEP_QUERY) {
		c->any = false;
		ask(p, s);
		play_settle(p);
		while (waiting(p) > 0 && p->result == PLAYED_PASS && stir(p, end))
			continue;
		if (waiting(p) > 0)
			play_fail(p, "no answer");
		c->nanswers = 0;
	} else if (s->kind == STEP_CHECK_ANSWER || s->kind == STEP_ANSWER) {
		if (!c->any)
			play_fail(p, "no answer");
		else if (!judged(p, s, &c->last, &why))
			play_fail(p, "%s", buf_cstr(&why));
	} else if (s->kind == STEP_TIME_PASSES) {
		time_passes(p, s);
	}
	if (p->result == PLAYED_PASS)
		p->step = s->next;
}

/* ---- beginning and end ---- */

static bool begin(struct player *p)
{
	struct live_env env = { .workers = 1 };
	struct rng rng;
	uint8_t bytes[32];
	diag_init(&p->diag, &p->conf);
	p->model = model_from_text(span_text(p->rpl.conf), &p->diag);
	if (p->model == NULL) {
		for (const struct diag_line *l = p->diag.first; l != NULL; l = l->next) {
			if (l->level == DIAG_ERROR) {
				play_fail(p, "configuration: %s", l->text);
				break;
			}
		}
		return false;
	}
	rng_seed_number(&rng, p->seed);
	rng_fill(&rng, &env.key, sizeof(env.key));
	rng_fill(&rng, bytes, sizeof(bytes));
	struct chain *c = &p->model->sites[0].chain;
	c->instance = 1;
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_make != NULL)
			c->links[i].live = p->model->sites[0].plugins[i]->live_make(c->links[i].self, &env);
	}
	p->fx = heap_new(sizeof(*p->fx));
	p->fx->scratch = &p->scratch;
	struct now now = p->engine.now;
	engine_init(&p->engine, 0, 1, &env.key, bytes);
	p->engine.fx = p->fx;
	p->engine.metrics = &p->metrics;
	p->engine.now = now;
	char why[256];
	struct buf text = buf_on(why, sizeof(why));
	p->engine.crypto = verifier_new(NULL, &env.key, 64, &text);
	p->anchorage = rpl_anchors_load(&p->rpl, p->model, &p->diag, now.wall.sec);
	if (p->anchorage != NULL)
		engine_tend(&p->engine, c);
	const char *secret = p->model->process.cookie_secret;
	if (secret != NULL && *secret != 0 && cookie_secret_parse(span_text(secret), &p->cookie) != OK)
		play_fail(p, "configuration: the cookie secret cannot be read");
	return true;
}

static void end(struct player *p)
{
	if (p->model == NULL)
		return;
	struct chain *c = &p->model->sites[0].chain;
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_leave != NULL)
			p->model->sites[0].plugins[i]->live_leave(c->links[i].live, &p->engine);
	}
	purse_close(p->purse, &p->metrics);
	verifier_free(p->engine.crypto);
	engine_fini(&p->engine);
	for (unsigned i = 0; i < c->n; i++) {
		if (p->model->sites[0].plugins[i]->live_free != NULL)
			p->model->sites[0].plugins[i]->live_free(c->links[i].live);
	}
	if (p->anchorage != NULL)
		anchorage_free(p->anchorage);
	heap_free(p->fx);
	model_free(p->model);
}

/* A scenario that begins with a date begins on that date. */
static void set_clock(struct player *p)
{
	const struct rpl_step *s = p->step;
	p->engine.now = (struct now){ .ms = START_MS, .wall = { .sec = START_WALL } };
	if (s->kind == STEP_TIME_PASSES && seconds(p, s->rest) > YEAR_ONE) {
		p->engine.now.wall.sec = (int64_t)seconds(p, s->rest);
		p->step = s->next;
	}
	if (rpl_conf_value(&p->rpl, "cookie-secret").n > 0)
		p->engine.now.wall.sec = 0;
}

static void play(struct player *p)
{
	for (const struct rpl_step *s = p->rpl.steps; s != NULL; s = s->next)
		p->last_nr = s->nr;
	p->step = p->rpl.steps;
	p->ttl_slack = TTL_SLACK;
	set_clock(p);
	if (begin(p)) {
		while (p->step != NULL && p->result == PLAYED_PASS) {
			if (p->rpl.deckard)
				play_step_deckard(p);
			else
				play_step(p);
		}
		if (p->clients.nanswers > 0)
			play_fail(p, "an answer to step %u that is not expected", p->clients.answers[0].nr);
	}
	end(p);
}

static struct span read_file(struct arena *a, const char *file)
{
	FILE *f = fopen(file, "rb");
	uint8_t *bytes = arena_alloc(a, FILE_MAX_BYTES);
	if (f == NULL || bytes == NULL)
		return (struct span){ 0 };
	size_t n = fread(bytes, 1, FILE_MAX_BYTES, f);
	(void)fclose(f);
	return span_of(bytes, n);
}

enum played play_file(const char *file, const struct play_how *how, struct buf *why)
{
	struct player *p = heap_new(sizeof(*p));
	p->why = why;
	p->trace = how->trace;
	p->seed = how->seed;
	p->purse = how->purse;
	arena_init(&p->arena, SCENARIO_ARENA);
	arena_init(&p->conf, 8u << 20);
	arena_init(&p->scratch, 16u << 20);
	struct span text = read_file(&p->arena, file);
	enum rpl_found found = text.n == 0 ? RPL_UNREADABLE : rpl_read(&p->arena, text, &p->rpl, why);
	if (text.n == 0)
		buf_text(why, "cannot be read");
	if (found == RPL_READ && *how->append != 0)
		p->rpl.conf = arena_printf(&p->arena, "%s\n%s\n", p->rpl.conf, how->append);
	if (found == RPL_READ && p->rpl.files) {
		found = RPL_NOT_PLAYED;
		buf_text(why, "it wants files beside the configuration");
	}
	p->result = found == RPL_READ ? PLAYED_PASS : found == RPL_NOT_PLAYED ? PLAYED_SKIP : PLAYED_FAIL;
	if (found == RPL_READ)
		play(p);
	enum played result = p->result;
	arena_free(&p->arena);
	arena_free(&p->conf);
	arena_free(&p->scratch);
	heap_free(p);
	return result;
}
