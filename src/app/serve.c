#include "app/serve.h"

#include "app/conn.h"
#include "base/heap.h"
#include "io/clock.h"

#define ROUNDS_MAX 8u   /* batches of one listener in one turn, so that the others get their time */

struct serving {
	struct worker *w;
	struct udp_in *in;
	struct udp_out *out;
	struct conns *conns;
	bool paused;              /* connections are not accepted until the next housekeeping */
	uint16_t udp_size_max;    /* of all sites */
	struct tally *pending;    /* with replies of the batch at hand, by next_pending */
	int64_t since;            /* when it began, in microseconds */
};

struct serving *serving_new(struct worker *w)
{
	struct serving *s = heap_new(sizeof(*s));
	s->w = w;
	s->in = udp_in_new();
	s->out = udp_out_new();
	s->conns = conns_new(s);
	return s;
}

void serving_free(struct serving *s)
{
	conns_free(s->conns);
	udp_in_free(s->in);
	udp_out_free(s->out);
	heap_free(s);
}

struct worker *serving_worker(const struct serving *s)
{
	return s->w;
}

bool serving_keeps(const struct serving *s)
{
	return s->paused || conns_count(s->conns) > 0;
}

/* ---- listeners ---- */

static void watch(struct worker *w, const struct listener *l, bool on)
{
	int udp = l->has_udp ? l->udp[w->nr].fd : -1, tcp = l->has_tcp ? l->tcp[w->nr].fd : -1;
	if (!on) {
		if (udp >= 0)
			loop_remove(&w->loop, udp);
		if (tcp >= 0)
			loop_remove(&w->loop, tcp);
		return;
	}
	enum err err = OK;
	if (udp >= 0)
		err = loop_add(&w->loop, udp, LOOP_READ, KIND_UDP, l->nr);
	if (tcp >= 0 && err == OK)
		err = loop_add(&w->loop, tcp, LOOP_READ, KIND_TCP, l->nr);
	ASSERT(err == OK);
}

/* Nobody reads there any more: what comes next is for whoever listens now, and be it the same address's wildcard. */
static void leave(struct worker *w, struct listener *l)
{
	watch(w, l, false);
	if (l->has_udp)
		udp_close(&l->udp[w->nr]);
	if (l->has_tcp)
		stream_listener_close(&l->tcp[w->nr]);
	l->udp[w->nr].fd = l->tcp[w->nr].fd = -1;
}

void serving_enter(struct serving *s, const struct generation *g, const struct generation *before)
{
	struct worker *w = s->w;
	for (unsigned i = 0; i < g->nlisteners; i++) {
		if (before == NULL || !generation_has_listener(before, g->listeners[i]))
			watch(w, g->listeners[i], true);
	}
	for (unsigned i = 0; before != NULL && i < before->nlisteners; i++) {
		if (!generation_has_listener(g, before->listeners[i]))
			leave(w, before->listeners[i]);
	}
	s->udp_size_max = (uint16_t)MAX(MIN(g->model->listen.max_udp_size, UDP_OUT_MAX), 512u);
	w->engine.clients_max = g->model->listen.clients_max;
	conns_enter(s->conns, g);
}

void serving_stop(struct serving *s, const struct generation *g)
{
	for (unsigned i = 0; i < g->nlisteners; i++)
		watch(s->w, g->listeners[i], false);
}

static struct listener *listener_nr(const struct serving *s, uint32_t nr)
{
	const struct generation *g = s->w->generation;
	for (unsigned i = 0; g != NULL && i < g->nlisteners; i++) {
		if (g->listeners[i]->nr == nr)
			return g->listeners[i];
	}
	return NULL;
}

/* ---- one question ---- */

