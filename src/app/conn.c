#include "app/conn.h"

#include "app/encryption.h"
#include "base/heap.h"
#include "proto/doh.h"
#include "proto/frame.h"

#define LIMITS_MAX 64u   /* tcp-connection-limit statements looked at */

struct client_conn {
	int fd;
	uint32_t listener;                /* its number */
	slot_id id;
	bool dirty, ended, doomed;        /* ended: the peer sends no more; doomed: close at the end of the turn */
	bool writing;                     /* the kernel did not take all: waits for LOOP_WRITE */
	bool reading;                     /* watched for LOOP_READ */
	bool sated;                       /* that was its last question: what follows is not read */
	struct tls *tls;
	struct doh *doh;                  /* NULL: messages in frames */
	struct frame frame;
	struct queue out;                 /* framed answers */
	unsigned pending;
	bool transfer;                    /* a zone is on its way: nothing more is asked until it is there */
	slot_id parts;                    /* the query that waits for a message to be taken; 0 none */
	uint32_t asked;                   /* questions so far */
	msec active;                      /* last question or answer */
	msec slow;                        /* a message or handshake is incomplete since; 0: none */
	msec taken;                       /* the kernel took something, or had taken all until then */
	struct addr from, to;
	int limit;                        /* which tcp-connection-limit counts it, -1 none */
};

/* How long peers may take (a Corefile's timeouts). */
struct patience {
	msec read, write, idle;
	bool first;                       /* `read` is for a connection's first question too, from its beginning */
};

struct conns {
	struct serving *s;
	struct worker *w;
	struct slots slots;
	slot_id *dirty;                   /* connections with something to do at the end of the turn */
	size_t ndirty, dirty_cap;
	const struct socket_conf *conf;
	struct patience patience;
	uint32_t questions_max;           /* of one connection; 0: any number */
	struct encryption tls;            /* of listeners */
	unsigned nhttps;                  /* connections over HTTPS */
	unsigned ntransfers;              /* connections with a zone on its way */
	uint32_t limited[LIMITS_MAX];
	uint8_t read[READ_MAX], plain[READ_MAX], reply[MSG_MAX];
};

struct conns *conns_new(struct serving *s)
{
	struct conns *c = heap_pages(sizeof(*c));   /* its buffers are touched when somebody connects */
	c->s = s;
	c->w = serving_worker(s);
	slots_init(&c->slots, CLIENTS_CONN_MAX);
	encryption_init(&c->tls, c->w);
	return c;
}

unsigned conns_count(const struct conns *c)
{
	return c->slots.used;
}

static void mark(struct conns *c, struct client_conn *k)
{
	if (k->dirty)
		return;
	k->dirty = true;
	if (c->ndirty == c->dirty_cap) {
		size_t cap = MAX(c->dirty_cap * 2, 64);
		slot_id *ids = heap_new(sizeof(*ids) * cap);
		if (c->ndirty > 0)
			memcpy(ids, c->dirty, sizeof(*ids) * c->ndirty);
		heap_free(c->dirty);
		c->dirty = ids;
		c->dirty_cap = cap;
	}
	c->dirty[c->ndirty++] = k->id;
}

static void doom(struct conns *c, struct client_conn *k)
{
	k->doomed = true;
	mark(c, k);
}

/* The zone's last message was said, or nobody waits for it any more. */
static void transfer_end(struct conns *c, struct client_conn *k)
{
	c->ntransfers -= k->transfer;
	k->transfer = false;
	k->parts = 0;
}

static void conn_close(struct conns *c, struct client_conn *k)
{
	if (k->parts != 0)
		engine_taken(&c->w->engine, k->parts, true);
	transfer_end(c, k);
	loop_remove(&c->w->loop, k->fd);
	stream_close(k->fd);
	slots_drop(&c->slots, k->id);
	if (k->limit >= 0)
		c->limited[k->limit]--;
	if (k->tls != NULL)
		tls_free(k->tls);
	if (k->doh != NULL) {
		doh_fini(k->doh);
		heap_free(k->doh);
		c->nhttps--;
	}
	frame_fini(&k->frame);
	queue_fini(&k->out);
	heap_free(k);
}

