#include "proto/h2.h"

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/heap.h"

#define OUT_MAX (256u * 1024u)
#define OUT_FULL (64u * 1024u)   /* no more is made of what nghttp2 has to say until some is sent */
#define FRAME_MAX 16384u         /* what the other side may take at once unless it says more (RFC9113 4.2) */

struct stream {
	struct stream *next;
	int32_t id;
	bool whole, asked;           /* all of the request is here; h2_next has given it */
	struct request request;
	struct queue reply;
};

struct h2 {
	nghttp2_session *session;
	struct stream *streams;      /* oldest first */
	uint32_t resets, answers;
	struct statuses told;
	bool broken;
	struct queue out;
};

static struct stream *stream_find(const struct h2 *h, int32_t id)
{
	for (struct stream *s = h->streams; s != NULL; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

static void stream_free(struct stream *s)
{
	request_fini(&s->request);
	queue_fini(&s->reply);
	heap_free(s);
}

static void stream_drop(struct h2 *h, int32_t id)
{
	for (struct stream **at = &h->streams; *at != NULL; at = &(*at)->next) {
		struct stream *s = *at;
		if (s->id != id)
			continue;
		*at = s->next;
		stream_free(s);
		return;
	}
}

/* ---- what nghttp2 tells ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h = user;
	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct stream *s = heap_new(sizeof(*s)), **last = &h->streams;
	s->id = frame->hd.stream_id;
	request_init(&s->request);
	queue_init(&s->reply, REQUEST_BODY_MAX);
	while (*last != NULL)
		last = &(*last)->next;
	*last = s;
	return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                    uint8_t flags, void *user)
{
	struct stream *s = stream_find(user, frame->hd.stream_id);
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
	struct span key = span_of(n.base, n.len), text = span_of(v.base, v.len);
	(void)session;
	(void)flags;
	if (s == NULL || s->whole)
		return 0;
	if (span_is(key, ":method"))
		request_method(&s->request, text);
	else if (span_is(key, ":path"))
		request_target(&s->request, text);
	else
		request_field(&s->request, key, text);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
	struct stream *s = stream_find(user, id);
	(void)flags;
	if (s == NULL || s->whole)
		return 0;
	size_t held = 0;
	request_body(&s->request, span_of(p, n));
	for (const struct stream *x = ((struct h2 *)user)->streams; x != NULL; x = x->next)
		held += x->request.body.n;
	if (s->request.long_body || held > H2_BODIES_MAX)
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h = user;
	struct stream *s = stream_find(h, frame->hd.stream_id);
	(void)session;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		h->resets++;
	bool last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	if (s != NULL && last)
		s->whole = true;
	return h->resets > H2_RESETS_MAX + h->answers ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	(void)session;
	(void)code;
	stream_drop(user, id);
	return 0;
}

static ssize_t reply_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                          nghttp2_data_source *source, void *user)
{
	struct stream *s = stream_find(user, id);
	(void)session;
	(void)source;
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	size_t n = MIN(room, (size_t)s->reply.n);
	if (n > 0)
		memcpy(to, queue_span(&s->reply).p, n);
	queue_drop(&s->reply, n);
	if (s->reply.n == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* ---- the session ---- */

static nghttp2_session *session_make(struct h2 *h)
{
	nghttp2_session_callbacks *calls;
	nghttp2_session *session = NULL;
	nghttp2_option *options;
	if (nghttp2_session_callbacks_new(&calls) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
	nghttp2_session_callbacks_set_on_header_callback2(calls, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	if (nghttp2_option_new(&options) == 0) {
		nghttp2_option_set_no_closed_streams(options, 1);
		if (nghttp2_session_server_new2(&session, calls, h, options) != 0)
			session = NULL;
		nghttp2_option_del(options);
	}
	nghttp2_session_callbacks_del(calls);
	return session;
}

struct h2 *h2_new(void)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_FIELDS_MAX },
	};
	struct h2 *h = heap_new(sizeof(*h));
	queue_init(&h->out, OUT_MAX);
	h->session = session_make(h);
	if (h->session == NULL ||
	    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, COUNT(settings)) != 0)
		h->broken = true;
	return h;
}

