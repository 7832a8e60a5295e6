#include "core/appraisal.h"

#define FULL_WAIT_MS 50            /* until the next look when all connections are full */

/* A message that came for an attempt, not yet judged. */
struct mail {
	struct mail *next;
	struct attempt *attempt;
	struct span bytes;
};

struct exchange {
	struct inquiry inquiry;
	struct attempt attempts[ATTEMPTS_MAX];
	unsigned n;
	uint64_t last;             /* places to be asked when no other one is left: they strip signatures */
	uint64_t tried, refused;   /* places asked in this round; places whose answers were of no use */
	uint64_t plain;            /* places that answered FORMERR to EDNS */
	unsigned round;
	msec hedge, deadline;
	struct mail *mail, **mail_last;
	bool over, closing;        /* closing: nobody more is asked, the end is near */
	enum err err;
	const struct scrubbed *answer;
	const struct scrubbed *spare;   /* of a server that is not authoritative: better than none */
	const struct msg *relayed;      /* an answer that is handed on as it is, once it is over */
	char refusal[64];          /* what the last unhelpful answer said */
	bool garbled;              /* and it could not be read */
	int refused_by;            /* the number of who said it; -1 nobody */
};

const struct msg *exchange_answer(const struct exchange *x)
{
	return x->relayed != NULL ? x->relayed : x->answer == NULL ? NULL : &x->answer->msg;
}

const struct scrubbed *exchange_kept(const struct exchange *x)
{
	return x->answer;
}

bool exchange_is_spare(const struct exchange *x)
{
	return x->answer != NULL && x->answer == x->spare;
}

enum err exchange_err(const struct exchange *x)
{
	return x->err;
}

/* Places of those whose answer to the question could not be proved. */
static uint64_t doubted(const struct exchange *x)
{
	const struct engine *e = x->inquiry.q->engine;
	uint64_t places = 0;
	for (unsigned i = 0; x->inquiry.q->ask.doubts > 0 && i < x->inquiry.party.n; i++) {
		const struct upstream *u = pool_upstream(x->inquiry.ask.pool, x->inquiry.party.servers[i]);
		places |= (uint64_t)answerer_is(&e->answerers, &e->key, &x->inquiry.question, &u->addr) << i;
	}
	return places;
}

/* Places of those that left out the signatures of the zone not long ago. */
static uint64_t stripping(const struct exchange *x)
{
	const struct inquiry *s = &x->inquiry;
	uint64_t places = 0;
	for (unsigned i = 0; s->ask.infra != NULL && i < s->party.n; i++) {
		bool strips = infra_strips(s->ask.infra, s->q->engine, s->party.servers[i], s->ask.zone);
		places |= (uint64_t)strips << i;
	}
	return places;
}

enum err exchange_start(struct query *q, const struct exchange_ask *ask)
{
	struct exchange *x = ARENA_NEW(&q->arena, struct exchange);
	if (x == NULL)
		return ERR_LIMIT;
	inquiry_init(&x->inquiry, q, ask);
	x->mail_last = &x->mail;
	x->refused_by = -1;
	x->refused = doubted(x);
	x->last = stripping(x);
	x->hedge = q->engine->now.ms;
	msec life = ask->life > 0 ? ask->life : EXCHANGE_LIFE_MS;
	x->deadline = MIN(q->deadline, q->engine->now.ms + (q->ask.doubts > 0 ? MIN(life, DOUBT_LIFE_MS) : life));
	q->exchange = x;
	return OK;
}

/* ---- sending ---- */

static bool is_plain(const struct exchange *x, unsigned place)
{
	if (x->plain >> place & 1)
		return true;
	const struct inquiry *s = &x->inquiry;
	return s->ask.infra != NULL && infra_plain(s->ask.infra, s->q->engine, s->party.servers[place]);
}

static unsigned attempts_max(const struct exchange *x)
{
	const struct relay *r = x->inquiry.ask.group->relay;
	return r == NULL || r->max_attempts == 0 ? ATTEMPTS_MAX : MIN(r->max_attempts, ATTEMPTS_MAX);
}