static void count_answer(struct metrics *m, unsigned rcode)
{
	static const enum metric by_rcode[] = { M_ANSWERS_NOERROR, M_ANSWERS_OTHER, M_ANSWERS_SERVFAIL,
		                                M_ANSWERS_NXDOMAIN, M_ANSWERS_OTHER, M_ANSWERS_REFUSED };
	metrics_add(m, rcode < COUNT(by_rcode) ? by_rcode[rcode] : M_ANSWERS_OTHER, 1);
}

/* Clients that sent a cookie get one back; whether theirs was ours is for the ACL to use (RFC7873 5.2). */
static void cookie_step(struct serving *s, struct client *c, enum client_sort *sort, unsigned *rcode)
{
	const struct generation *g = s->w->generation;
	if (!g->model->process.cookies || !c->edns.present || c->edns.cookie.n == 0 || *sort != CLIENT_QUESTION)
		return;
	if (c->edns.cookie.n != 8 && (c->edns.cookie.n < 16 || c->edns.cookie.n > COOKIE_MAX)) {
		*sort = CLIENT_ERROR;
		*rcode = RCODE_FORMERR;
		return;
	}
	uint32_t age, wall = (uint32_t)s->w->engine.now.wall.sec;
	c->cookie_valid = c->edns.cookie.n > COOKIE_CLIENT_BYTES &&
	                  cookie_check(&g->cookie, c->edns.cookie, &c->from, wall, &age);
	cookie_make(&g->cookie, c->edns.cookie.p, &c->from, wall, c->cookie);
	c->ncookie = COOKIE_CLIENT_BYTES + COOKIE_SERVER_BYTES;
}

/* ---- counting ---- */

static const char *plugin_word(const struct plugin *p)
{
	return p->settings.corefile.directive != NULL ? p->settings.corefile.directive : p->settings.name;
}

/* Who made the answer: a link of that site; "" none did. */
static const char *maker_word(const struct site *site, unsigned place)
{
	return site == NULL || place >= site->chain.n ? "" : plugin_word(site->plugins[place]);
}

/* Replies that are made at once are timed from here on: one look at the clock for a batch. */
static void batch_begin(struct serving *s)
{
	if (s->since == 0)
		s->since = clock_usec();
}

/* A reply that was made at once: its time is known when the batch is through. */
static void tally_fast(struct serving *s, const struct client *c, const struct tally_reply *r)
{
	struct tally *t = c->tally;
	if (t == NULL)
		return;
	tally_response(t, c, r);
	if (t->pending++ == 0) {
		t->next_pending = s->pending;
		s->pending = t;
	}
}

static void tally_batch(struct serving *s)
{
	uint64_t took = s->pending == NULL ? 0 : (uint64_t)(clock_usec() - s->since);
	s->since = 0;
	for (struct tally *t = s->pending; t != NULL; t = t->next_pending) {
		tally_time(t, took, t->pending);
		t->pending = 0;
	}
	s->pending = NULL;
}

/* What is no question gets its RCODE and no more; from those who may not ask, not even that. */
static bool refuse(struct worker *w, struct fast *f, unsigned rcode)
{
	enum verdict v = fast_guard(f);
	if (v == PASS && reply_error(f->reply, f->client, rcode, (struct reason){ -1, NULL }, f->out) == OK) {
		f->rcode = rcode;
		v = ANSWERED;
	}
	if (v != ANSWERED)
		return false;
	count_answer(&w->metrics, f->rcode);
	tally_fast(w->serving, f->client, &(struct tally_reply){ f->rcode, "", f->out->n });
	if (f->chain->conf.log_replies) {
		struct record_reply r = { f->rcode, false, f->out->n, 0 };
		record_reply(&w->log, w->engine.now.wall, f->client, &r);
	}
	return true;
}

/* The site that a client's packet is for; NULL: no block has its zone. What is no question is anybody's. */
static const struct site *site_for(const struct serving *s, const struct road *road, struct client *c,
                                   enum client_sort sort)
{
	if (road == NULL)
		return NULL;
	const struct route *r = sort == CLIENT_QUESTION ? road_route(road, &s->w->engine, c) : road_last(road);
	const struct tally_row *row = r == NULL ? road->dropped : road->tallies[r - road->routes];
	if (row != NULL && sort != CLIENT_DROP)
		c->tally = &row->of[s->w->nr];
	return r == NULL ? NULL : &s->w->generation->model->sites[r->site];
}

