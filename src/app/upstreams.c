#include "app/upstreams.h"

#include "app/upstream_tls.h"
#include "base/heap.h"
#include "proto/frame.h"

#define DATAGRAMS_MAX 8u        /* read from one socket in one turn: strays must not starve the rest */
#define UP_OUT_MAX (256u * 1024u)
#define WHY_MAX 256u

enum up_state { UP_UNTRUSTED, UP_CONNECTING, UP_HANDSHAKE, UP_OPEN };

struct up_stream {
	uint64_t stream;             /* the engine's name for it; also our id in the loop */
	int fd;                      /* -1: not yet connecting */
	enum up_state state;
	bool dirty, writing;
	const struct upstream *server;
	struct tls *tls;
	struct tickets *tickets;
	uint32_t trusted;            /* version of the CA certificates that its server was checked against */
	struct frame frame;
	struct queue out;
};

struct asking {
	struct worker *w;
	struct ask_conf conf;
	const struct socket_conf *from;   /* of the generation in service: outgoing-interface */
	int *fds;                    /* of datagram questions, by the index in their id */
	uint32_t nfds;
	slot_id unsent[EFFECTS_MAX]; /* datagram questions that the network refused while effects were performed */
	unsigned nunsent;
	struct up_stream **streams;  /* likewise */
	uint32_t nstreams;
	slot_id *dirty;
	size_t ndirty, dirty_cap;
	struct upstream_tls tls;
	uint8_t read[READ_MAX], plain[READ_MAX];
};

static uint32_t index_of(uint64_t id)
{
	return (uint32_t)id - 1;
}

struct asking *asking_new(struct worker *w)
{
	struct asking *a = heap_pages(sizeof(*a));
	a->w = w;
	upstream_tls_init(&a->tls, w);
	return a;
}

/* ---- datagrams ---- */

/* The server's own, or one of the addresses of outgoing-interface, by chance, as whoever forges an answer has one thing
 * more to guess. */
static void draw_local(struct asking *a, const struct upstream *server)
{
	uint8_t family = server->addr.family;
	struct addr *to = family == ADDR_4 ? &a->conf.local4 : &a->conf.local6;
	unsigned n = 0;
	*to = server->local;
	if (to->family != ADDR_NONE)
		return;
	for (unsigned i = 0; i < a->from->noutgoing; i++)
		if (a->from->outgoing[i].family == family && rng_below(&a->w->engine.rng, ++n) == 0)
			*to = a->from->outgoing[i];
}

static void say(struct asking *a, const char *text)
{
	record_text(&a->w->log, RECORD_TEXT, a->w->engine.now.wall, NULL, text);
}

/* Tables by index grow as the engine's ids do. */
static void grow_fds(struct asking *a, uint32_t need)
{
	uint32_t n = MAX(a->nfds * 2, MAX(need, 64));
	int *fds = heap_new(sizeof(*fds) * n);
	for (uint32_t i = 0; i < n; i++)
		fds[i] = i < a->nfds ? a->fds[i] : -1;
	heap_free(a->fds);
	a->fds = fds;
	a->nfds = n;
}

static void socket_end(struct asking *a, uint64_t socket)
{
	uint32_t i = index_of(socket);
	if (i >= a->nfds || a->fds[i] < 0)
		return;
	loop_remove(&a->w->loop, a->fds[i]);
	ask_close(a->fds[i]);
	a->fds[i] = -1;
}

static void unreachable(struct asking *a, uint64_t socket, enum closed_why why)
{
	struct event ev = { .kind = EV_UNREACHABLE, .socket = socket, .why = why };
	engine_event(&a->w->engine, &ev);
}

static void datagram_send(struct asking *a, const struct effect *fx)
{
	uint32_t i = index_of(fx->socket);
	if (i >= a->nfds)
		grow_fds(a, i + 1);
	socket_end(a, fx->socket);
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	int fd;
	draw_local(a, fx->server);
	if (ask_open(&fx->server->addr, &a->conf, &a->w->engine.rng, &fd, &why) == OK) {
		a->fds[i] = fd;
		if (loop_add(&a->w->loop, fd, LOOP_READ, KIND_ASK, fx->socket) == OK && ask_send(fd, fx->bytes) == OK)
			return;
	}
	ASSERT(a->nunsent < EFFECTS_MAX);   /* told after each round of effects */
	a->unsent[a->nunsent++] = fx->socket;
}

bool asking_refused(struct asking *a)
{
	while (a->nunsent > 0 && effects_room(&a->w->fx) >= EFFECTS_MAX / 2)
		unreachable(a, a->unsent[--a->nunsent], CLOSED_LOCAL);
	return a->w->fx.n > 0;
}