/* ERR_SPACE: the way to this server is full. */
static enum err send_to(struct exchange *x, unsigned place, enum transport transport)
{
	if (x->n >= attempts_max(x))
		return ERR_LIMIT;
	const struct relay *r = x->inquiry.ask.group->relay;
	struct attempt *a = &x->attempts[x->n];
	*a = (struct attempt){ .x = x, .inquiry = &x->inquiry, .number = (uint8_t)x->n, .place = place,
		               .server = x->inquiry.party.servers[place], .transport = transport,
		               .sent = x->inquiry.q->engine->now.ms, .plain = is_plain(x, place) };
	a->late = a->sent + (pool_patience(x->inquiry.ask.pool, a->server) << MIN(x->round, 3));
	if (r != NULL)
		a->late = MIN(a->late, a->sent + r->read_timeout);
	TRY(attempt_send(a));
	x->n++;
	return OK;
}

/* A Corefile's forward asks as its client did. */
static enum transport transport_to(const struct exchange *x, unsigned place)
{
	const struct inquiry *s = &x->inquiry;
	const struct relay *r = s->ask.group->relay;
	bool tls = r != NULL ? pool_upstream(s->ask.pool, s->party.servers[place])->tls : s->ask.group->tls;
	if (tls)
		return TRANSPORT_DOT;
	bool follow = r != NULL && !r->prefer_udp && s->q->form & FORM_STREAM;
	return s->ask.group->tcp || follow ? TRANSPORT_TCP : TRANSPORT_UDP;
}

static unsigned live(const struct exchange *x)
{
	unsigned n = 0;
	for (unsigned i = 0; i < x->n; i++)
		n += x->attempts[i].live;
	return n;
}

/* Somebody has the question, and may yet answer it well. */
static bool hopeful(const struct exchange *x)
{
	bool hope = false;
	for (unsigned i = 0; i < x->n; i++)
		hope |= x->attempts[i].live && !x->attempts[i].useless;
	return hope && x->n < ATTEMPTS_MAX;
}

/* A server is asked one at a time (attacks A2): an older question to it gives way. */
static void give_way(struct exchange *x, unsigned place)
{
	for (unsigned i = 0; i < x->n; i++) {
		if (x->attempts[i].place == place && x->attempts[i].live)
			attempt_end(&x->attempts[i]);
	}
}

/* All are passed over: may one of them be tried? A forward does, unless it is told not to. */
static bool may_try_broken(const struct exchange *x)
{
	const struct relay *r = x->inquiry.ask.group->relay;
	if (r == NULL || x->inquiry.q->ask.aim > 0)
		return !x->inquiry.ask.group->tls && !x->inquiry.ask.group->tcp;
	if (x->inquiry.ask.counts != NULL)
		relay_count(&x->inquiry.ask.counts->all_down);
	return !r->failfast;
}

/* The next server of this round; when all have been asked, a new round with more patience. One whose answer was of no
 * use is not asked again. When all are passed over, a first datagram may still try one: it costs no connection. */
static int next_server(struct exchange *x)
{
	struct engine *e = x->inquiry.q->engine;
	struct choice how = { .tried = x->tried | x->refused | x->last };
	int s = pool_pick(x->inquiry.ask.pool, e, &x->inquiry.party, how);
	if (s < 0 && x->last != 0) {
		how.tried = x->tried | x->refused;
		s = pool_pick(x->inquiry.ask.pool, e, &x->inquiry.party, how);
	}
	if (s >= 0)
		return s;
	if (x->tried != 0) {
		x->tried = 0;
		x->round++;
		how.tried = x->refused;
		s = pool_pick(x->inquiry.ask.pool, e, &x->inquiry.party, how);
	}
	how = (struct choice){ .tried = x->refused, .broken_too = true };
	if (s < 0 && x->n == 0 && may_try_broken(x))
		s = pool_pick(x->inquiry.ask.pool, e, &x->inquiry.party, how);
	return s;
}

/* Ask one more server. ERR_UPSTREAM when there is none to ask. */
static enum err ask_next(struct exchange *x)
{
	int place = next_server(x);
	if (place < 0)
		return ERR_UPSTREAM;
	x->tried |= UINT64_C(1) << place;
	if (transport_to(x, (unsigned)place) != TRANSPORT_UDP) {
		/* The stream holds the older question; asking it again on the same one gains nothing. */
		for (unsigned i = 0; i < x->n; i++) {
			if (x->attempts[i].place == (unsigned)place && x->attempts[i].live) {
				x->hedge = x->inquiry.q->engine->now.ms + PATIENCE_AGAIN_MS;
				return OK;
			}
		}
	} else {
		give_way(x, (unsigned)place);
	}
	if (x->n > 0 && live(x) > 0)
		metrics_add(x->inquiry.q->engine->metrics, M_UPSTREAM_HEDGED, 1);
	TRY(send_to(x, (unsigned)place, transport_to(x, (unsigned)place)));
	x->hedge = x->attempts[x->n - 1].late;
	return OK;
}

