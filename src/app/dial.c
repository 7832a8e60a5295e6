#include "app/dial.h"

#include <stdarg.h>

#include "io/ask.h"
#include "io/clock.h"
#include "io/process.h"
#include "io/stream.h"
#include "proto/frame.h"

#define KIND_SOCKET 1u
#define READ_BYTES 16384u
#define STRAYS_MAX 64u         /* datagrams that are no answer before a wait is given up */
#define ERROR_MAX 256u
#define UDP_BYTES 1232u        /* taken in one datagram */
#define PAD_BLOCK 128u         /* of questions over TLS (RFC8467 4.1) */

enum err dial_init(struct dial *d, struct arena *a)
{
	uint8_t seed[32];
	struct buf why = buf_on(d->why, sizeof(d->why));
	d->arena = a;
	d->started_us = clock_usec();
	process_random(seed);
	rng_seed(&d->rng, seed);
	return loop_init(&d->loop, &why);
}

void dial_fini(struct dial *d)
{
	if (d->tls != NULL)
		tls_context_free(d->tls);
	if (d->store != NULL)
		tls_store_free(d->store);
	loop_fini(&d->loop);
}

/* ---- telling ---- */

PRINTF(2, 3) static void step(const struct dial *d, const char *fmt, ...)
{
	char text[DIAL_WHY_MAX + ADDR_TEXT_MAX + 100];
	va_list ap;
	if (d->steps == NULL)
		return;
	struct buf b = buf_on(text, sizeof(text));
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	fprintf(d->steps, ";; %9.3f ms  %s\n", (double)(clock_usec() - d->started_us) / 1000, buf_cstr(&b));
}

PRINTF(3, 4) static enum err fail(struct dial *d, enum err e, const char *fmt, ...)
{
	struct buf b = buf_on(d->why, sizeof(d->why));
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < b.n; i++)   /* a certificate may say anything */
		if (d->why[i] < ' ' || d->why[i] == 0x7f)
			d->why[i] = '?';
	buf_cstr(&b);
	step(d, "%s", d->why);
	return e;
}

static msec now_ms(void)
{
	struct now now;
	clock_now(&now);
	return now.ms;
}

/* ---- one socket ---- */

/* returns OK something happened | ERR_TIMEOUT */
static enum err wait_for(struct dial *d, int fd, unsigned want, msec deadline)
{
	struct loop_event ev;
	if (loop_change(&d->loop, fd, want, KIND_SOCKET, 1) != OK)
		return ERR_WORLD;
	for (msec left = deadline - now_ms(); left > 0; left = deadline - now_ms())
		if (loop_wait(&d->loop, left, &ev, 1) > 0)
			return OK;
	return ERR_TIMEOUT;
}

/* Is it the answer to what was asked? An error may come without the question. */
static bool is_answer(const struct msg *m, const struct question *q, uint16_t id)
{
	if (m->id != id || !(m->flags & FLAG_QR))
		return false;
	return m->counts[0] == 0 ? m->rcode != RCODE_NOERROR : question_eq(&m->question, q);
}

static enum err take_answer(struct dial *d, const struct question *q, uint16_t id, struct span bytes, struct msg *ret)
{
	struct span kept = arena_span(d->arena, bytes);
	if (kept.p == NULL)
		return fail(d, ERR_UPSTREAM, "the answer is too long");
	enum err err = msg_parse(d->arena, kept, ret);
	if (err != OK)
		return fail(d, ERR_UPSTREAM, "%zu bytes that are no DNS message: %s", bytes.n, err_text(err));
	if (!is_answer(ret, q, id))
		return fail(d, ERR_UPSTREAM, "%zu bytes that answer another question", bytes.n);
	step(d, "answered: %zu bytes", bytes.n);
	return OK;
}

/* ---- UDP ---- */

static enum err datagram_wait(struct dial *d, int fd, const struct dial_server *s, const struct question *q,
                              struct dialled *ret)
{
	msec deadline = now_ms() + DIAL_UDP_MS;
	uint16_t id = ret->msg.id;
	for (unsigned strays = 0; strays < STRAYS_MAX && wait_for(d, fd, LOOP_READ, deadline) == OK; strays++) {
		size_t n;
		enum ask_got got = ask_recv(fd, &s->addr, d->read, sizeof(d->read), &n);
		if (got == ASK_UNREACHABLE)
			return fail(d, ERR_UPSTREAM, "nobody answers on that port");
		if (got == ASK_GOT && take_answer(d, q, id, span_of(d->read, n), &ret->msg) == OK)
			return OK;
	}
	return fail(d, ERR_TIMEOUT, "no answer in %u ms", DIAL_UDP_MS);
}

