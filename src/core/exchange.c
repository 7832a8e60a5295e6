#include "core/exchange.h"

#include "core/scrub.h"

#define FULL_WAIT_MS 50            /* until the next look when all connections are full */

/* One question on the wire. */
struct attempt {
	struct exchange *x;
	unsigned server;
	enum transport transport;
	bool live;                 /* an answer may still come */
	bool useless;              /* one came that helps nobody; over UDP a true one may still follow */
	bool replied;              /* its stream has delivered something for it */
	uint16_t id;
	uint8_t strays;
	slot_id socket;            /* UDP: ours in engine->sockets */
	msec sent, late;           /* late: when its time is over; NEVER once that was noted */
};

/* A message that came for an attempt, not yet judged. */
struct mail {
	struct mail *next;
	struct attempt *attempt;
	struct span bytes;
};

struct exchange {
	struct query *q;
	struct pool *pool;
	const struct upstream_group *group;
	struct name zone;
	struct span message;       /* the question with id 0 */
	struct attempt attempts[ATTEMPTS_MAX];
	unsigned n;
	uint64_t tried, refused;   /* servers asked in this round; servers whose answers were of no use */
	unsigned round;
	bool plain;                /* without EDNS: a server answered FORMERR to it */
	msec hedge, deadline;
	struct mail *mail, **mail_last;
	bool over, closing;        /* closing: nobody more is asked, the end is near */
	enum err err;
	struct msg *answer;
	char refusal[64];          /* what the last unhelpful answer said */
	int refused_by;            /* and who said it; -1 nobody */
};

const struct msg *exchange_answer(const struct exchange *x)
{
	return x->answer;
}

enum err exchange_err(const struct exchange *x)
{
	return x->err;
}

/* The question as sent: RD for forwarders, DO, 1232, padding where it hides the length (RFC8467). */
static enum err build(struct exchange *x)
{
	struct query *q = x->q;
	uint8_t room[MSG_HEADER + NAME_MAX_BYTES + 4 + 160];
	struct buf b = buf_on(room, sizeof(room));
	struct msg_writer w;
	uint16_t flags = (uint16_t)((x->group->recursive ? FLAG_RD : 0) | (q->checking_disabled ? FLAG_CD : 0));
	msg_begin(&w, &b, 0, flags);
	msg_question(&w, &q->question);
	if (!x->plain) {
		const struct chain_conf *conf = &q->chain->conf;
		size_t at = edns_begin(&b, (uint16_t)conf->edns_size, 0, !conf->no_dnssec_ok);
		if (conf->pad_queries && x->group->tls)
			edns_pad(&b, (uint16_t)conf->pad_block);
		edns_end(&b, at);
		msg_opt_counted(&w);
	}
	msg_end(&w);
	ASSERT(buf_ok(&b));
	x->message = arena_span(&q->arena, buf_span(&b));
	return x->message.p == NULL ? ERR_LIMIT : OK;
}

enum err exchange_start(struct query *q, struct pool *pool, const struct upstream_group *group, struct name zone)
{
	struct exchange *x = ARENA_NEW(&q->arena, struct exchange);
	if (x == NULL)
		return ERR_LIMIT;
	x->q = q;
	x->pool = pool;
	x->group = group;
	x->zone = zone;
	x->mail_last = &x->mail;
	x->refused_by = -1;
	x->hedge = q->engine->now.ms;
	x->deadline = MIN(q->deadline, q->engine->now.ms + EXCHANGE_LIFE_MS);
	TRY(build(x));
	q->exchange = x;
	return OK;
}

/* ---- sending ---- */

static void attempt_end(struct attempt *a)
{
	struct engine *e = a->x->q->engine;
	if (a->live && !a->replied && a->transport != TRANSPORT_UDP)
		pool_stream_forget(a->x->pool, a->server, (struct token){ a->x->q->id, (uint8_t)(a - a->x->attempts) });
	a->live = false;
	if (a->socket == 0)
		return;
	effects_add(e->fx, FX_SOCKET_END)->socket = a->socket;
	slots_drop(&e->sockets, a->socket);
	a->socket = 0;
}