/* What goes over UDP has the site's own bound, too. */
static void fit(struct client *c, const struct site *site)
{
	uint16_t most = MAX(site->reply.edns_size, 512);
	if (c->proto == PROTO_UDP)
		c->size_max = MIN(c->size_max, most);
}

/* Nobody here is responsible (RFC8499: REFUSED). */
static bool refuse_zone(struct serving *s, struct client *c, struct buf *out)
{
	const struct site *any = &s->w->generation->model->sites[0];
	fit(c, any);
	if (reply_error(&any->reply, c, RCODE_REFUSED, (struct reason){ EDE_NOT_AUTHORITATIVE, NULL }, out) != OK)
		return false;
	count_answer(&s->w->metrics, RCODE_REFUSED);
	tally_fast(s, c, &(struct tally_reply){ RCODE_REFUSED, "", out->n });
	return true;
}

/* A Corefile's log has rules of its own. took_us: -1 is the time since the batch was read */
static void note_reply(struct serving *s, const struct reply_conf *conf, const struct client *c,
                       struct replylog_reply r, int64_t took_us)
{
	struct worker *w = s->w;
	const struct replylog *log = conf->wishes.log;
	if (log == NULL || !replylog_wants(log, w->engine.now.wall, c, &r))
		return;
	r.engine = &w->engine;
	r.took_ns = (uint64_t)(took_us < 0 ? clock_usec() - s->since : took_us) * 1000;
	replylog_note(log, &w->log, w->engine.now.wall, c, &r);
}

/* A zone has changed elsewhere: whoever wants to know answers. */
static bool notified(struct serving *s, struct fast *f)
{
	enum verdict v = fast_notified(f);
	if (v == PASS)
		return refuse(s->w, f, RCODE_NOTAUTH);
	if (v == ANSWERED) {
		count_answer(&s->w->metrics, f->rcode);
		tally_fast(s, f->client, &(struct tally_reply){ f->rcode, "", f->out->n });
	}
	return v == ANSWERED;
}

/* One place for all transports: whatever is signed goes on only if the signature is good. */
static bool verified(struct client *c, struct span bytes, const struct site *site, struct client_signer *with,
                     unsigned *rcode)
{
	unsigned wrong = client_verify(c, bytes, site->chain.keys, with);
	if (wrong != RCODE_NOERROR)
		*rcode = wrong;
	return wrong == RCODE_NOERROR;
}

