#include "core/attempt.h"

/* A letter's case is a bit of entropy more that a forger has to guess. */
static struct name vary_case(struct query *q, struct name n)
{
	uint8_t *wire = arena_dup(&q->arena, n.wire, n.len);
	if (wire == NULL)
		return n;
	uint64_t bits = 0;
	for (unsigned i = 0; i < n.len; i++) {
		bits = i % 64 == 0 ? rng_u64(&q->engine->rng) : bits >> 1;
		uint8_t low = fold(wire[i]);   /* lengths of labels are below 'A' */
		if (low >= 'a' && low <= 'z' && bits & 1)
			wire[i] ^= 0x20;
	}
	n.wire = wire;
	return n;
}

void inquiry_init(struct inquiry *s, struct query *q, const struct exchange_ask *ask)
{
	*s = (struct inquiry){ .q = q, .ask = *ask, .question = ask->question == NULL ? q->question : *ask->question };
	if (ask->vary_case)
		s->question.name = vary_case(q, s->question.name);
	if (ask->party != NULL) {
		s->party = *ask->party;
		return;
	}
	s->party.n = MIN(pool_size(ask->pool), UPSTREAMS_MAX);
	for (unsigned i = 0; i < s->party.n; i++)
		s->party.servers[i] = (uint16_t)i;
}

/* ---- sending ---- */

/* A question whether a server is back, that is to be answered without asking others. */
static bool is_quiet_probe(const struct inquiry *s)
{
	return s->ask.group->relay != NULL && s->q->ask.aim > 0 && s->ask.group->relay->probe_no_rd;
}

/* The question as sent: RD for forwarders, DO, 1232, padding where it hides the length (RFC8467); id 0. */
static struct span build(const struct attempt *a, struct buf *b)
{
	const struct inquiry *s = a->inquiry;
	const struct query *q = s->q;
	const struct upstream_group *group = s->ask.group;
	struct msg_writer w;
	const struct client *client = group->relay != NULL ? q->client : NULL;
	bool recursive = group->recursive && (client == NULL || client->flags & FLAG_RD) &&
	                 !is_quiet_probe(s) && !q->chain->conf.replies.no_recursion;
	uint16_t flags = (uint16_t)((recursive ? FLAG_RD : 0) | (q->form & FORM_CD ? FLAG_CD : 0));
	msg_begin(&w, b, 0, flags);
	msg_question(&w, &s->question);
	if (!a->plain) {
		const struct chain_conf *conf = &q->chain->conf;
		bool wanted = !conf->by_do || q->form & FORM_DO || conf->anchorage != NULL;
		size_t at = edns_begin(b, (uint16_t)conf->edns_size, 0, wanted && !conf->no_dnssec_ok);
		if (client != NULL && client->edns.present && client->edns.subnet.n > 0)
			edns_option(b, OPTION_ECS, client->edns.subnet);
		buf_span_put(b, q->ask.options);
		struct span text = chain_client_string(conf, &pool_upstream(s->ask.pool, a->server)->addr);
		if (text.n > 0)
			edns_option(b, (uint16_t)conf->string_code, text);
		if (conf->pad_queries && a->transport == TRANSPORT_DOT)
			edns_pad(b, (uint16_t)conf->pad_block);
		edns_end(b, at);
		msg_opt_counted(&w);
	}
	msg_end(&w);
	ASSERT(buf_ok(b));
	return buf_span(b);
}

static struct token token_of(const struct attempt *a)
{
	return (struct token){ a->inquiry->q->id, a->number };
}

void attempt_end(struct attempt *a)
{
	struct engine *e = a->inquiry->q->engine;
	if (a->live && !a->replied && a->transport != TRANSPORT_UDP)
		pool_stream_forget(a->inquiry->ask.pool, a->server, token_of(a));
	a->live = false;
	if (a->socket == 0)
		return;
	effects_add(e->fx, FX_SOCKET_END)->socket = a->socket;
	slots_drop(&e->sockets, a->socket);
	a->socket = 0;
}

static enum err send_datagram(struct attempt *a, struct span message)
{
	struct engine *e = a->inquiry->q->engine;
	a->socket = slots_add(&e->sockets, a);
	uint8_t *bytes = arena_dup(e->fx->scratch, message.p, message.n);
	if (a->socket == 0 || bytes == NULL) {
		slots_drop(&e->sockets, a->socket);
		a->socket = 0;
		return ERR_LIMIT;
	}
	a->id = (uint16_t)rng_u64(&e->rng);
	put_u16(bytes, a->id);
	struct effect *fx = effects_add(e->fx, FX_DATAGRAM);
	fx->socket = a->socket;
	fx->server = pool_upstream(a->inquiry->ask.pool, a->server);
	fx->bytes = span_of(bytes, message.n);
	return OK;
}

enum err attempt_send(struct attempt *a)
{
	static const enum metric sent[] = { [TRANSPORT_UDP] = M_UPSTREAM_UDP, [TRANSPORT_TCP] = M_UPSTREAM_TCP,
		                            [TRANSPORT_DOT] = M_UPSTREAM_DOT };
	struct query *q = a->inquiry->q;
	struct pool *pool = a->inquiry->ask.pool;
	uint8_t room[MSG_HEADER + NAME_MAX_BYTES + 4 + CLIENT_STRING_MAX + ASK_OPTIONS_MAX + 164];
	struct buf b = buf_on(room, sizeof(room));
	TRY(query_spend(q, 1, 0, 0));
	struct span message = build(a, &b);
	enum err err = a->transport == TRANSPORT_UDP ? send_datagram(a, message)
		: pool_stream_send(pool, q->engine, a->server, message, token_of(a));
	if (err != OK) {
		q->budget->packets++;   /* nothing was sent */
		return ERR_SPACE;
	}
	a->live = true;
	if (a->transport == TRANSPORT_UDP)
		pool_note_sent(pool, a->server, a->transport, false);
	metrics_add(q->engine->metrics, sent[a->transport], 1);
	return OK;
}

/* ---- what comes in ---- */

bool inquiry_matches(const struct inquiry *s, struct span message)
{
	struct msg m;
	size_t at;
	if (msg_peek(message, &m, &at) != OK || !(m.flags & FLAG_QR) || FLAGS_OPCODE(m.flags) != OPCODE_QUERY)
		return false;
	return m.question.name.len > 0 && question_eq(&m.question, &s->question);
}

/* Has the server kept the case that was sent? One that does not is asked over TCP, where nobody guesses; only that
 * makes it known as such (attacks A11). */
static bool case_kept(const struct attempt *a, struct span bytes)
{
	const struct inquiry *s = a->inquiry;
	if (!s->ask.vary_case || memcmp(bytes.p + MSG_HEADER, s->question.name.wire, s->question.name.len) == 0)
		return true;
	return s->ask.infra != NULL && infra_caseless(s->ask.infra, s->q->engine, a->server);
}

enum arrival attempt_arrival(struct attempt *a, struct span datagram)
{
	bool ours = datagram.n >= MSG_HEADER && get_u16(datagram.p) == a->id, suspect = false;
	if (ours && inquiry_matches(a->inquiry, datagram)) {
		if (case_kept(a, datagram))
			return ARRIVAL_ANSWER;
		suspect = !a->miscased;
		a->miscased = true;
	}
	metrics_add(a->inquiry->q->engine->metrics, M_UPSTREAM_STRAY, 1);
	if (!ours && a->strays < STRAYS_MAX && ++a->strays == STRAYS_TCP)
		suspect = true;
	return suspect ? ARRIVAL_SUSPECT : ARRIVAL_STRAY;
}