void conns_free(struct conns *c)
{
	for (uint32_t i = 0; i < c->slots.cap; i++) {
		if (c->slots.rows[i].what != NULL)
			conn_close(c, c->slots.rows[i].what);
	}
	slots_fini(&c->slots);
	encryption_fini(&c->tls);
	heap_free(c->dirty);
	heap_pages_free(c, sizeof(*c));
}

/* Which limit counts this address: the longest prefix that holds it. */
static int limit_of(const struct conns *c, const struct addr *from)
{
	int best = -1;
	for (unsigned i = 0; i < MIN(c->conf->ntcp_limits, LIMITS_MAX); i++) {
		const struct prefix *p = &c->conf->tcp_limits[i].net;
		if (prefix_holds(p, from) && (best < 0 || p->bits > c->conf->tcp_limits[best].net.bits))
			best = (int)i;
	}
	return best;
}

static struct patience patience_of(const struct model *m)
{
	const struct daemon_conf *d = &m->daemon;
	msec idle = (msec)m->listen.tcp_idle_ms;
	return d->corefile ? (struct patience){ d->read_timeout, d->write_timeout, idle, true } :
	                     (struct patience){ CONN_SLOW_MS, idle, idle, false };
}

void conns_enter(struct conns *c, const struct generation *g)
{
	c->conf = &g->model->listen;
	c->questions_max = g->model->daemon.queries_max;
	c->patience = patience_of(g->model);
	memset(c->limited, 0, sizeof(c->limited));
	for (uint32_t i = 0; i < c->slots.cap; i++) {
		struct client_conn *k = c->slots.rows[i].what;
		if (k == NULL)
			continue;
		k->limit = limit_of(c, &k->from);
		if (k->limit >= 0)
			c->limited[k->limit]++;
		if (generation_road(g, k->listener) == NULL) {
			k->ended = true;   /* no longer listened to: it gets what it has asked for */
			mark(c, k);
		}
	}
	encryption_enter(&c->tls, g);
}

/* ---- accepting ---- */

/* Full: the one that has been quiet for longest, and owes nothing, makes room. https: of those alone */
static void make_room(struct conns *c, bool https)
{
	struct client_conn *quiet = NULL;
	for (uint32_t i = 0; i < c->slots.cap; i++) {
		struct client_conn *k = c->slots.rows[i].what;
		bool fits = k != NULL && (!https || k->doh != NULL);
		if (fits && k->pending == 0 && !k->dirty && (quiet == NULL || k->active < quiet->active))
			quiet = k;
	}
	if (quiet != NULL)
		conn_close(c, quiet);
}

/* Each worker has its part of them. */
static bool admit_https(struct conns *c)
{
	unsigned most = (CONN_HTTPS_MAX + c->w->count - 1) / c->w->count;
	if (c->nhttps >= most)
		make_room(c, true);
	return c->nhttps < most;
}

static bool admit(struct conns *c, const struct addr *from, int *ret_limit)
{
	*ret_limit = limit_of(c, from);
	if (*ret_limit >= 0 && c->limited[*ret_limit] >= c->conf->tcp_limits[*ret_limit].max)
		return false;
	if (c->slots.used >= c->conf->tcp_clients)
		make_room(c, false);
	return c->slots.used < c->conf->tcp_clients;
}

static void conn_add(struct conns *c, const struct listener *l, int fd, const struct addr *from, const struct addr *to)
{
	int limit;
	bool https = l->what.transport == TRANSPORT_HTTPS;
	struct tls_context *tls = encryption_of(&c->tls, l->nr);
	if ((l->what.transport == TRANSPORT_TLS && tls == NULL) || (https && !admit_https(c)) ||
	    !admit(c, from, &limit)) {
		stream_abort(fd);
		metrics_add(&c->w->metrics, M_DROPPED, 1);
		return;
	}
	struct client_conn *k = heap_new(sizeof(*k));
	k->fd = fd;
	k->listener = l->nr;
	k->from = *from;
	k->to = *to;
	k->limit = limit;
	k->active = k->slow = c->w->engine.now.ms;
	k->reading = true;
	frame_init(&k->frame);
	queue_init(&k->out, CONN_OUT_MAX);
	k->id = slots_add(&c->slots, k);
	if (limit >= 0)
		c->limited[limit]++;
	if (tls != NULL) {
		encryption_rekey(&c->tls);
		k->tls = tls_server_new(tls);
	}
	if (https) {
		k->doh = heap_new(sizeof(*k->doh));
		doh_init(k->doh);
		c->nhttps++;
	}
	if (k->id == 0 || loop_add(&c->w->loop, fd, LOOP_READ, KIND_CLIENT, k->id) != OK)
		conn_close(c, k);
}