/* The packet's question, as far as it goes without a query object: an answer in `out`, none, or under way. */
bool serving_question(struct serving *s, const struct road *road, struct client *c, struct span bytes,
                      struct buf *out)
{
	static const enum metric by_proto[] = { [PROTO_UDP] = M_QUERIES_UDP, [PROTO_TCP] = M_QUERIES_TCP,
		                                [PROTO_DOT] = M_QUERIES_DOT, [PROTO_DOH] = M_QUERIES_DOH };
	struct worker *w = s->w;
	unsigned rcode;
	enum client_sort sort = client_read(c, bytes, s->udp_size_max, &rcode);
	metrics_add(&w->metrics, by_proto[c->proto], 1);
	cookie_step(s, c, &sort, &rcode);
	bool asks = sort == CLIENT_TRANSFER || sort == CLIENT_NOTIFY;
	const struct site *site = site_for(s, road, c, asks ? CLIENT_QUESTION : sort);
	if (sort == CLIENT_TRANSFER)
		sort = site != NULL && site->chain.transfers ? CLIENT_QUESTION : CLIENT_ERROR;
	if (c->tally != NULL || (site != NULL && site->reply.wishes.log != NULL))
		batch_begin(s);
	if (c->tally != NULL)
		tally_request(c->tally, c, bytes.n);
	if (site == NULL)
		return sort != CLIENT_DROP && refuse_zone(s, c, out);
	struct client_signer signer = { .now = (uint64_t)w->engine.now.wall.sec };
	if (c->has_tsig && sort != CLIENT_DROP && !verified(c, bytes, site, &signer, &rcode))
		sort = CLIENT_ERROR;
	fit(c, site);
	struct fast f = { .engine = &w->engine, .chain = &site->chain, .client = c, .reply = &site->reply, .out = out };
	if (sort == CLIENT_NOTIFY && site->chain.notified)
		return notified(s, &f);
	if (sort != CLIENT_QUESTION) {
		metrics_add(&w->metrics, M_QUERIES_BAD, 1);
		return sort != CLIENT_DROP && refuse(w, &f, rcode);
	}
	enum verdict v = fast_run(&f);
	if (v == SLOW && engine_question(&w->engine, f.chain, f.place, c) == OK)
		return false;
	if (v != ANSWERED) {
		metrics_add(&w->metrics, M_DROPPED, 1);
		return false;
	}
	count_answer(&w->metrics, f.rcode);
	if (c->tally != NULL)
		tally_fast(s, c, &(struct tally_reply){ f.rcode, maker_word(site, f.place), out->n });
	if (f.log_reply) {
		struct record_reply r = { f.rcode, true, out->n, 0 };   /* without recursion, as unbound counts */
		record_reply(&w->log, w->engine.now.wall, c, &r);
	}
	note_reply(s, f.reply, c, (struct replylog_reply){ .bytes = buf_span(out), .rcode = f.rcode }, -1);
	return true;
}

/* ---- datagrams ---- */

static void datagram(struct serving *s, const struct listener *l, const struct road *road, unsigned i)
{
	struct client c = { .proto = PROTO_UDP, .conn = l->nr, .arrived = s->w->engine.now.ms };
	if (!udp_from_to(s->in, i, &c.from, &c.to))
		return;
	struct buf out = udp_room(s->out);
	if (serving_question(s, road, &c, udp_bytes(s->in, i), &out))
		udp_answer(s->out, s->in, i, out.n);
}

void serving_datagrams(struct serving *s, uint32_t nr)
{
	struct listener *l = listener_nr(s, nr);
	if (l == NULL || !l->has_udp)
		return;
	const struct road *road = generation_road(s->w->generation, nr);
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		unsigned n = udp_recv(s->in, &l->udp[s->w->nr]);
		for (unsigned i = 0; i < n; i++)
			datagram(s, l, road, i);
		udp_flush(s->out);
		tally_batch(s);
		if (n < UDP_BATCH)
			return;
		worker_relieve(s->w);
	}
}

/* ---- answers that come later ---- */

static uint32_t took_us(const struct serving *s, const struct client *c)
{
	msec ms = s->w->engine.now.ms - c->arrived;
	return (uint32_t)MIN(ms, 4000000) * 1000;
}

static enum err write_reply(struct serving *s, const struct query *q, struct buf *out)
{
	const struct reply_conf *conf = &site_of(q->chain)->reply;
	if (q->answer == NULL)
		return reply_error(conf, q->client, RCODE_SERVFAIL, (struct reason){ 0, err_text(q->err) }, out);
	uint32_t turn = (uint32_t)rng_u64(&s->w->engine.rng);
	return reply_write(conf, q->client, q->answer, (struct reply_form){ 0, NO_TTL_CAP, turn }, out);
}

/* The reply's line, if the chain's log wants one. */
static void log_reply(struct serving *s, const struct query *q, struct span bytes)
{
	unsigned rcode = q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode;
	uint32_t us = took_us(s, q->client);
	struct replylog_reply reply = { .bytes = bytes, .rcode = rcode };
	note_reply(s, &site_of(q->chain)->reply, q->client, reply, us);
	if (!q->chain->conf.log_replies)
		return;
	struct record_reply r = { rcode, false, bytes.n, us };
	record_reply(&s->w->log, s->w->engine.now.wall, q->client, &r);
}