void h2_free(struct h2 *h)
{
	if (h == NULL)
		return;
	nghttp2_session_del(h->session);
	while (h->streams != NULL) {
		struct stream *next = h->streams->next;
		stream_free(h->streams);
		h->streams = next;
	}
	queue_fini(&h->out);
	heap_free(h);
}

enum err h2_feed(struct h2 *h, struct span bytes)
{
	if (h->broken)
		return ERR_FORMAT;
	if (bytes.n == 0)
		return OK;
	ssize_t n = nghttp2_session_mem_recv(h->session, bytes.p, bytes.n);
	h->broken = n < 0;
	if (n == NGHTTP2_ERR_CALLBACK_FAILURE || n == NGHTTP2_ERR_FLOODED)
		return ERR_LIMIT;
	return n < 0 ? ERR_FORMAT : OK;
}

struct request *h2_next(struct h2 *h, uint32_t *ret_stream)
{
	for (struct stream *s = h->streams; s != NULL; s = s->next) {
		if (!s->whole || s->asked)
			continue;
		s->asked = true;
		*ret_stream = (uint32_t)s->id;
		return &s->request;
	}
	return NULL;
}

static nghttp2_nv nv_of(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name, .namelen = strlen(name),
		             .value = (uint8_t *)(uintptr_t)value, .valuelen = strlen(value) };
}

void h2_answer(struct h2 *h, uint32_t stream, const struct response *r)
{
	struct stream *s = stream_find(h, (int32_t)stream);
	char status[8], length[16], age[32];
	struct buf b = buf_on(status, sizeof(status)), l = buf_on(length, sizeof(length)), a = buf_on(age, sizeof(age));
	h->answers++;
	if (s == NULL || h->broken)
		return;
	if (queue_put(&s->reply, r->body) != OK) {
		h2_reset(h, stream);
		return;
	}
	buf_printf(&b, "%u", r->status);
	buf_printf(&l, "%zu", r->body.n);
	buf_printf(&a, "max-age=%u", r->max_age);
	nghttp2_nv fields[] = { nv_of(":status", buf_cstr(&b)), nv_of("content-type", response_type(r)),
		                nv_of("content-length", buf_cstr(&l)), nv_of("cache-control", buf_cstr(&a)) };
	nghttp2_data_provider from = { .read_callback = reply_read };
	size_t n = r->status == 200 ? COUNT(fields) : COUNT(fields) - 1;
	if (nghttp2_submit_response(h->session, s->id, fields, n, &from) != 0)
		h->broken = true;
	statuses_count(&h->told, r->status);
}

struct statuses *h2_told(struct h2 *h)
{
	return &h->told;
}

void h2_reset(struct h2 *h, uint32_t stream)
{
	int32_t id = (int32_t)stream;
	if (!h->broken && nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL) != 0)
		h->broken = true;
}

struct span h2_output(struct h2 *h)
{
	const uint8_t *p;
	while (h->session != NULL && h->out.n < OUT_FULL) {
		ssize_t n = nghttp2_session_mem_send(h->session, &p);
		if (n <= 0)
			break;
		if (queue_put(&h->out, span_of(p, (size_t)n)) != OK) {
			h->broken = true;
			break;
		}
	}
	return queue_span(&h->out);
}

void h2_sent(struct h2 *h, size_t n)
{
	queue_drop(&h->out, n);
	queue_rest(&h->out);
}

bool h2_partial(const struct h2 *h)
{
	for (const struct stream *s = h->streams; s != NULL; s = s->next)
		if (!s->whole)
			return true;
	return false;
}

bool h2_ended(const struct h2 *h)
{
	if (h->broken)
		return true;
	bool wants = nghttp2_session_want_read(h->session) != 0 || nghttp2_session_want_write(h->session) != 0;
	return !wants && h->out.n == 0;
}