bool conns_accept(struct conns *c, const struct listener *l)
{
	struct addr from, to;
	int fd;
	for (unsigned i = 0; i < STREAM_ACCEPTS_MAX; i++) {
		enum stream_accept got = stream_accept(&l->tcp[c->w->nr], &fd, &from, &to);
		if (got != STREAM_ACCEPTED)
			return got != STREAM_FULL;
		conn_add(c, l, fd, &from, &to);
	}
	return true;
}

/* ---- questions ---- */

/* One reply on its way; n == 0: there is none. */
static void deliver(struct conns *c, struct client_conn *k, uint32_t stream, struct span reply)
{
	enum err err = OK;
	if (k->doh != NULL)
		err = doh_answer(k->doh, stream, reply, msg_ttl_least(reply));
	else if (reply.n > 0)
		err = frame_put(&k->out, reply);
	if (err != OK)
		doom(c, k);
}

static void question(struct conns *c, struct client_conn *k, uint32_t stream, struct span message)
{
	enum proto proto = k->doh != NULL ? PROTO_DOH : k->tls != NULL ? PROTO_DOT : PROTO_TCP;
	struct client cl = { .proto = proto, .conn = k->id, .stream = stream, .from = k->from, .to = k->to,
		             .arrived = c->w->engine.now.ms };
	struct buf out = conns_room(c);
	uint32_t before = c->w->engine.clients;
	const struct road *road = generation_road(c->w->generation, k->listener);
	bool answered = serving_question(c->s, road, &cl, message, &out);
	unsigned waits = c->w->engine.clients - before;
	if (answered || waits == 0)
		deliver(c, k, stream, answered ? buf_span(&out) : (struct span){ 0 });
	k->pending += waits;
	if (waits > 0 && (cl.question.type == RR_AXFR || cl.question.type == RR_IXFR)) {
		k->transfer = true;
		if (c->ntransfers++ == CONN_TRANSFERS_MAX)
			doom(c, k);
	}
	k->asked++;
	k->sated = c->questions_max > 0 && k->asked >= c->questions_max;
	k->active = c->w->engine.now.ms;
	k->slow = 0;   /* that was a whole message: the next one has its own time */
}

/* No more is taken in while too many questions are under way or too many answers wait to be read. */
static bool busy(const struct client_conn *k)
{
	return k->transfer || k->pending >= CONN_PENDING_MAX || k->out.n >= CONN_OUT_FULL || k->doomed || k->sated;
}

/* All whole messages that are here, as far as they are taken. */
static void questions(struct conns *c, struct client_conn *k)
{
	struct span message;
	uint32_t stream = 0;
	while (!busy(k) && (k->doh != NULL ? doh_next(k->doh, &stream, &message) : frame_next(&k->frame, &message))) {
		question(c, k, stream, message);
		worker_relieve(c->w);
	}
	mark(c, k);
}

/* What the session has to say against the rules is sent; then it is over. */
static void fed_doh(struct conns *c, struct client_conn *k, struct span bytes)
{
	if (doh_feed(k->doh, bytes) != OK)
		k->ended = true;
	questions(c, k);
}

static void fed(struct conns *c, struct client_conn *k, struct span bytes)
{
	if (k->doh != NULL) {
		fed_doh(c, k, bytes);
		return;
	}
	if (frame_feed(&k->frame, bytes) != OK) {
		doom(c, k);
		return;
	}
	questions(c, k);
	if (frame_keep(&k->frame) != OK)
		doom(c, k);
}