/* The same; a server whose connections are full is passed over. */
static enum err ask_any(struct exchange *x)
{
	enum err err = ERR_SPACE;
	for (unsigned i = 0; i < x->inquiry.party.n && err == ERR_SPACE; i++)
		err = ask_next(x);
	return err;
}

/* ---- judging ---- */

static void fail(struct exchange *x, enum err err)
{
	x->over = true;
	if (x->relayed != NULL)
		return;
	if (x->spare != NULL)
		x->answer = x->spare;
	else if (err == ERR_UPSTREAM && x->refused_by >= 0)
		x->err = x->garbled ? ERR_GARBLED : ERR_LAME;
	else
		x->err = err;
}

/* It is of no use. Over UDP it may be forged: the true answer may still come to the same socket (attacks A8). */
static void refuse(struct exchange *x, struct attempt *a, const char *said)
{
	if (a->transport != TRANSPORT_UDP)
		attempt_end(a);
	struct buf b = buf_on(x->refusal, sizeof(x->refusal));
	buf_text(&b, said);
	buf_cstr(&b);
	a->useless = true;
	x->garbled = false;
	x->refused_by = (int)a->server;
	x->refused |= UINT64_C(1) << a->place;
	x->hedge = x->inquiry.q->engine->now.ms;
}

/* Too long for UDP, or too many strays: the same server over TCP. */
static void to_tcp(struct exchange *x, unsigned place)
{
	enum err err = send_to(x, place, TRANSPORT_TCP);
	if (err == OK)
		x->hedge = x->inquiry.q->engine->now.ms + PATIENCE_AGAIN_MS;
}

/* A server that cannot do EDNS is asked once more without, and not on the word of one datagram alone (attacks A12). */
static bool without_edns(struct exchange *x, const struct attempt *a)
{
	x->plain |= UINT64_C(1) << a->place;
	enum transport t = transport_to(x, a->place) == TRANSPORT_DOT ? TRANSPORT_DOT : TRANSPORT_TCP;
	return send_to(x, a->place, t) == OK;
}

/* Who it came from counts only if somebody may come to doubt it. */
static void note_answerer(struct exchange *x, const struct attempt *a)
{
	struct engine *e = x->inquiry.q->engine;
	const struct upstream *u = pool_upstream(x->inquiry.ask.pool, a->server);
	x->inquiry.q->ask.by = u->addr;
	if (x->inquiry.q->chain->conf.anchorage != NULL && question_eq(&x->inquiry.question, &x->inquiry.q->question))
		answerer_note(&e->answerers, &e->key, &x->inquiry.question, &u->addr, x->inquiry.q->ask.doubts > 0);
}

/* What a server said is the answer; refused it is when another is to be asked for a better one. */
static void hand_on(struct exchange *x, struct attempt *a, const struct appraisal *it)
{
	x->relayed = it->msg;
	x->inquiry.q->ask.by = pool_upstream(x->inquiry.ask.pool, a->server)->addr;
	if (it->why != NULL)
		refuse(x, a, it->why);
	else
		x->over = true;
	attempt_end(a);
}

static void take(struct exchange *x, struct attempt *a, const struct appraisal *it)
{
	if (it->worth == WORTH_ANSWER)
		note_answerer(x, a);
	attempt_end(a);
	x->relayed = NULL;   /* another server's word stands no longer */
	x->answer = it->kept;
	x->over = true;
}

static void judge(struct exchange *x, struct attempt *a, struct span bytes)
{
	struct appraisal it = appraisal_make(a, bytes);
	switch (it.worth) {
	case WORTH_CUT:
		attempt_end(a);
		to_tcp(x, a->place);
		return;
	case WORTH_RELAYED:
		if (!appraisal_is_plainly(&it, a) || !without_edns(x, a))
			hand_on(x, a, &it);
		return;
	case WORTH_REFERRAL:
	case WORTH_ANSWER:
		take(x, a, &it);
		return;
	case WORTH_SPARE:
		if (x->spare == NULL) {
			x->spare = it.kept;
			note_answerer(x, a);
		}
		break;
	case WORTH_NOTHING:
		if (appraisal_is_plainly(&it, a) && without_edns(x, a))
			return;
		break;
	case WORTH_GARBLED:
		break;
	}
	refuse(x, a, it.why);
	x->garbled = it.worth == WORTH_GARBLED;
}