static enum err send_datagram(struct attempt *a)
{
	struct exchange *x = a->x;
	struct engine *e = x->q->engine;
	a->socket = slots_add(&e->sockets, a);
	uint8_t *bytes = arena_dup(e->fx->scratch, x->message.p, x->message.n);
	if (a->socket == 0 || bytes == NULL) {
		slots_drop(&e->sockets, a->socket);
		a->socket = 0;
		return ERR_LIMIT;
	}
	a->id = (uint16_t)rng_u64(&e->rng);
	put_u16(bytes, a->id);
	struct effect *fx = effects_add(e->fx, FX_DATAGRAM);
	fx->socket = a->socket;
	fx->server = pool_upstream(x->pool, a->server);
	fx->bytes = span_of(bytes, x->message.n);
	return OK;
}

/* Paid for before it is sent. ERR_SPACE: the way to this server is full. */
static enum err send_to(struct exchange *x, unsigned server, enum transport transport)
{
	static const enum metric sent[] = { [TRANSPORT_UDP] = M_UPSTREAM_UDP, [TRANSPORT_TCP] = M_UPSTREAM_TCP,
		                            [TRANSPORT_DOT] = M_UPSTREAM_DOT };
	struct query *q = x->q;
	if (x->n == ATTEMPTS_MAX)
		return ERR_LIMIT;
	TRY(query_spend(q, 1, 0, 0));
	struct attempt *a = &x->attempts[x->n];
	*a = (struct attempt){ .x = x, .server = server, .transport = transport, .sent = q->engine->now.ms };
	a->late = a->sent + (pool_patience(x->pool, server) << MIN(x->round, 3));
	struct token token = { q->id, (uint8_t)x->n };
	enum err err = transport == TRANSPORT_UDP ? send_datagram(a)
		: pool_stream_send(x->pool, q->engine, server, x->message, token);
	if (err != OK) {
		q->budget->packets++;   /* nothing was sent */
		return ERR_SPACE;
	}
	x->n++;
	a->live = true;
	metrics_add(q->engine->metrics, sent[transport], 1);
	return OK;
}