static void datagrams_read(struct asking *a, uint64_t socket)
{
	const struct addr *server = engine_asked(&a->w->engine, socket);
	uint32_t i = index_of(socket);
	if (server == NULL || i >= a->nfds || a->fds[i] < 0)
		return;
	for (unsigned n = 0; n < DATAGRAMS_MAX && a->fds[i] >= 0 && server != NULL; n++) {
		struct event ev = { .kind = EV_DATAGRAM, .socket = socket };
		size_t size;
		enum ask_got got = ask_recv(a->fds[i], server, a->read, sizeof(a->read), &size);
		if (got == ASK_EMPTY)
			return;
		if (got == ASK_UNREACHABLE) {
			unreachable(a, socket, CLOSED_REFUSED);
			return;
		}
		ev.bytes = span_of(a->read, size);
		engine_event(&a->w->engine, &ev);
		server = engine_asked(&a->w->engine, socket);   /* that may have been the end of it */
	}
}

/* ---- streams ---- */

static struct up_stream *stream_get(const struct asking *a, uint64_t id)
{
	uint32_t i = index_of(id);
	struct up_stream *u = i < a->nstreams ? a->streams[i] : NULL;
	return u != NULL && u->stream == id ? u : NULL;
}

static void mark(struct asking *a, struct up_stream *u)
{
	if (u->dirty)
		return;
	u->dirty = true;
	if (a->ndirty == a->dirty_cap) {
		size_t cap = MAX(a->dirty_cap * 2, 64);
		slot_id *ids = heap_new(sizeof(*ids) * cap);
		if (a->ndirty > 0)
			memcpy(ids, a->dirty, sizeof(*ids) * a->ndirty);
		heap_free(a->dirty);
		a->dirty = ids;
		a->dirty_cap = cap;
	}
	a->dirty[a->ndirty++] = u->stream;
}

/* Unless its certificate was checked against authorities of before. */
static void keep_tickets(const struct asking *a, struct up_stream *u)
{
	if (u->tls != NULL && u->tickets != NULL && u->trusted == a->tls.trusted)
		tls_sessions_take(u->tls, &u->tickets->sessions);
}

static void stream_drop(struct asking *a, struct up_stream *u)
{
	a->streams[index_of(u->stream)] = NULL;
	keep_tickets(a, u);
	if (u->tls != NULL)
		tls_free(u->tls);
	if (u->fd >= 0) {
		loop_remove(&a->w->loop, u->fd);
		stream_close(u->fd);
	}
	frame_fini(&u->frame);
	queue_fini(&u->out);
	heap_free(u);
}

static bool write_all(struct up_stream *u, bool *ret_left)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	if (u->tls != NULL && tls_state(u->tls) == TLS_OPEN && u->out.n > 0) {
		if (tls_write(u->tls, queue_span(&u->out)) != OK)
			return false;
		queue_drop(&u->out, u->out.n);
	}
	struct span bytes = u->tls != NULL ? tls_output(u->tls) : queue_span(&u->out);
	size_t n = 0;
	if (bytes.n > 0) {
		enum stream_io io = stream_write(u->fd, bytes, &n, &why);
		if (io == STREAM_BROKEN)
			return false;
		if (io != STREAM_OK)
			n = 0;
	}
	if (u->tls != NULL)
		tls_sent(u->tls, n);
	else
		queue_drop(&u->out, n);
	*ret_left = n < bytes.n;
	return true;
}

/* Gone, and the engine is told why. */
static void stream_fail(struct asking *a, struct up_stream *u, enum closed_why why, const char *text)
{
	struct event ev = { .kind = EV_CLOSED, .stream = u->stream, .why = why, .text = text };
	engine_event(&a->w->engine, &ev);
	stream_drop(a, u);
}

static void stream_fail_tls(struct asking *a, struct up_stream *u)
{
	bool left;
	(void)write_all(u, &left);   /* the alert, as far as the connection takes it at once (RFC8446 6.2) */
	stream_fail(a, u, tls_fault(u->tls) == TLS_FAULT_AUTH ? CLOSED_AUTH : CLOSED_TLS, tls_text(u->tls));
}