static void open_mail(struct exchange *x)
{
	while (x->mail != NULL && !x->over) {
		struct mail *mail = x->mail;
		x->mail = mail->next;
		if (x->mail == NULL)
			x->mail_last = &x->mail;
		if (mail->attempt->live)
			judge(x, mail->attempt, mail->bytes);
	}
}

/* When the first of those under way has waited as long as it may; NEVER: only the question's own end ends them. */
static msec first_overdue(const struct exchange *x)
{
	const struct relay *r = x->inquiry.ask.group->relay;
	msec at = NEVER;
	for (unsigned i = 0; r != NULL && i < x->n; i++) {
		if (x->attempts[i].live)
			at = MIN(at, x->attempts[i].sent + r->read_timeout);
	}
	return at;
}

/* A forward's read_timeout: nothing that comes later counts. */
static void end_overdue(struct exchange *x)
{
	const struct relay *r = x->inquiry.ask.group->relay;
	msec now = x->inquiry.q->engine->now.ms;
	bool any = false;
	for (unsigned i = 0; r != NULL && i < x->n; i++) {
		struct attempt *a = &x->attempts[i];
		if (!a->live || a->sent + r->read_timeout > now)
			continue;
		attempt_end(a);
		any = true;
	}
	if (any && live(x) == 0)
		x->hedge = now;
}

/* Those that have had their time are late, each once. */
static void note_late(struct exchange *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		struct attempt *a = &x->attempts[i];
		if (!a->live || a->useless || a->late > x->inquiry.q->engine->now.ms)
			continue;
		a->late = NEVER;
		pool_late(x->inquiry.ask.pool, a->server);
	}
	end_overdue(x);
}

/* Nobody more can be asked: those under way get a last chance. A stream's end is the pool's to tell. That the budget is
 * spent is said soon and as such, because somebody else who waits may have some left. */
static void last_chance(struct exchange *x, enum err err)
{
	bool streams = false, hope = false;
	for (unsigned i = 0; i < x->n; i++) {
		streams |= x->attempts[i].live && x->attempts[i].transport != TRANSPORT_UDP;
		hope |= x->attempts[i].live && !x->attempts[i].useless;
	}
	if (x->closing || live(x) == 0) {
		fail(x, err == ERR_LIMIT ? ERR_UPSTREAM : err);
		return;
	}
	if (x->inquiry.ask.group->relay != NULL && hope && err != ERR_BUDGET) {
		x->hedge = x->deadline;   /* each has its read_timeout */
		return;
	}
	x->closing = err == ERR_BUDGET || !streams;
	msec last = !hope ? PATIENCE_USELESS_MS : err == ERR_BUDGET ? PATIENCE_AGAIN_MS : PATIENCE_LAST_MS;
	msec until = x->inquiry.q->engine->now.ms + last;
	x->hedge = x->closing ? MIN(until, x->deadline) : x->deadline;
}

bool exchange_turn(struct exchange *x)
{
	struct query *q = x->inquiry.q;
	msec now = q->engine->now.ms;
	open_mail(x);
	if (!x->over)
		note_late(x);
	if (!x->over && now >= x->deadline)
		fail(x, ERR_TIMEOUT);
	bool crowded = !x->over && now >= x->hedge && hopeful(x) && !pool_may_hedge(x->inquiry.ask.pool);
	if (crowded) {
		x->hedge = MIN(now + CROWDED_MS, x->deadline);
	} else if (!x->over && now >= x->hedge) {
		enum err err = ask_any(x);
		if (err == ERR_SPACE)
			x->hedge = MIN(now + FULL_WAIT_MS, x->deadline);
		else if (err != OK)
			last_chance(x, err);
		else
			x->closing = false;
	}
	q->wake_at = MIN(MIN(x->hedge, x->deadline), first_overdue(x));
	return x->over;
}

