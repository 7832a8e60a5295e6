#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/attr.h"
#include "base/heap.h"
#include "proto/doh.h"

/* A DNS message is nothing here but twelve bytes or more. */
#define MESSAGE "0123456789ab"
#define MESSAGE_64 "MDEyMzQ1Njc4OWFi"

static void feed(struct doh *d, const char *text)
{
	assert_int_equal(doh_feed(d, span_text(text)), OK);
}

/* What stands in the output begins with that; and is gone. */
static void expect_out(struct doh *d, const char *begin)
{
	struct span out = doh_output(d);
	if (out.n < strlen(begin) || memcmp(out.p, begin, strlen(begin)) != 0)
		fail_msg("'%.*s'; expected '%s...'", (int)out.n, (const char *)out.p, begin);
	doh_sent(d, out.n);
}

static void http1_questions(void **state)
{
	struct doh d;
	uint32_t stream;
	struct span m;
	(void)state;
	doh_init(&d);
	feed(&d, "GET /dns-query?x=1&dns=" MESSAGE_64 " HTTP/1.1\r\nHost: a\r\n\r\n"
	         "POST /dns-query HTTP/1.1\r\ncontent-type: Application/DNS-message\r\n"
	         "Content-Length: 12\r\n\r\n" MESSAGE);
	assert_true(doh_next(&d, &stream, &m));
	assert_true(span_is(m, MESSAGE));
	assert_false(doh_next(&d, &stream, &m));   /* the second one waits for the first one's answer */
	assert_int_equal(doh_answer(&d, stream, span_text("answer"), 7), OK);
	expect_out(&d, "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: 6\r\n"
	               "Cache-Control: max-age=7\r\n\r\nanswer");
	assert_true(doh_next(&d, &stream, &m));
	assert_true(span_is(m, MESSAGE));
	assert_int_equal(doh_answer(&d, stream, span_text("two"), 0), OK);
	assert_false(doh_partial(&d) || doh_ended(&d));
	expect_out(&d, "HTTP/1.1 200 OK\r\n");
	doh_fini(&d);
	assert_int_equal(heap_blocks(), 0);
}

/* What is no question gets its status; what could be read in two ways ends the connection. */
static void http1_refusals(void **state)
{
	static const struct {
		const char *request, *answer;
		bool ends;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", false },
		{ "GET /dns-queryx?dns=" MESSAGE_64 " HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", false },
		{ "GET /dns-query HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", false },
		{ "GET /dns-query?dns=MDE HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", false },
		{ "GET /dns-query?dns=MDEyMzQ1Njc4OWF+ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", false },
		{ "GET /dns-query?dns= HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", false },
		{ "GET /dns-query?dns=" MESSAGE_64 " HTTP/1.0\r\n\r\n", NULL, true },
		{ "GET /dns-query?dns=" MESSAGE_64 " HTTP/1.1\r\nConnection: a , Close\r\n\r\n", NULL, true },
		{ "GET / HTTP/1.1\r\nConnection: close-not, ,\r\n\r\n", "HTTP/1.1 404 ", false },
		{ "GET / HTTP/1.1\r\nConnection: a,close\r\n\r\n", "HTTP/1.1 404 ", true },
		{ "PUT /dns-query HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ", false },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: 12\r\n\r\n" MESSAGE, "HTTP/1.1 415 ", false },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", "HTTP/1.1 413 ", true },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 413 ", true },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "POST /dns-query HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "HTTP/1.1 400 ", true },
		{ "POST /dns-query HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 501 ", true },
		{ "GET /dns-query HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "GET /dns-query HTTP/1.1\r\nA : b\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "GET /dns-query HTTP/1.1\nA: b\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "GET  /dns-query HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", true },
		{ "GET /dns-query HTTP/2.0\r\n\r\n", "HTTP/1.1 505 ", true },
		{ "nonsense\r\n\r\n", "HTTP/1.1 400 ", true },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct doh d;
		uint32_t stream;
		struct span m;
		doh_init(&d);
		feed(&d, rows[i].request);
		if (doh_next(&d, &stream, &m) != (rows[i].answer == NULL))
			fail_msg("%s", rows[i].request);
		if (rows[i].answer == NULL)
			assert_int_equal(doh_answer(&d, stream, span_text("x"), 0), OK);
		else
			expect_out(&d, rows[i].answer);
		if (doh_ended(&d) != rows[i].ends)
			fail_msg("%s: ended %d", rows[i].request, !rows[i].ends);
		doh_fini(&d);
	}
	assert_int_equal(heap_blocks(), 0);
}

