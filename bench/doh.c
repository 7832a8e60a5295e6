#include "doh.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 256u
#define QUESTION_MAX 512u
#define ANSWER_MAX 4096u
#define HEADER(name, value) { (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), 0 }

struct slot {
	uint16_t asked, sent; /* bytes of the question */
	uint16_t len;         /* and of the answer */
	bool status, type;
	uint8_t question[QUESTION_MAX], answer[ANSWER_MAX];
};

struct doh {
	nghttp2_session *session;
	const char *authority;
	const uint8_t *rest; /* of what the session gave to be written */
	size_t nrest;
	unsigned first, n; /* slots whose answers are there: a ring */
	uint8_t done[SLOTS];
	struct slot slots[SLOTS];
};

static ssize_t give(nghttp2_session *session, int32_t stream, uint8_t *to, size_t max, uint32_t *flags,
                    nghttp2_data_source *source, void *user)
{
	struct slot *s = source->ptr;
	size_t left = (size_t)(s->asked - s->sent), n = left < max ? left : max;

	(void)session, (void)stream, (void)user;
	memcpy(to, s->question + s->sent, n);
	s->sent += (uint16_t)n;
	if (s->sent == s->asked)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t nname,
                     const uint8_t *value, size_t nvalue, uint8_t flags, void *user)
{
	struct slot *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags, (void)user;
	if (s != NULL && nname == 7 && memcmp(name, ":status", 7) == 0)
		s->status = nvalue == 3 && memcmp(value, "200", 3) == 0;
	if (s != NULL && nname == 12 && memcmp(name, "content-type", 12) == 0)
		s->type = nvalue == 23 && memcmp(value, "application/dns-message", 23) == 0;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *user)
{
	struct slot *s = nghttp2_session_get_stream_user_data(session, stream);

	(void)flags, (void)user;
	if (s == NULL || s->len + n > ANSWER_MAX)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	memcpy(s->answer + s->len, data, n);
	s->len += (uint16_t)n;
	return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
	struct doh *d = user;
	struct slot *s = nghttp2_session_get_stream_user_data(session, stream);

	if (s == NULL)
		return 0;
	if (code != 0 || !s->status || !s->type)
		s->len = 0;
	d->done[(d->first + d->n++) % SLOTS] = (uint8_t)(s - d->slots);
	return 0;
}

struct doh *doh_new(const char *authority)
{
	const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 } };
	struct doh *d = calloc(1, sizeof(*d));
	nghttp2_session_callbacks *calls;

	if (d == NULL || nghttp2_session_callbacks_new(&calls) != 0)
		abort();
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	d->authority = authority;
	if (nghttp2_session_client_new(&d->session, calls, d) != 0 ||
	    nghttp2_submit_settings(d->session, NGHTTP2_FLAG_NONE, settings, 1) != 0)
		abort();
	nghttp2_session_callbacks_del(calls);
	return d;
}

bool doh_ask(struct doh *d, const uint8_t *msg, size_t len)
{
	struct slot *s = &d->slots[msg[1]];
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = give };
	char size[8] = { (char)('0' + len / 100), (char)('0' + len / 10 % 10), (char)('0' + len % 10) };
	const nghttp2_nv headers[] = { HEADER(":method", "POST"), HEADER(":scheme", "https"),
		                       HEADER(":authority", d->authority), HEADER(":path", "/dns-query"),
		                       HEADER("content-type", "application/dns-message"),
		                       HEADER("accept", "application/dns-message"),
		                       HEADER("content-length", size + (len < 100)) };

	if (len > QUESTION_MAX || len < 10)
		return false;
	memcpy(s->question, msg, len);
	s->asked = (uint16_t)len;
	s->sent = s->len = 0;
	s->status = s->type = false;
	return nghttp2_submit_request(d->session, NULL, headers, sizeof(headers) / sizeof(headers[0]), &body, s) >= 0;
}

size_t doh_out(struct doh *d, uint8_t *to, size_t max)
{
	size_t at = 0;

	for (;;) {
		size_t n = d->nrest < max - at ? d->nrest : max - at;
		ssize_t more;

		memcpy(to + at, d->rest == NULL ? to : d->rest, n);
		at += n;
		d->rest += n;
		d->nrest -= n;
		if (at == max || (more = nghttp2_session_mem_send(d->session, &d->rest)) <= 0)
			return at;
		d->nrest = (size_t)more;
	}
}

bool doh_in(struct doh *d, const uint8_t *bytes, size_t n)
{
	return nghttp2_session_mem_recv(d->session, bytes, n) == (ssize_t)n;
}

const uint8_t *doh_next(struct doh *d, size_t *ret_len)
{
	const struct slot *s;

	if (d->n == 0)
		return NULL;
	s = &d->slots[d->done[d->first]];
	d->first = (d->first + 1) % SLOTS;
	d->n--;
	*ret_len = s->len;
	return s->answer;
}
