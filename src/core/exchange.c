#include "core/exchange.h"

#define FULL_WAIT_MS 50            /* until the next look when all connections are full */

/* One question on the wire. */
struct attempt {
	enum wire_use use;         /* WIRE_QUESTION; first: engine->sockets is shared */
	struct exchange *x;
	unsigned place;            /* of the server in the party */
	unsigned server;           /* its number in the pool */
	enum transport transport;
	bool live;                 /* an answer may still come */
	bool useless;              /* one came that helps nobody; over UDP a true one may still follow */
	bool replied;              /* its stream has delivered something for it */
	bool plain;                /* sent without EDNS */
	bool miscased;             /* an answer in another case has come: asked over TCP too */
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
	struct exchange_ask ask;
	struct question question;  /* as sent: its case may be varied */
	struct party party;
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

/* A question whether a server is back, that is to be answered without asking others. */
static bool is_quiet_probe(const struct exchange *x)
{
	return x->ask.group->relay != NULL && x->q->ask.aim > 0 && x->ask.group->relay->probe_no_rd;
}

/* The question as sent: RD for forwarders, DO, 1232, padding where it hides the length (RFC8467); id 0. */
static struct span build(const struct exchange *x, const struct attempt *a, struct buf *b)
{
	const struct query *q = x->q;
	const struct upstream_group *group = x->ask.group;
	struct msg_writer w;
	const struct client *client = group->relay != NULL ? q->client : NULL;
	bool recursive = group->recursive && (client == NULL || client->flags & FLAG_RD) && !is_quiet_probe(x) &&
	                 !q->chain->conf.replies.no_recursion;
	uint16_t flags = (uint16_t)((recursive ? FLAG_RD : 0) | (q->form & FORM_CD ? FLAG_CD : 0));
	msg_begin(&w, b, 0, flags);
	msg_question(&w, &x->question);
	if (!a->plain) {
		const struct chain_conf *conf = &q->chain->conf;
		bool wanted = !conf->by_do || q->form & FORM_DO || conf->anchorage != NULL;
		size_t at = edns_begin(b, (uint16_t)conf->edns_size, 0, wanted && !conf->no_dnssec_ok);
		if (client != NULL && client->edns.present && client->edns.subnet.n > 0)
			edns_option(b, OPTION_ECS, client->edns.subnet);
		buf_span_put(b, q->ask.options);
		struct span text = chain_client_string(conf, &pool_upstream(x->ask.pool, a->server)->addr);
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

/* Places of those whose answer to the question could not be proved. */
static uint64_t doubted(const struct exchange *x)
{
	const struct engine *e = x->q->engine;
	uint64_t places = 0;
	for (unsigned i = 0; x->q->ask.doubts > 0 && i < x->party.n; i++) {
		const struct upstream *u = pool_upstream(x->ask.pool, x->party.servers[i]);
		places |= (uint64_t)answerer_is(&e->answerers, &e->key, &x->question, &u->addr) << i;
	}
	return places;
}

/* Places of those that left out the signatures of the zone not long ago. */
static uint64_t stripping(const struct exchange *x)
{
	uint64_t places = 0;
	for (unsigned i = 0; x->ask.infra != NULL && i < x->party.n; i++) {
		bool strips = infra_strips(x->ask.infra, x->q->engine, x->party.servers[i], x->ask.zone);
		places |= (uint64_t)strips << i;
	}
	return places;
}

enum err exchange_start(struct query *q, const struct exchange_ask *ask)
{
	struct exchange *x = ARENA_NEW(&q->arena, struct exchange);
	if (x == NULL)
		return ERR_LIMIT;
	x->q = q;
	x->ask = *ask;
	x->question = ask->question == NULL ? q->question : *ask->question;
	if (ask->vary_case)
		x->question.name = vary_case(q, x->question.name);
	if (ask->party != NULL) {
		x->party = *ask->party;
	} else {
		x->party.n = MIN(pool_size(ask->pool), UPSTREAMS_MAX);
		for (unsigned i = 0; i < x->party.n; i++)
			x->party.servers[i] = (uint16_t)i;
	}
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

static void attempt_end(struct attempt *a)
{
	struct engine *e = a->x->q->engine;
	if (a->live && !a->replied && a->transport != TRANSPORT_UDP)
		pool_stream_forget(a->x->ask.pool, a->server,
		                   (struct token){ a->x->q->id, (uint8_t)(a - a->x->attempts) });
	a->live = false;
	if (a->socket == 0)
		return;
	effects_add(e->fx, FX_SOCKET_END)->socket = a->socket;
	slots_drop(&e->sockets, a->socket);
	a->socket = 0;
}

static enum err send_datagram(struct attempt *a, struct span message)
{
	struct exchange *x = a->x;
	struct engine *e = x->q->engine;
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
	fx->server = pool_upstream(x->ask.pool, a->server);
	fx->bytes = span_of(bytes, message.n);
	return OK;
}

static bool is_plain(const struct exchange *x, unsigned place)
{
	if (x->plain >> place & 1)
		return true;
	return x->ask.infra != NULL && infra_plain(x->ask.infra, x->q->engine, x->party.servers[place]);
}

static unsigned attempts_max(const struct exchange *x)
{
	const struct relay *r = x->ask.group->relay;
	return r == NULL || r->max_attempts == 0 ? ATTEMPTS_MAX : MIN(r->max_attempts, ATTEMPTS_MAX);
}

/* Paid for before it is sent. ERR_SPACE: the way to this server is full. */
static enum err send_to(struct exchange *x, unsigned place, enum transport transport)
{
	static const enum metric sent[] = { [TRANSPORT_UDP] = M_UPSTREAM_UDP, [TRANSPORT_TCP] = M_UPSTREAM_TCP,
		                            [TRANSPORT_DOT] = M_UPSTREAM_DOT };
	struct query *q = x->q;
	uint8_t room[MSG_HEADER + NAME_MAX_BYTES + 4 + CLIENT_STRING_MAX + ASK_OPTIONS_MAX + 164];
	struct buf b = buf_on(room, sizeof(room));
	if (x->n >= attempts_max(x))
		return ERR_LIMIT;
	TRY(query_spend(q, 1, 0, 0));
	struct attempt *a = &x->attempts[x->n];
	*a = (struct attempt){ .x = x, .place = place, .server = x->party.servers[place], .transport = transport,
		               .sent = q->engine->now.ms, .plain = is_plain(x, place) };
	a->late = a->sent + (pool_patience(x->ask.pool, a->server) << MIN(x->round, 3));
	if (x->ask.group->relay != NULL)
		a->late = MIN(a->late, a->sent + x->ask.group->relay->read_timeout);
	struct token token = { q->id, (uint8_t)x->n };
	struct span message = build(x, a, &b);
	enum err err = transport == TRANSPORT_UDP ? send_datagram(a, message)
		: pool_stream_send(x->ask.pool, q->engine, a->server, message, token);
	if (err != OK) {
		q->budget->packets++;   /* nothing was sent */
		return ERR_SPACE;
	}
	x->n++;
	a->live = true;
	if (transport == TRANSPORT_UDP)
		pool_note_sent(x->ask.pool, a->server, transport, false);
	metrics_add(q->engine->metrics, sent[transport], 1);
	return OK;
}

/* A Corefile's forward asks as its client did. */
static enum transport transport_to(const struct exchange *x, unsigned place)
{
	const struct relay *r = x->ask.group->relay;
	bool tls = r != NULL ? pool_upstream(x->ask.pool, x->party.servers[place])->tls : x->ask.group->tls;
	if (tls)
		return TRANSPORT_DOT;
	bool follow = r != NULL && !r->prefer_udp && x->q->form & FORM_STREAM;
	return x->ask.group->tcp || follow ? TRANSPORT_TCP : TRANSPORT_UDP;
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
	const struct relay *r = x->ask.group->relay;
	if (r == NULL || x->q->ask.aim > 0)
		return !x->ask.group->tls && !x->ask.group->tcp;
	if (x->ask.counts != NULL)
		relay_count(&x->ask.counts->all_down);
	return !r->failfast;
}

/* The next server of this round; when all have been asked, a new round with more patience. One whose answer was of no
 * use is not asked again. When all are passed over, a first datagram may still try one: it costs no connection. */
static int next_server(struct exchange *x)
{
	struct engine *e = x->q->engine;
	struct choice how = { .tried = x->tried | x->refused | x->last };
	int s = pool_pick(x->ask.pool, e, &x->party, how);
	if (s < 0 && x->last != 0) {
		how.tried = x->tried | x->refused;
		s = pool_pick(x->ask.pool, e, &x->party, how);
	}
	if (s >= 0)
		return s;
	if (x->tried != 0) {
		x->tried = 0;
		x->round++;
		how.tried = x->refused;
		s = pool_pick(x->ask.pool, e, &x->party, how);
	}
	how = (struct choice){ .tried = x->refused, .broken_too = true };
	if (s < 0 && x->n == 0 && may_try_broken(x))
		s = pool_pick(x->ask.pool, e, &x->party, how);
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
				x->hedge = x->q->engine->now.ms + PATIENCE_AGAIN_MS;
				return OK;
			}
		}
	} else {
		give_way(x, (unsigned)place);
	}
	if (x->n > 0 && live(x) > 0)
		metrics_add(x->q->engine->metrics, M_UPSTREAM_HEDGED, 1);
	TRY(send_to(x, (unsigned)place, transport_to(x, (unsigned)place)));
	x->hedge = x->attempts[x->n - 1].late;
	return OK;
}

/* The same; a server whose connections are full is passed over. */
static enum err ask_any(struct exchange *x)
{
	enum err err = ERR_SPACE;
	for (unsigned i = 0; i < x->party.n && err == ERR_SPACE; i++)
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
	x->hedge = x->q->engine->now.ms;
}

/* Too long for UDP, or too many strays: the same server over TCP. */
static void to_tcp(struct exchange *x, unsigned place)
{
	enum err err = send_to(x, place, TRANSPORT_TCP);
	if (err == OK)
		x->hedge = x->q->engine->now.ms + PATIENCE_AGAIN_MS;
}

/* A server that cannot do EDNS says FORMERR without an OPT (RFC6891 7): once more without, and not on the word of one
 * datagram alone (attacks A12). */
static bool without_edns(struct exchange *x, struct attempt *a, const struct msg *m)
{
	if ((m->rcode != RCODE_FORMERR && m->rcode != RCODE_NOTIMP) || m->edns.present || a->plain)
		return false;
	x->plain |= UINT64_C(1) << a->place;
	enum transport t = transport_to(x, a->place) == TRANSPORT_DOT ? TRANSPORT_DOT : TRANSPORT_TCP;
	return send_to(x, a->place, t) == OK;
}

static void note_lame(struct exchange *x, const struct attempt *a)
{
	if (x->ask.infra != NULL)
		infra_note_lame(x->ask.infra, x->q->engine, a->server, x->ask.zone);
}

static void judge_rcode(struct exchange *x, struct attempt *a, const struct msg *m)
{
	if (without_edns(x, a, m))
		return;
	const char *name = rcode_name(m->rcode);
	refuse(x, a, name == NULL ? "an unknown RCODE" : name);
}

/* Of a DS only the parent can speak (RFC4035 3.1.4.1): not a server that takes the name for an apex. */
static bool is_below_ds(const struct exchange *x, const struct scrubbed *kept)
{
	return x->question.type == RR_DS && kept->kind == SCRUB_NODATA && kept->cut.len > 1 &&
	       name_eq(kept->cut, x->question.name);
}

/* Does it come from the zone asked, and without any signature, although the zone is signed? Data of a zone below that
 * the same server has may well be unsigned. */
static bool is_stripped(const struct exchange *x, const struct msg *m)
{
	bool own = false;
	for (size_t i = 0; x->ask.is_signed && i < m->nrrs; i++) {
		const struct rr *rr = &m->rrs[i];
		if (rr->type == RR_RRSIG)
			return false;
		own |= rr->section == SEC_AUTHORITY && (rr->type == RR_NS || rr->type == RR_SOA) &&
		       name_eq(rr->owner, x->ask.zone);
	}
	return own;
}

/* Why the answer is of no use; NULL when it is. */
static const char *useless(struct exchange *x, const struct attempt *a, const struct msg *m,
                           const struct scrubbed *kept)
{
	const uint16_t flags = kept->msg.flags;
	bool referral = kept->kind == SCRUB_REFERRAL;
	if (flags & FLAG_TC)
		return "an answer cut short, over a connection";
	if (kept->kind == SCRUB_LAME || is_below_ds(x, kept) || (referral && !x->ask.referrals)) {
		if (kept->kind == SCRUB_LAME)
			note_lame(x, a);
		return "nothing that answers the question";
	}
	bool empty = kept->kind == SCRUB_NODATA && kept->msg.nrrs == 0;   /* no SOA: NODATA, or knows nothing */
	bool resolver = !(flags & FLAG_AA) && flags & FLAG_RA, stripped = is_stripped(x, m);
	if (!x->ask.referrals || referral || (!resolver && !empty && !stripped))
		return NULL;
	if (resolver)
		note_lame(x, a);
	else if (stripped && x->ask.infra != NULL)
		infra_note_stripped(x->ask.infra, x->q->engine, a->server, x->ask.zone);
	if (x->spare == NULL)
		x->spare = kept;
	return resolver ? "as a resolver, not as the zone's server"
		: empty ? "nothing, and not whose word that is" : "without signatures for a signed zone";
}

static void learn(struct exchange *x, const struct attempt *a, const struct msg *m)
{
	const struct engine *e = x->q->engine;
	struct infra *in = x->ask.infra;
	if (in == NULL)
		return;
	infra_note_reached(in, e, a->server, true);
	if (a->plain && a->transport != TRANSPORT_UDP)
		infra_note_plain(in, e, a->server);
	bool varied = memcmp(m->question.name.wire, x->question.name.wire, x->question.name.len) != 0;
	if (varied && a->transport != TRANSPORT_UDP)
		infra_note_caseless(in, e, a->server);
}

/* Who it came from counts only if somebody may come to doubt it. */
static void note_answerer(struct exchange *x, const struct attempt *a)
{
	struct engine *e = x->q->engine;
	const struct upstream *u = pool_upstream(x->ask.pool, a->server);
	x->q->ask.by = u->addr;
	if (x->q->chain->conf.anchorage != NULL && question_eq(&x->question, &x->q->question))
		answerer_note(&e->answerers, &e->key, &x->question, &u->addr, x->q->ask.doubts > 0);
}

static bool is_good(unsigned rcode)
{
	return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_YXDOMAIN;
}

/* What a server said is the answer, whatever it is, unless another is to be asked then: the last one's word counts. */
static void hand_on(struct exchange *x, struct attempt *a, const struct msg *m, const struct relay *r)
{
	if (without_edns(x, a, m))
		return;
	x->relayed = m;
	x->q->ask.by = pool_upstream(x->ask.pool, a->server)->addr;
	if (relay_has(&r->failover, m->rcode)) {
		const char *name = rcode_name(m->rcode);
		refuse(x, a, name == NULL ? "an unknown RCODE" : name);
		attempt_end(a);
		return;
	}
	attempt_end(a);
	x->over = true;
}

static void judge(struct exchange *x, struct attempt *a, struct span bytes)
{
	struct query *q = x->q;
	struct msg *m = ARENA_NEW(&q->arena, struct msg);
	struct scrubbed *kept = ARENA_NEW(&q->arena, struct scrubbed);
	if (m == NULL || kept == NULL || msg_parse(&q->arena, bytes, m) != OK) {
		refuse(x, a, "a malformed message");
		x->garbled = true;
		return;
	}
	pool_answered(x->ask.pool, a->server, q->engine->now.ms - a->sent);
	pool_note_answer(x->ask.pool, a->server, m->rcode, q->engine->now.ms - a->sent);
	const struct relay *r = x->ask.group->relay;
	if (m->flags & FLAG_TC && a->transport == TRANSPORT_UDP && (r == NULL || r->whole || r->prefer_udp)) {
		attempt_end(a);
		to_tcp(x, a->place);
		return;
	}
	if (r != NULL && (!r->whole || !is_good(m->rcode) || relay_has(&r->failover, m->rcode))) {
		hand_on(x, a, m, r);
		return;
	}
	if (!is_good(m->rcode)) {
		judge_rcode(x, a, m);
		return;
	}
	learn(x, a, m);
	enum err err = scrub_msg(&q->arena, &x->question, x->ask.zone, m, kept);
	if (err == OK && !q->chain->conf.drop.ns)
		err = scrub_keep_ns(&q->arena, x->ask.zone, m, kept);
	if (err == OK && !q->chain->conf.drop.unknown)
		err = scrub_keep_unknown(&q->arena, x->ask.zone, m, kept);
	if (err == OK && x->ask.any_glue)
		err = scrub_keep_glue(&q->arena, m, kept);
	const char *why = err != OK ? "nothing that answers the question" : useless(x, a, m, kept);
	if (x->spare == kept || (why == NULL && kept->kind != SCRUB_REFERRAL))
		note_answerer(x, a);
	if (why != NULL) {
		refuse(x, a, why);
		return;
	}
	attempt_end(a);
	x->relayed = NULL;   /* another server's word stands no longer */
	x->answer = kept;
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

/* When the first of those under way has waited as long as it may; NEVER: only the question's own end ends them. */
static msec first_overdue(const struct exchange *x)
{
	const struct relay *r = x->ask.group->relay;
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
	const struct relay *r = x->ask.group->relay;
	msec now = x->q->engine->now.ms;
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
		if (!a->live || a->useless || a->late > x->q->engine->now.ms)
			continue;
		a->late = NEVER;
		pool_late(x->ask.pool, a->server);
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
	if (x->ask.group->relay != NULL && hope && err != ERR_BUDGET) {
		x->hedge = x->deadline;   /* each has its read_timeout */
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
	bool crowded = !x->over && now >= x->hedge && hopeful(x) && !pool_may_hedge(x->ask.pool);
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
	struct pool *pool = x->ask.pool;
	if (x->refused_by >= 0) {
		addr_port_text(&pool_upstream(pool, (unsigned)x->refused_by)->addr, &b);
		buf_printf(&b, " answered %s", x->refusal);
	}
	for (unsigned i = 0; i < x->party.n; i++) {
		unsigned server = x->party.servers[i];
		if (!pool_broken(pool, server))
			continue;
		const struct upstream *u = pool_upstream(pool, server);
		if (b.n > 0)
			buf_text(&b, "; ");
		addr_port_text(&u->addr, &b);
		if (u->tls_name != NULL)
			buf_printf(&b, "#%s", u->tls_name);
		buf_printf(&b, ": %s", pool_cause(pool, server));
		if (pool_cause_is_auth(pool, server))
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
	for (unsigned i = 0; i < x->party.n && x->ask.infra != NULL; i++)
		infra_leave(x->ask.infra, x->party.servers[i]);
	if (x->ask.counts != NULL)
		atomic_fetch_sub_explicit(&x->ask.counts->under_way, 1, memory_order_relaxed);
	if (x->ask.led != NULL)
		infra_led(x->ask.led, x->q->engine, &x->question, x->q->id);
	x->q->exchange = NULL;
}

/* ---- what comes in ---- */

const struct addr *exchange_server(const struct attempt *a)
{
	return &pool_upstream(a->x->ask.pool, a->server)->addr;
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
	return m.question.name.len > 0 && question_eq(&m.question, &x->question);
}

/* Has the server kept the case that was sent? One that does not is asked over TCP, where nobody guesses; only that
 * makes it known as such (attacks A11). */
static bool case_kept(const struct attempt *a, struct span bytes)
{
	const struct exchange *x = a->x;
	if (!x->ask.vary_case || memcmp(bytes.p + MSG_HEADER, x->question.name.wire, x->question.name.len) == 0)
		return true;
	return x->ask.infra != NULL && infra_caseless(x->ask.infra, x->q->engine, a->server);
}

/* The network takes no datagrams for the server. */
static void unreachable(struct attempt *a, const struct event *ev)
{
	struct exchange *x = a->x;
	struct engine *e = x->q->engine;
	if (ev->why == CLOSED_LOCAL)
		x->q->budget->packets++;   /* nothing was sent */
	if (ev->why == CLOSED_LOCAL && x->ask.infra != NULL)
		infra_note_reached(x->ask.infra, e, a->server, false);
	pool_failed(x->ask.pool, e, a->server, "network unreachable or port closed");
	attempt_end(a);
	x->hedge = e->now.ms;
	query_wake(x->q);
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
	bool ours = ev->bytes.n >= MSG_HEADER && get_u16(ev->bytes.p) == a->id, ask_tcp = false;
	if (ours && matches(x, ev->bytes)) {
		if (case_kept(a, ev->bytes)) {
			deliver(a, ev->bytes);
			return;
		}
		ask_tcp = !a->miscased;
		a->miscased = true;
	}
	metrics_add(e->metrics, M_UPSTREAM_STRAY, 1);
	if (!ours && a->strays < STRAYS_MAX && ++a->strays == STRAYS_TCP)
		ask_tcp = true;
	if (ask_tcp)
		to_tcp(x, a->place);
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