const char *exchange_cause(struct exchange *x)
{
	char text[EDE_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	struct pool *pool = x->inquiry.ask.pool;
	if (x->refused_by >= 0) {
		addr_port_text(&pool_upstream(pool, (unsigned)x->refused_by)->addr, &b);
		buf_printf(&b, " answered %s", x->refusal);
	}
	for (unsigned i = 0; i < x->inquiry.party.n; i++) {
		unsigned server = x->inquiry.party.servers[i];
		if (!pool_broken(pool, server))
			continue;
		const struct upstream *u = pool_upstream(pool, server);
		if (b.n > 0)
			buf_text(&b, "; ");
		upstream_text(u, &b);
		buf_printf(&b, ": %s", pool_cause(pool, server));
		if (pool_cause_is_auth(pool, server))
			x->err = ERR_NETWORK;
	}
	if (b.n == 0)
		buf_text(&b, err_text(x->err));
	char *copy = arena_text(&x->inquiry.q->arena, span_text(buf_cstr(&b)));
	return copy == NULL ? "" : copy;
}

void exchange_end(struct exchange *x)
{
	for (unsigned i = 0; i < x->n; i++)
		attempt_end(&x->attempts[i]);
	for (unsigned i = 0; i < x->inquiry.party.n && x->inquiry.ask.infra != NULL; i++)
		infra_leave(x->inquiry.ask.infra, x->inquiry.party.servers[i]);
	if (x->inquiry.ask.counts != NULL)
		atomic_fetch_sub_explicit(&x->inquiry.ask.counts->under_way, 1, memory_order_relaxed);
	if (x->inquiry.ask.led != NULL)
		infra_led(x->inquiry.ask.led, x->inquiry.q->engine, &x->inquiry.question, x->inquiry.q->id);
	x->inquiry.q->exchange = NULL;
}

/* ---- what comes in ---- */

const struct addr *exchange_server(const struct attempt *a)
{
	return &pool_upstream(a->x->inquiry.ask.pool, a->server)->addr;
}

static void deliver(struct attempt *a, struct span bytes)
{
	struct exchange *x = a->x;
	struct query *q = x->inquiry.q;
	struct mail *mail = ARENA_NEW(&q->arena, struct mail);
	struct span copy = arena_span(&q->arena, bytes);
	if (query_spend(q, 0, (uint32_t)bytes.n, 0) != OK || mail == NULL || copy.p == NULL) {
		fail(x, ERR_BUDGET);
	} else {
		*mail = (struct mail){ .attempt = a, .bytes = copy };
		*x->mail_last = mail;
		x->mail_last = &mail->next;
	}
	query_wake(q);
}

/* The network takes no datagrams for the server. */
static void unreachable(struct attempt *a, const struct event *ev)
{
	struct exchange *x = a->x;
	struct engine *e = x->inquiry.q->engine;
	if (ev->why == CLOSED_LOCAL)
		x->inquiry.q->budget->packets++;   /* nothing was sent */
	if (ev->why == CLOSED_LOCAL && x->inquiry.ask.infra != NULL)
		infra_note_reached(x->inquiry.ask.infra, e, a->server, false);
	pool_failed(x->inquiry.ask.pool, e, a->server, "network unreachable or port closed");
	attempt_end(a);
	x->hedge = e->now.ms;
	query_wake(x->inquiry.q);
}

void exchange_datagram(struct engine *e, const struct event *ev)
{
	struct attempt *a = slots_get(&e->sockets, ev->socket);
	if (a == NULL || !a->live)
		return;
	struct exchange *x = a->x;
	if (ev->kind == EV_UNREACHABLE) {
		unreachable(a, ev);
		return;
	}
	switch (attempt_arrival(a, ev->bytes)) {
	case ARRIVAL_ANSWER:
		deliver(a, ev->bytes);
		return;
	case ARRIVAL_SUSPECT:
		to_tcp(x, a->place);
		break;
	case ARRIVAL_STRAY:
		break;
	}
	if (a->strays == STRAYS_MAX && live(x) > 1)
		attempt_end(a);   /* whoever guesses has had his tries; the connection goes on */
}

static struct attempt *find(struct engine *e, struct token token)
{
	struct query *q = slots_get(&e->queries, token.query);
	if (q == NULL || q->exchange == NULL || token.attempt >= q->exchange->n)
		return NULL;
	struct attempt *a = &q->exchange->attempts[token.attempt];
	return a->live ? a : NULL;
}

bool exchange_reply(struct engine *e, struct token token, struct span message)
{
	struct attempt *a = find(e, token);
	if (a == NULL || !inquiry_matches(a->inquiry, message))
		return false;
	a->replied = true;
	deliver(a, message);
	return true;
}

void exchange_lost(struct engine *e, struct token token)
{
	struct attempt *a = find(e, token);
	if (a == NULL)
		return;
	a->live = false;
	if (!a->x->over && live(a->x) == 0)
		a->x->hedge = e->now.ms;
	query_wake(a->x->inquiry.q);
}