static void tally_slow(struct serving *s, const struct query *q, size_t size)
{
	struct tally *t = q->client->tally;
	if (t == NULL)
		return;
	unsigned rcode = q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode;
	const char *maker = maker_word(site_of(q->chain), q->ask.maker);
	tally_response(t, q->client, &(struct tally_reply){ rcode, maker, size });
	tally_time(t, took_us(s, q->client), 1);
}

static void reply_datagram(struct serving *s, const struct query *q)
{
	struct listener *l = listener_nr(s, (uint32_t)q->client->conn);
	struct buf out = udp_room(s->out);
	if (l == NULL || write_reply(s, q, &out) != OK)
		return;
	udp_put(s->out, &l->udp[s->w->nr], &q->client->from, &q->client->to, out.n);
	log_reply(s, q, buf_span(&out));
	tally_slow(s, q, out.n);
}

void serving_part(struct serving *s, const struct query *q, struct span message)
{
	conns_part(s->conns, q, message);
}

/* What was answered in several messages is through. */
static void reply_parted(struct serving *s, const struct query *q)
{
	bool good = q->dropped && q->err == OK;
	unsigned rcode = good ? RCODE_NOERROR : RCODE_SERVFAIL;
	struct tally *t = q->client->tally;
	count_answer(&s->w->metrics, rcode);
	conns_parted(s->conns, q->client, good);
	if (t == NULL)
		return;
	tally_response(t, q->client, &(struct tally_reply){ rcode, "transfer", 0 });
	tally_time(t, took_us(s, q->client), 1);
}

void serving_reply(struct serving *s, const struct query *q)
{
	const struct client *c = q->client;
	if (c->taking != TAKES_ANSWER) {
		reply_parted(s, q);
		return;
	}
	if (q->dropped) {
		metrics_add(&s->w->metrics, M_DROPPED, 1);
		if (c->proto != PROTO_UDP)
			conns_answered(s->conns, c, (struct span){ 0 });
		return;
	}
	count_answer(&s->w->metrics, q->answer == NULL ? RCODE_SERVFAIL : q->answer->rcode);
	if (c->proto == PROTO_UDP) {
		reply_datagram(s, q);
		return;
	}
	struct buf out = conns_room(s->conns);
	if (write_reply(s, q, &out) != OK)
		out.n = 0;
	conns_answered(s->conns, c, buf_span(&out));
	log_reply(s, q, buf_span(&out));
	tally_slow(s, q, out.n);
}

void serving_accept(struct serving *s, uint32_t nr)
{
	struct listener *l = listener_nr(s, nr);
	if (l == NULL || !l->has_tcp || conns_accept(s->conns, l))
		return;
	/* Out of descriptors: who waits is told of again and again, and the loop would do nothing else. */
	s->paused = loop_change(&s->w->loop, l->tcp[s->w->nr].fd, 0, KIND_TCP, l->nr) == OK;
}

/* Those that are no longer watched at all stay so. */
static void accept_again(struct serving *s)
{
	const struct generation *g = s->w->generation;
	for (unsigned i = 0; i < g->nlisteners; i++) {
		const struct listener *l = g->listeners[i];
		if (l->has_tcp)
			(void)!loop_change(&s->w->loop, l->tcp[s->w->nr].fd, LOOP_READ, KIND_TCP, l->nr);
	}
	s->paused = false;
}

void serving_conn(struct serving *s, const struct loop_event *ev)
{
	conns_event(s->conns, ev);
}

void serving_flush(struct serving *s)
{
	udp_flush(s->out);
	conns_flush(s->conns);
	tally_batch(s);
}

void serving_housekeeping(struct serving *s)
{
	conns_housekeeping(s->conns);
	if (s->paused)
		accept_again(s);
}