/* A head without end, and a target without end. */
static void http1_bounds(void **state)
{
	struct doh d;
	uint32_t stream;
	struct span m;
	char line[1001];
	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	doh_init(&d);
	feed(&d, "GET /dns-query?dns=");
	for (unsigned i = 0; i < 20; i++) {
		assert_true(i > 16 || doh_partial(&d));
		feed(&d, line);
		assert_false(doh_next(&d, &stream, &m));
	}
	expect_out(&d, "HTTP/1.1 431 ");
	assert_true(doh_ended(&d));
	doh_fini(&d);
	doh_init(&d);
	feed(&d, "GET /dns-query?dns=");
	for (unsigned i = 0; i < 9; i++)
		feed(&d, line);
	feed(&d, " HTTP/1.1\r\n\r\n");
	assert_false(doh_next(&d, &stream, &m));
	expect_out(&d, "HTTP/1.1 414 ");
	doh_fini(&d);
	assert_int_equal(heap_blocks(), 0);
}

/* ---- HTTP/2, the other side of which is nghttp2 too: what is tried is what we do with it ---- */

struct peer {
	nghttp2_session *session;
	int32_t last;               /* stream that a response came for */
	unsigned status, closed, responses;
	size_t body;
	const char *post;
};

static int peer_field(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t n, const uint8_t *value,
                      size_t nv, uint8_t flags, void *user)
{
	struct peer *p = user;
	(void)s;
	(void)flags;
	if (span_is(span_of(name, n), ":status") && nv == 3) {
		p->status = (unsigned)((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
		p->last = f->hd.stream_id;
		p->responses++;
	}
	return 0;
}

static int peer_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *user)
{
	(void)s;
	(void)flags;
	(void)id;
	(void)bytes;
	((struct peer *)user)->body += n;
	return 0;
}

static int peer_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
	(void)s;
	(void)id;
	(void)code;
	((struct peer *)user)->closed++;
	return 0;
}

static ssize_t peer_body(nghttp2_session *s, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *from, void *user)
{
	const char *text = ((struct peer *)user)->post;
	size_t *left = from->ptr;
	(void)s;
	(void)id;
	if (left != NULL) {         /* so much, and no end */
		size_t n = room < *left ? room : *left;
		memset(to, 0, n);
		*left -= n;
		return n == 0 ? NGHTTP2_ERR_DEFERRED : (ssize_t)n;
	}
	if (text == NULL) {         /* no end */
		memset(to, 0, room);
		return (ssize_t)room;
	}
	assert_true(room >= strlen(text));
	memcpy(to, text, strlen(text));
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)strlen(text);
}

static void peer_open(struct peer *p)
{
	nghttp2_session_callbacks *calls;
	*p = (struct peer){ 0 };
	assert_int_equal(nghttp2_session_callbacks_new(&calls), 0);
	nghttp2_session_callbacks_set_on_header_callback(calls, peer_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, peer_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, peer_close);
	assert_int_equal(nghttp2_session_client_new(&p->session, calls, p), 0);
	nghttp2_session_callbacks_del(calls);
	assert_int_equal(nghttp2_submit_settings(p->session, 0, NULL, 0), 0);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0 };
}

static int32_t peer_send(struct peer *p, const char *method, const char *path, const nghttp2_data_provider *from)
{
	nghttp2_nv fields[] = { nv(":method", method), nv(":scheme", "https"), nv(":authority", "a"),
		                nv(":path", path), nv("content-type", "application/dns-message") };
	int32_t id = nghttp2_submit_request(p->session, NULL, fields, COUNT(fields), from, NULL);
	assert_true(id > 0);
	return id;
}

static int32_t peer_ask(struct peer *p, const char *method, const char *path, bool body)
{
	const nghttp2_data_provider from = { .read_callback = peer_body };
	return peer_send(p, method, path, body ? &from : NULL);
}

/* Bytes both ways until there are none. */
static enum err exchange(struct peer *p, struct doh *d)
{
	const uint8_t *bytes;
	for (;;) {
		ssize_t n = nghttp2_session_mem_send(p->session, &bytes);
		if (n > 0)
			TRY(doh_feed(d, span_of(bytes, (size_t)n)));
		struct span out = doh_output(d);
		if (n <= 0 && out.n == 0)
			return OK;
		if (out.n > 0 && nghttp2_session_mem_recv(p->session, out.p, out.n) < 0)
			return ERR_FORMAT;
		doh_sent(d, out.n);
	}
}

static void open_both(struct peer *p, struct doh *d)
{
	doh_init(d);
	peer_open(p);
}

static void close_both(struct peer *p, struct doh *d)
{
	nghttp2_session_del(p->session);
	doh_fini(d);
	assert_int_equal(heap_blocks(), 0);
}