static enum err ask_udp(struct dial *d, const struct dial_server *s, const struct question *q, struct span query,
                        struct dialled *ret)
{
	static const struct ask_conf conf;
	char text[ERROR_MAX];
	struct buf why = buf_on(text, sizeof(text));
	enum err err = ERR_TIMEOUT;
	ret->over = "UDP";
	for (unsigned try = 0; try < DIAL_UDP_TRIES && err == ERR_TIMEOUT; try++) {
		int fd;
		why.n = 0;
		if (ask_open(&s->addr, &conf, &d->rng, &fd, &why) != OK)
			return fail(d, ERR_UPSTREAM, "%s", buf_cstr(&why));
		step(d, "%s %zu bytes over UDP", try == 0 ? "sending" : "once more:", query.n);
		ret->msg.id = get_u16(query.p);
		err = loop_add(&d->loop, fd, LOOP_READ, KIND_SOCKET, 1);
		if (err == OK && ask_send(fd, query) != OK)
			err = fail(d, ERR_UPSTREAM, "the network refused to send");
		if (err == OK)
			err = datagram_wait(d, fd, s, q, ret);
		loop_remove(&d->loop, fd);
		ask_close(fd);
	}
	return err;
}

/* ---- TCP and TLS ---- */

struct line {
	struct dial *d;
	int fd;
	struct tls *tls;           /* NULL: in the clear */
	struct frame frame;
	struct queue out;
	msec deadline;
	bool ended;
};

static enum err line_write(struct line *l)
{
	char text[ERROR_MAX];
	struct buf why = buf_on(text, sizeof(text));
	for (;;) {
		struct span out = l->tls != NULL ? tls_output(l->tls) : queue_span(&l->out);
		size_t n = 0;
		if (out.n == 0)
			return OK;
		enum stream_io io = stream_write(l->fd, out, &n, &why);
		if (io == STREAM_WAIT)
			return OK;
		if (io != STREAM_OK)
			return fail(l->d, ERR_UPSTREAM, "%s", buf_cstr(&why));
		if (l->tls != NULL)
			tls_sent(l->tls, n);
		else
			queue_drop(&l->out, n);
	}
}

static enum err line_fed(struct line *l, struct span bytes)
{
	uint8_t plain[READ_BYTES];
	size_t n;
	if (l->tls == NULL) {
		TRY(frame_feed(&l->frame, bytes));
		return frame_keep(&l->frame);
	}
	tls_feed(l->tls, bytes);
	while (tls_state(l->tls) == TLS_OPEN && (n = tls_read(l->tls, plain, sizeof(plain))) > 0) {
		TRY(frame_feed(&l->frame, span_of(plain, n)));
		TRY(frame_keep(&l->frame));
	}
	if (tls_state(l->tls) == TLS_CLOSED)
		l->ended = true;
	return tls_keep(l->tls);
}

/* Send what waits, wait for something, take it in. */
static enum err line_turn(struct line *l)
{
	char text[ERROR_MAX];
	struct buf why = buf_on(text, sizeof(text));
	uint8_t bytes[READ_BYTES];
	size_t n = 0;
	TRY(line_write(l));
	size_t left = l->tls != NULL ? tls_output(l->tls).n : queue_span(&l->out).n;
	if (wait_for(l->d, l->fd, LOOP_READ | (left > 0 ? LOOP_WRITE : 0u), l->deadline) != OK)
		return fail(l->d, ERR_TIMEOUT, "no answer in %u ms", DIAL_STREAM_MS);
	switch (stream_read(l->fd, bytes, sizeof(bytes), &n, &why)) {
	case STREAM_OK:
		if (line_fed(l, span_of(bytes, n)) == OK)
			return OK;
		return fail(l->d, ERR_UPSTREAM, "more bytes than any answer has");
	case STREAM_WAIT:
		return OK;
	case STREAM_END:
		l->ended = true;
		if (l->tls != NULL)
			tls_end(l->tls);
		return OK;
	case STREAM_BROKEN:
		break;
	}
	return fail(l->d, ERR_UPSTREAM, "%s", buf_cstr(&why));
}

static enum err line_connect(struct line *l, const struct dial_server *s)
{
	struct dial *d = l->d;
	static const struct addr anywhere;
	char text[ERROR_MAX];
	struct buf why = buf_on(text, sizeof(text));
	step(d, "connecting over TCP");
	if (stream_connect(&s->addr, &anywhere, &l->fd, &why) != OK) {
		l->fd = -1;
		return fail(d, ERR_UPSTREAM, "%s", buf_cstr(&why));
	}
	if (loop_add(&d->loop, l->fd, LOOP_WRITE, KIND_SOCKET, 1) != OK)
		return fail(d, ERR_UPSTREAM, "too many descriptors");
	for (;;) {
		bool refused = false;
		enum stream_io io = stream_connected(l->fd, &refused, &why);
		if (io == STREAM_OK)
			break;
		if (io != STREAM_WAIT)
			return fail(d, ERR_UPSTREAM, "%s", buf_cstr(&why));
		if (wait_for(d, l->fd, LOOP_WRITE, l->deadline) != OK)
			return fail(d, ERR_TIMEOUT, "no connection in %u ms", DIAL_STREAM_MS);
	}
	step(d, "connected");
	return OK;
}