static void fed_tls(struct conns *c, struct client_conn *k, struct span bytes)
{
	tls_feed(k->tls, bytes);
	size_t n;
	while (!busy(k) && (n = tls_read(k->tls, c->plain, sizeof(c->plain))) > 0)
		fed(c, k, span_of(c->plain, n));
	if (tls_keep(k->tls) != OK || tls_state(k->tls) == TLS_FAILED)
		doom(c, k);
	if (tls_state(k->tls) == TLS_CLOSED)
		k->ended = true;
	mark(c, k);
}

/* A message that has not come whole, or a handshake, has its time. */
static void note_slow(struct conns *c, struct client_conn *k)
{
	bool begun = k->doh != NULL ? doh_partial(k->doh) : frame_partial(&k->frame);
	bool first = c->patience.first && k->asked == 0;
	bool partial = begun || first || (k->tls != NULL && tls_state(k->tls) == TLS_HANDSHAKE);
	if (!partial)
		k->slow = 0;
	else if (k->slow == 0)
		k->slow = c->w->engine.now.ms;
}

static void readable(struct conns *c, struct client_conn *k)
{
	size_t n;
	char text[128];
	struct buf why = buf_on(text, sizeof(text));
	enum stream_io io = stream_read(k->fd, c->read, sizeof(c->read), &n, &why);
	if (io == STREAM_BROKEN) {
		doom(c, k);
		return;
	}
	if (io == STREAM_END) {
		k->ended = true;
		mark(c, k);
		return;
	}
	if (io != STREAM_OK)
		return;
	if (k->tls != NULL)
		fed_tls(c, k, span_of(c->read, n));
	else
		fed(c, k, span_of(c->read, n));
	note_slow(c, k);
}

void conns_event(struct conns *c, const struct loop_event *ev)
{
	struct client_conn *k = slots_get(&c->slots, ev->id);
	if (k == NULL)
		return;
	if (ev->writable)
		mark(c, k);
	if (ev->readable && k->reading)
		readable(c, k);
	else if (ev->broken)
		doom(c, k);
}

/* ---- answers ---- */

struct buf conns_room(struct conns *c)
{
	return buf_on(c->reply, sizeof(c->reply));
}

void conns_answered(struct conns *c, const struct client *of, struct span reply)
{
	struct client_conn *k = slots_get(&c->slots, of->conn);
	if (k == NULL)
		return;
	k->pending--;
	k->active = c->w->engine.now.ms;
	if (of->question.type == RR_AXFR || of->question.type == RR_IXFR)
		transfer_end(c, k);
	deliver(c, k, of->stream, reply);
	mark(c, k);
}

void conns_part(struct conns *c, const struct query *q, struct span message)
{
	struct client_conn *k = slots_get(&c->slots, q->client->conn);
	if (k == NULL || k->doomed) {
		engine_taken(&c->w->engine, q->id, true);
		return;
	}
	k->active = c->w->engine.now.ms;
	k->parts = q->id;
	deliver(c, k, 0, message);
	mark(c, k);
}

void conns_parted(struct conns *c, const struct client *of, bool good)
{
	struct client_conn *k = slots_get(&c->slots, of->conn);
	if (k == NULL)
		return;
	transfer_end(c, k);
	k->pending--;
	if (!good)
		k->doomed = true;
	mark(c, k);
}

/* Questions that were not taken before. */
static void resume(struct conns *c, struct client_conn *k)
{
	if (k->doh != NULL)
		questions(c, k);
	else if (!busy(k) && frame_waits(&k->frame))
		fed(c, k, (struct span){ 0 });
	if (!busy(k) && k->tls != NULL && tls_waits(k->tls))
		fed_tls(c, k, (struct span){ 0 });
}

/* Answers over HTTP, as far as there is room for them. */
static enum err gather(struct client_conn *k)
{
	if (k->doh == NULL || k->out.n >= CONN_OUT_FULL)
		return OK;
	struct span bytes = doh_output(k->doh);
	TRY(queue_put(&k->out, bytes));
	doh_sent(k->doh, bytes.n);
	return OK;
}