static enum transport transport_of(const struct exchange *x)
{
	return x->group->tls ? TRANSPORT_DOT : x->group->tcp ? TRANSPORT_TCP : TRANSPORT_UDP;
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
static void give_way(struct exchange *x, unsigned server)
{
	for (unsigned i = 0; i < x->n; i++) {
		if (x->attempts[i].server == server && x->attempts[i].live)
			attempt_end(&x->attempts[i]);
	}
}

/* The next server of this round; when all have been asked, a new round with more patience. One whose answer was of no
 * use is not asked again. When all are passed over, a first datagram may still try one: it costs no connection. */
static int next_server(struct exchange *x)
{
	struct engine *e = x->q->engine;
	int s = pool_pick(x->pool, e, x->tried | x->refused, false);
	if (s >= 0)
		return s;
	if (x->tried != 0) {
		x->tried = 0;
		x->round++;
		s = pool_pick(x->pool, e, x->refused, false);
	}
	if (s < 0 && x->n == 0 && transport_of(x) == TRANSPORT_UDP)
		s = pool_pick(x->pool, e, 0, true);
	return s;
}

/* Ask one more server. ERR_UPSTREAM when there is none to ask. */
static enum err ask_next(struct exchange *x)
{
	int server = next_server(x);
	if (server < 0)
		return ERR_UPSTREAM;
	x->tried |= UINT64_C(1) << server;
	if (x->group->tls || x->group->tcp) {
		/* The stream holds the older question; asking it again on the same one gains nothing. */
		for (unsigned i = 0; i < x->n; i++) {
			if (x->attempts[i].server == (unsigned)server && x->attempts[i].live) {
				x->hedge = x->q->engine->now.ms + PATIENCE_AGAIN_MS;
				return OK;
			}
		}
	} else {
		give_way(x, (unsigned)server);
	}
	if (x->n > 0 && live(x) > 0)
		metrics_add(x->q->engine->metrics, M_UPSTREAM_HEDGED, 1);
	TRY(send_to(x, (unsigned)server, transport_of(x)));
	x->hedge = x->attempts[x->n - 1].late;
	return OK;
}

/* The same; a server whose connections are full is passed over. */
static enum err ask_any(struct exchange *x)
{
	enum err err = ERR_SPACE;
	for (unsigned i = 0; i < pool_size(x->pool) && err == ERR_SPACE; i++)
		err = ask_next(x);
	return err;
}

/* ---- judging ---- */

static void fail(struct exchange *x, enum err err)
{
	x->over = true;
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
	x->refused_by = (int)a->server;
	x->refused |= UINT64_C(1) << a->server;
	x->hedge = x->q->engine->now.ms;
}

/* Too long for UDP, or too many strays: the same server over TCP. */
static void to_tcp(struct exchange *x, unsigned server)
{
	enum err err = send_to(x, server, TRANSPORT_TCP);
	if (err == OK)
		x->hedge = x->q->engine->now.ms + PATIENCE_AGAIN_MS;
}

/* A server that cannot do EDNS says FORMERR without an OPT (RFC6891 7): once more without, and not on the word of one
 * datagram alone (attacks A12). */
static bool without_edns(struct exchange *x, struct attempt *a, const struct msg *m)
{
	if (m->rcode != RCODE_FORMERR || m->edns.present || x->plain)
		return false;
	x->plain = true;
	if (build(x) != OK)
		return false;
	enum transport t = transport_of(x) == TRANSPORT_UDP ? TRANSPORT_TCP : transport_of(x);
	return send_to(x, a->server, t) == OK;
}

static void judge_rcode(struct exchange *x, struct attempt *a, const struct msg *m)
{
	if (without_edns(x, a, m))
		return;
	const char *name = rcode_name(m->rcode);
	refuse(x, a, name == NULL ? "an unknown RCODE" : name);
}

static void judge(struct exchange *x, struct attempt *a, struct span bytes)
{
	struct query *q = x->q;
	struct msg *m = ARENA_NEW(&q->arena, struct msg);
	if (m == NULL || msg_parse(&q->arena, bytes, m) != OK) {
		if (a->transport == TRANSPORT_UDP)
			return;   /* a forger's packet must not end the wait */
		refuse(x, a, "a malformed message");
		return;
	}
	pool_answered(x->pool, a->server, q->engine->now.ms - a->sent);
	if (m->flags & FLAG_TC && a->transport == TRANSPORT_UDP) {
		attempt_end(a);
		to_tcp(x, a->server);
		return;
	}
	if (m->rcode != RCODE_NOERROR && m->rcode != RCODE_NXDOMAIN && m->rcode != RCODE_YXDOMAIN) {
		judge_rcode(x, a, m);
		return;
	}
	struct scrubbed kept;
	enum err err = (q->chain->conf.side_ns ? scrub_msg_ns : scrub_msg)(&q->arena, &q->question, x->zone, m, &kept);
	if (err != OK || kept.kind == SCRUB_REFERRAL || kept.kind == SCRUB_LAME) {
		refuse(x, a, "nothing that answers the question");
		return;
	}
	attempt_end(a);
	*m = kept.msg;
	x->answer = m;
	x->over = true;
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

/* Those that have had their time are late, each once. */
static void note_late(struct exchange *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		struct attempt *a = &x->attempts[i];
		if (!a->live || a->useless || a->late > x->q->engine->now.ms)
			continue;
		a->late = NEVER;
		pool_late(x->pool, a->server);
	}
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
	x->closing = err == ERR_BUDGET || !streams;
	msec last = !hope ? PATIENCE_USELESS_MS : err == ERR_BUDGET ? PATIENCE_AGAIN_MS : PATIENCE_LAST_MS;
	msec until = x->q->engine->now.ms + last;
	x->hedge = x->closing ? MIN(until, x->deadline) : x->deadline;
}

bool exchange_turn(struct exchange *x)
{
	struct query *q = x->q;
	msec now = q->engine->now.ms;
	open_mail(x);
	if (!x->over)
		note_late(x);
	if (!x->over && now >= x->deadline)
		fail(x, ERR_TIMEOUT);
	bool crowded = !x->over && now >= x->hedge && hopeful(x) && !pool_may_hedge(x->pool);
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
	q->wake_at = MIN(x->hedge, x->deadline);
	return x->over;
}

const char *exchange_cause(struct exchange *x)
{
	char text[EDE_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	if (x->refused_by >= 0) {
		addr_port_text(&pool_upstream(x->pool, (unsigned)x->refused_by)->addr, &b);
		buf_printf(&b, " answered %s", x->refusal);
	}
	for (unsigned i = 0; i < pool_size(x->pool); i++) {
		if (!pool_broken(x->pool, i))
			continue;
		const struct upstream *u = pool_upstream(x->pool, i);
		if (b.n > 0)
			buf_text(&b, "; ");
		addr_port_text(&u->addr, &b);
		if (u->tls_name != NULL)
			buf_printf(&b, "#%s", u->tls_name);
		buf_printf(&b, ": %s", pool_cause(x->pool, i));
		if (pool_cause_is_auth(x->pool, i))
			x->err = ERR_NETWORK;
	}
	if (b.n == 0)
		buf_text(&b, err_text(x->err));
	char *copy = arena_text(&x->q->arena, span_text(buf_cstr(&b)));
	return copy == NULL ? "" : copy;
}

void exchange_end(struct exchange *x)
{
	for (unsigned i = 0; i < x->n; i++)
		attempt_end(&x->attempts[i]);
	x->q->exchange = NULL;
}

/* ---- what comes in ---- */

const struct addr *exchange_server(const struct attempt *a)
{
	return &pool_upstream(a->x->pool, a->server)->addr;
}

static void deliver(struct attempt *a, struct span bytes)
{
	struct exchange *x = a->x;
	struct query *q = x->q;
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

/* Is it an answer to what was asked: a response, our opcode, our question (attacks A8, A10)? */
static bool matches(const struct exchange *x, struct span bytes)
{
	struct msg m;
	size_t at;
	if (msg_peek(bytes, &m, &at) != OK || !(m.flags & FLAG_QR) || FLAGS_OPCODE(m.flags) != OPCODE_QUERY)
		return false;
	return m.question.name.len > 0 && question_eq(&m.question, &x->q->question);
}

void exchange_datagram(struct engine *e, const struct event *ev)
{
	struct attempt *a = slots_get(&e->sockets, ev->socket);
	if (a == NULL || !a->live)
		return;
	struct exchange *x = a->x;
	if (ev->kind == EV_UNREACHABLE) {
		pool_failed(x->pool, e, a->server, "network unreachable or port closed");
		attempt_end(a);
		x->hedge = e->now.ms;
		query_wake(x->q);
		return;
	}
	bool ours = ev->bytes.n >= MSG_HEADER && get_u16(ev->bytes.p) == a->id;
	if (ours && matches(x, ev->bytes)) {
		deliver(a, ev->bytes);
		return;
	}
	metrics_add(e->metrics, M_UPSTREAM_STRAY, 1);
	if (!ours && a->strays < STRAYS_TCP && ++a->strays == STRAYS_TCP)
		to_tcp(x, a->server);
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
	if (a == NULL || !matches(a->x, message))
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
	query_wake(a->x->q);
}