/* The CA certificates are read when the first server wants them. */
static enum err tls_prepare(struct dial *d)
{
	char text[ERROR_MAX];
	struct buf why = buf_on(text, sizeof(text));
	if (d->tls != NULL)
		return OK;
	d->store = tls_store_load(d->ca_file, &why);
	if (d->store == NULL)
		return fail(d, ERR_UPSTREAM, "%s", buf_cstr(&why));
	struct tls_client_conf conf = { .store = d->store, .alpn = "dot" };
	d->tls = tls_client_context(&conf, &why);
	step(d, "certificates of %u authorities read", tls_store_count(d->store));
	return d->tls != NULL ? OK : fail(d, ERR_UPSTREAM, "%s", buf_cstr(&why));
}

static enum err line_secure(struct line *l, const struct dial_server *s)
{
	struct dial *d = l->d;
	l->tls = tls_client_new(d->tls, s->tls_name, NULL);
	while (tls_state(l->tls) == TLS_HANDSHAKE)
		TRY(line_turn(l));
	if (tls_state(l->tls) != TLS_OPEN) {
		enum err sent = line_write(l);   /* the alert */
		(void)sent;
		return fail(d, ERR_UPSTREAM, "%s", tls_text(l->tls));
	}
	step(d, "%s; the certificate proves %s", tls_version(l->tls), s->tls_name);
	return OK;
}

static enum err line_ask(struct line *l, const struct question *q, struct span query, struct msg *ret)
{
	struct span message;
	if (frame_put(&l->out, query) != OK)
		return fail(l->d, ERR_UPSTREAM, "the question is too long");
	if (l->tls != NULL) {
		if (tls_write(l->tls, queue_span(&l->out)) != OK)
			return fail(l->d, ERR_UPSTREAM, "%s", tls_text(l->tls));
		queue_drop(&l->out, queue_span(&l->out).n);
	}
	step(l->d, "sending %zu bytes", query.n);
	for (;;) {
		if (frame_next(&l->frame, &message))
			return take_answer(l->d, q, get_u16(query.p), message, ret);
		if (l->ended)
			return fail(l->d, ERR_UPSTREAM, "the server closed the connection without an answer");
		TRY(line_turn(l));
	}
}

static enum err ask_stream(struct dial *d, const struct dial_server *s, const struct question *q, struct span query,
                           struct dialled *ret)
{
	struct line l = { .d = d, .fd = -1, .deadline = now_ms() + DIAL_STREAM_MS };
	ret->over = s->tls ? "TLS" : "TCP";
	frame_init(&l.frame);
	queue_init(&l.out, MSG_MAX + 2);
	enum err err = line_connect(&l, s);
	if (err == OK && s->tls)
		err = line_secure(&l, s);
	if (err == OK)
		err = line_ask(&l, q, query, &ret->msg);
	if (l.tls != NULL)
		tls_free(l.tls);
	if (l.fd >= 0) {
		loop_remove(&d->loop, l.fd);
		stream_close(l.fd);
	}
	queue_fini(&l.out);
	frame_fini(&l.frame);
	return err;
}

enum err dial_ask(struct dial *d, const struct dial_server *server, const struct question *q, struct span query,
                  struct dialled *ret)
{
	char text[ADDR_TEXT_MAX + 8];
	struct buf b = buf_on(text, sizeof(text));
	addr_port_text(&server->addr, &b);
	step(d, "asking %s%s%s", buf_cstr(&b), server->tls ? "#" : "", server->tls ? server->tls_name : "");
	bool stream = server->tls || d->tcp;
	if (server->tls)
		TRY(tls_prepare(d));
	int64_t begun = clock_usec();
	enum err err = stream ? ask_stream(d, server, q, query, ret) : ask_udp(d, server, q, query, ret);
	if (err == OK && !stream && ret->msg.flags & FLAG_TC) {
		step(d, "truncated: once more over TCP");
		err = ask_stream(d, server, q, query, ret);
	}
	ret->took_us = clock_usec() - begun;
	return err;
}

struct span dial_query(struct dial *d, const struct dial_server *s, const struct question *q, uint16_t flags,
                       struct buf *to)
{
	struct msg_writer w;
	msg_begin(&w, to, (uint16_t)rng_u64(&d->rng), flags);
	msg_question(&w, q);
	size_t at = edns_begin(to, UDP_BYTES, 0, true);
	if (s->tls)
		edns_pad(to, PAD_BLOCK);
	edns_end(to, at);
	msg_opt_counted(&w);
	msg_end(&w);
	return buf_span(to);
}