static void stream_connect_now(struct asking *a, struct up_stream *u)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	draw_local(a, u->server);
	const struct addr *local = u->server->addr.family == ADDR_4 ? &a->conf.local4 : &a->conf.local6;
	u->state = UP_CONNECTING;
	if (stream_connect(&u->server->addr, local, &u->fd, &why) != OK) {
		u->fd = -1;
		stream_fail(a, u, CLOSED_NETWORK, buf_cstr(&why));
		return;
	}
	if (loop_add(&a->w->loop, u->fd, LOOP_READ | LOOP_WRITE, KIND_STREAM, u->stream) != OK)
		stream_fail(a, u, CLOSED_LOCAL, "too many descriptors");
}

static void stream_open(struct asking *a, const struct effect *fx)
{
	uint32_t i = index_of(fx->stream);
	if (i >= a->nstreams) {
		uint32_t n = MAX(a->nstreams * 2, MAX(i + 1, 16));
		struct up_stream **streams = heap_new(sizeof(*streams) * n);
		if (a->nstreams > 0)
			memcpy(streams, a->streams, sizeof(*streams) * a->nstreams);
		heap_free(a->streams);
		a->streams = streams;
		a->nstreams = n;
	}
	struct up_stream *u = heap_new(sizeof(*u));
	u->stream = fx->stream;
	u->fd = -1;
	u->server = fx->server;
	frame_init(&u->frame);
	queue_init(&u->out, UP_OUT_MAX);
	a->streams[i] = u;
	if (u->server->tls && a->tls.trusted == 0)
		return;   /* asking_trusted begins */
	stream_connect_now(a, u);
}

static void stream_opened(struct asking *a, struct up_stream *u)
{
	u->state = UP_OPEN;
	struct event ev = { .kind = EV_OPENED, .stream = u->stream, .resumed = u->tls != NULL && tls_resumed(u->tls) };
	engine_event(&a->w->engine, &ev);
	mark(a, u);
}

/* The TCP handshake is decided. */
static void stream_connecting(struct asking *a, struct up_stream *u)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	bool refused = false;
	enum stream_io io = stream_connected(u->fd, &refused, &why);
	if (io == STREAM_WAIT)
		return;
	if (io != STREAM_OK) {
		stream_fail(a, u, refused ? CLOSED_REFUSED : CLOSED_NETWORK, buf_cstr(&why));
		return;
	}
	u->writing = true;   /* it is watched for both; flush sets it right */
	if (!u->server->tls) {
		stream_opened(a, u);
		return;
	}
	u->state = UP_HANDSHAKE;
	u->tickets = upstream_tls_tickets(&a->tls, u->server);
	u->trusted = a->tls.trusted;
	struct tls_context *context = upstream_tls_context(&a->tls, u->server);
	if (context == NULL) {
		stream_fail(a, u, CLOSED_TLS, "TLS: certificates of our own that cannot be used");
		return;
	}
	u->tls = tls_client_new(context, u->server->tls_name, u->tickets == NULL ? NULL : &u->tickets->sessions);
	if (tls_state(u->tls) == TLS_FAILED)
		stream_fail_tls(a, u);
	else
		mark(a, u);
}

/* Messages in what came; the stream may be gone afterwards: false. */
static bool stream_messages(struct asking *a, struct up_stream *u, struct span bytes)
{
	uint64_t id = u->stream;
	struct span message;
	if (frame_feed(&u->frame, bytes) != OK) {
		stream_fail(a, u, CLOSED_PEER, "more than can be kept");
		return false;
	}
	while (frame_next(&u->frame, &message)) {
		struct event ev = { .kind = EV_MESSAGE, .stream = id, .bytes = message };
		engine_event(&a->w->engine, &ev);
		worker_relieve(a->w);
		if (stream_get(a, id) == NULL)
			return false;
	}
	if (frame_keep(&u->frame) == OK)
		return true;
	stream_fail(a, u, CLOSED_PEER, "more than can be kept");
	return false;
}

static void stream_fed_tls(struct asking *a, struct up_stream *u, struct span bytes)
{
	tls_feed(u->tls, bytes);
	if (u->state == UP_HANDSHAKE && tls_state(u->tls) == TLS_OPEN)
		stream_opened(a, u);
	size_t n;
	while (u->state == UP_OPEN && (n = tls_read(u->tls, a->plain, sizeof(a->plain))) > 0) {
		if (!stream_messages(a, u, span_of(a->plain, n)))
			return;
	}
	keep_tickets(a, u);
	if (tls_keep(u->tls) != OK || tls_state(u->tls) == TLS_FAILED)
		stream_fail_tls(a, u);
	else if (tls_state(u->tls) == TLS_CLOSED)
		stream_fail(a, u, CLOSED_PEER, "closed by the server");
	else
		mark(a, u);
}