/* Requests are answered in whatever order the answers come. */
static void http2_questions(void **state)
{
	struct doh d;
	struct peer p;
	uint32_t one, two, none;
	struct span m;
	(void)state;
	open_both(&p, &d);
	p.post = MESSAGE;
	peer_ask(&p, "POST", "/dns-query", true);
	peer_ask(&p, "GET", "/dns-query?dns=" MESSAGE_64, false);
	peer_ask(&p, "GET", "/elsewhere", false);
	assert_int_equal(exchange(&p, &d), OK);
	assert_true(doh_next(&d, &one, &m) && span_is(m, MESSAGE));
	assert_true(doh_next(&d, &two, &m) && span_is(m, MESSAGE));
	assert_false(doh_next(&d, &none, &m));
	assert_int_equal(exchange(&p, &d), OK);
	assert_int_equal(p.status, 404);
	p.body = 0;
	assert_int_equal(doh_answer(&d, two, span_text("second"), 60), OK);
	assert_int_equal(exchange(&p, &d), OK);
	assert_true(p.status == 200 && p.last == (int32_t)two && p.body == 6);
	assert_int_equal(doh_answer(&d, one, (struct span){ 0 }, 0), OK);   /* dropped */
	assert_int_equal(exchange(&p, &d), OK);
	assert_int_equal(p.closed, 3);
	assert_int_equal(p.responses, 2);
	assert_false(doh_partial(&d) || doh_ended(&d));
	close_both(&p, &d);
}

/* A body without end is given up when it is longer than a message; the connection stays. */
static void http2_long_body(void **state)
{
	struct doh d;
	struct peer p;
	uint32_t stream;
	struct span m;
	(void)state;
	open_both(&p, &d);
	peer_ask(&p, "POST", "/dns-query", true);
	assert_int_equal(exchange(&p, &d), OK);
	assert_int_equal(p.closed, 1);
	assert_false(doh_next(&d, &stream, &m));
	assert_false(doh_ended(&d));
	close_both(&p, &d);
}

/* Bodies that do not end are kept up to a sum; what comes beyond costs its sender the stream. */
static void http2_many_bodies(void **state)
{
	struct doh d;
	struct peer p;
	size_t left[4] = { 60000, 60000, 60000, 60000 };
	(void)state;
	open_both(&p, &d);
	for (size_t i = 0; i < COUNT(left); i++) {
		const nghttp2_data_provider from = { .source = { .ptr = &left[i] }, .read_callback = peer_body };
		peer_send(&p, "POST", "/dns-query", &from);
	}
	assert_int_equal(exchange(&p, &d), OK);
	assert_int_equal(p.closed, 2);
	assert_false(doh_ended(&d));
	close_both(&p, &d);
}

/* A client that asks and takes back, over and over, is left after H2_RESETS_MAX; one that takes back some is not. */
static void http2_rapid_reset(void **state)
{
	struct doh d;
	struct peer p;
	uint32_t stream;
	struct span m;
	(void)state;
	open_both(&p, &d);
	enum err err = OK;
	unsigned n = 0;
	for (; err == OK && n < 3 * H2_RESETS_MAX; n++) {
		int32_t id = peer_ask(&p, "GET", "/dns-query?dns=" MESSAGE_64, false);
		err = exchange(&p, &d);
		while (err == OK && doh_next(&d, &stream, &m))
			;
		assert_int_equal(nghttp2_submit_rst_stream(p.session, 0, id, NGHTTP2_CANCEL), 0);
		if (err == OK)
			err = exchange(&p, &d);
		assert_int_equal(doh_answer(&d, (uint32_t)id + 1000000, span_text("x"), 0), OK);
	}
	assert_int_equal(err, OK);   /* as many answered as taken back */
	for (n = 0; err == OK && n < 3 * H2_RESETS_MAX; n++) {
		int32_t id = peer_ask(&p, "GET", "/dns-query?dns=" MESSAGE_64, false);
		err = exchange(&p, &d);
		assert_int_equal(nghttp2_submit_rst_stream(p.session, 0, id, NGHTTP2_CANCEL), 0);
		if (err == OK)
			err = exchange(&p, &d);
	}
	assert_int_equal(err, ERR_LIMIT);
	assert_true(doh_ended(&d));
	close_both(&p, &d);
}

/* What begins as HTTP/2 does and goes on as nothing. */
static void http2_broken(void **state)
{
	struct doh d;
	(void)state;
	doh_init(&d);
	feed(&d, "PRI * HTTP/2.0\r\n\r\n");
	assert_true(doh_partial(&d));
	feed(&d, "SM\r\n\r\n");
	feed(&d, "this is no frame at all");
	struct span out = doh_output(&d);
	assert_true(out.n > 0);   /* GOAWAY */
	doh_sent(&d, out.n);
	assert_true(doh_ended(&d));
	doh_fini(&d);
	assert_int_equal(heap_blocks(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http1_questions), cmocka_unit_test(http1_refusals),
		cmocka_unit_test(http1_bounds), cmocka_unit_test(http2_questions),
		cmocka_unit_test(http2_long_body), cmocka_unit_test(http2_rapid_reset),
		cmocka_unit_test(http2_broken), cmocka_unit_test(http2_many_bodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