/* false: the connection is broken. *ret_left: bytes that the kernel did not take. */
static bool write_all(const struct conns *c, struct client_conn *k, bool *ret_left)
{
	char text[128];
	struct buf why = buf_on(text, sizeof(text));
	if (gather(k) != OK)
		return false;
	if (k->tls != NULL && tls_state(k->tls) != TLS_OPEN && k->out.n > 0)
		return false;   /* the peer has said goodbye: there is nobody to tell */
	if (k->tls != NULL && k->out.n > 0) {
		if (tls_write(k->tls, queue_span(&k->out)) != OK)
			return false;
		queue_drop(&k->out, k->out.n);
	}
	struct span bytes = k->tls != NULL ? tls_output(k->tls) : queue_span(&k->out);
	size_t n = 0;
	if (bytes.n > 0) {
		enum stream_io io = stream_write(k->fd, bytes, &n, &why);
		if (io == STREAM_BROKEN)
			return false;
		if (io != STREAM_OK)
			n = 0;
	}
	if (k->tls != NULL)
		tls_sent(k->tls, n);
	else
		queue_drop(&k->out, n);
	*ret_left = n < bytes.n;
	if (!*ret_left || n > 0)
		k->taken = c->w->engine.now.ms;
	return true;
}

/* Watch for what the connection can use now. */
static bool rewatch(struct conns *c, struct client_conn *k, bool writing)
{
	bool reading = !k->ended && !k->sated && !k->transfer && k->pending < CONN_PENDING_MAX && !writing;
	if (reading == k->reading && writing == k->writing)
		return true;
	k->reading = reading;
	k->writing = writing;
	unsigned want = (reading ? LOOP_READ : 0u) | (writing ? LOOP_WRITE : 0u);
	return loop_change(&c->w->loop, k->fd, want, KIND_CLIENT, k->id) == OK;
}

static void statuses_tally(const struct conns *c, const struct client_conn *k)
{
	const struct road *road = generation_road(c->w->generation, k->listener);
	unsigned status;
	uint32_t n;
	while ((n = statuses_take(doh_told(k->doh), &status)) > 0) {
		if (road != NULL && road->https != NULL)
			tally_status(&road->https->of[c->w->nr], status, n);
	}
}

static void flush(struct conns *c, struct client_conn *k)
{
	bool left = false, full = true;
	bool good = !k->writing || write_all(c, k, &left);
	while (full && good && !left) {   /* each round takes what the one before left: what is kept is bounded */
		resume(c, k);
		full = k->out.n >= CONN_OUT_FULL || (k->doh != NULL && doh_output(k->doh).n > 0);
		good = write_all(c, k, &left);
	}
	if (k->doh != NULL)
		statuses_tally(c, k);
	bool over = k->ended || k->sated || (k->doh != NULL && doh_ended(k->doh));
	if (!good || k->doomed || (over && k->pending == 0 && !left) || !rewatch(c, k, left)) {
		conn_close(c, k);
		return;
	}
	if (k->parts != 0 && !left)
		engine_taken(&c->w->engine, k->parts, false);
	queue_rest(&k->out);
	if (k->tls != NULL)
		tls_rest(k->tls);
	k->dirty = false;
}

void conns_flush(struct conns *c)
{
	for (size_t i = 0; i < c->ndirty; i++) {
		struct client_conn *k = slots_get(&c->slots, c->dirty[i]);
		if (k != NULL)
			flush(c, k);
	}
	c->ndirty = 0;
}

void conns_housekeeping(struct conns *c)
{
	msec now = c->w->engine.now.ms;
	for (uint32_t i = 0; i < c->slots.cap; i++) {
		struct client_conn *k = c->slots.rows[i].what;
		if (k == NULL || k->dirty)
			continue;
		bool slow = k->slow != 0 && now - k->slow > c->patience.read;
		bool stuck = k->writing && now - k->taken > c->patience.write;
		bool idle = k->pending == 0 && now - k->active > c->patience.idle;
		if (slow || stuck || idle)
			conn_close(c, k);
	}
}