static void stream_readable(struct asking *a, struct up_stream *u)
{
	size_t n;
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	enum stream_io io = stream_read(u->fd, a->read, sizeof(a->read), &n, &why);
	if (io == STREAM_WAIT)
		return;
	if (io == STREAM_OK && u->tls != NULL) {
		stream_fed_tls(a, u, span_of(a->read, n));
		return;
	}
	if (io == STREAM_OK) {
		stream_messages(a, u, span_of(a->read, n));
		return;
	}
	if (u->tls != NULL) {
		tls_end(u->tls);
		if (tls_state(u->tls) == TLS_FAILED) {
			stream_fail_tls(a, u);
			return;
		}
	}
	stream_fail(a, u, CLOSED_PEER, io == STREAM_BROKEN ? buf_cstr(&why) : "closed by the server");
}

void asking_event(struct asking *a, const struct loop_event *ev)
{
	if (ev->kind == KIND_ASK) {
		datagrams_read(a, ev->id);
		return;
	}
	struct up_stream *u = stream_get(a, ev->id);
	if (u == NULL)
		return;
	if (u->state == UP_CONNECTING) {
		stream_connecting(a, u);
		return;
	}
	if (ev->writable)
		mark(a, u);
	if (ev->readable)
		stream_readable(a, u);
}

/* ---- the end of a turn ---- */

static void flush(struct asking *a, struct up_stream *u)
{
	u->dirty = false;
	if (u->state == UP_UNTRUSTED || u->state == UP_CONNECTING)
		return;
	bool left = false;
	if (!write_all(u, &left)) {
		stream_fail(a, u, CLOSED_PEER, "connection broken");
		return;
	}
	if (left != u->writing) {
		u->writing = left;
		unsigned want = LOOP_READ | (left ? (unsigned)LOOP_WRITE : 0u);
		if (loop_change(&a->w->loop, u->fd, want, KIND_STREAM, u->stream) != OK) {
			stream_fail(a, u, CLOSED_LOCAL, "cannot be watched");
			return;
		}
	}
	queue_rest(&u->out);
	if (u->tls != NULL)
		tls_rest(u->tls);
}

void asking_flush(struct asking *a)
{
	for (size_t i = 0; i < a->ndirty; i++) {
		struct up_stream *u = stream_get(a, a->dirty[i]);
		if (u != NULL)
			flush(a, u);
	}
	a->ndirty = 0;
}

static void stream_close_now(struct asking *a, struct up_stream *u)
{
	bool left;
	if (u->tls != NULL && u->state == UP_OPEN) {
		tls_close(u->tls);
		if (!write_all(u, &left))
			say(a, "upstream connection was broken before it could be closed");
	}
	stream_drop(a, u);
}

void asking_perform(struct asking *a, const struct effect *fx)
{
	struct up_stream *u = stream_get(a, fx->stream);
	if (fx->kind == FX_DATAGRAM) {
		datagram_send(a, fx);
	} else if (fx->kind == FX_SOCKET_END) {
		socket_end(a, fx->socket);
	} else if (fx->kind == FX_OPEN) {
		stream_open(a, fx);
	} else if (fx->kind == FX_CLOSE && u != NULL) {
		stream_close_now(a, u);
	} else if (fx->kind == FX_WRITE && u != NULL) {
		if (queue_put(&u->out, fx->bytes) != OK)
			stream_fail(a, u, CLOSED_PEER, "the server does not read");
		else
			mark(a, u);
	}
}

void asking_trusted(struct asking *a)
{
	if (!upstream_tls_trust(&a->tls))
		return;
	for (uint32_t i = 0; i < a->nstreams; i++) {
		struct up_stream *u = a->streams[i];
		if (u != NULL && u->state == UP_UNTRUSTED && u->server->tls)
			stream_connect_now(a, u);
	}
}

void asking_enter(struct asking *a, const struct generation *g)
{
	const struct socket_conf *c = &g->model->listen;
	a->from = c;
	a->conf = (struct ask_conf){ .ports = { c->ports.list, c->ports.n }, .dscp = (uint8_t)c->dscp };
}

void asking_free(struct asking *a)
{
	for (uint32_t i = 0; i < a->nfds; i++) {
		if (a->fds[i] >= 0)
			ask_close(a->fds[i]);
	}
	for (uint32_t i = 0; i < a->nstreams; i++) {
		if (a->streams[i] != NULL)
			stream_drop(a, a->streams[i]);
	}
	upstream_tls_fini(&a->tls);
	heap_free(a->fds);
	heap_free(a->streams);
	heap_free(a->dirty);
	heap_pages_free(a, sizeof(*a));
}
