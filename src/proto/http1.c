#include "proto/http1.h"

#include "base/buf.h"

#define IN_MAX (HTTP1_HEAD_MAX + REQUEST_BODY_MAX)
#define OUT_MAX (256u * 1024u)
#define OUT_HEAD_MAX 256u
#define FIELDS_MAX 100u

void http1_init(struct http1 *h)
{
	*h = (struct http1){ 0 };
	queue_init(&h->in, IN_MAX);
	queue_init(&h->out, OUT_MAX);
	request_init(&h->request);
}

void http1_fini(struct http1 *h)
{
	queue_fini(&h->in);
	queue_fini(&h->out);
	request_fini(&h->request);
}

enum err http1_feed(struct http1 *h, struct span bytes)
{
	return h->state == HTTP1_ENDED ? OK : queue_put(&h->in, bytes);
}

bool http1_partial(const struct http1 *h)
{
	return h->state == HTTP1_BODY || (h->state == HTTP1_HEAD && h->in.n > 0);
}

bool http1_ended(const struct http1 *h)
{
	return h->state == HTTP1_ENDED;
}

enum err http1_answer(struct http1 *h, const struct response *r)
{
	char head[OUT_HEAD_MAX];
	struct buf b = buf_on(head, sizeof(head));
	buf_printf(&b, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", r->status,
	           status_text(r->status), response_type(r), r->body.n);
	if (r->status == 200)
		buf_printf(&b, "Cache-Control: max-age=%u\r\n", r->max_age);
	if (r->status == 405)
		buf_text(&b, "Allow: GET, POST\r\n");
	buf_printf(&b, "%s\r\n", h->lasts ? "" : "Connection: close\r\n");
	h->state = h->lasts ? HTTP1_HEAD : HTTP1_ENDED;
	statuses_count(&h->told, r->status);
	request_fini(&h->request);
	request_init(&h->request);
	TRY(queue_put(&h->out, buf_span(&b)));
	return queue_put(&h->out, r->body);
}

/* The request cannot be read further: say so, and end. */
static void refuse(struct http1 *h, unsigned status)
{
	h->lasts = false;
	struct response r = { .status = status, .body = span_text(status_text(status)) };
	(void)!http1_answer(h, &r);
	queue_drop(&h->in, h->in.n);
}

/* ---- the head ---- */

/* Bytes up to and with the empty line; 0: it has not come. */
static size_t head_size(struct span in)
{
	const uint8_t *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	return end == NULL ? 0 : (size_t)(end - in.p) + 4;
}

/* The next line, without its end, which is CR LF alone; what else could end one is in no line. */
static bool line_next(struct span *head, struct span *ret)
{
	const uint8_t *end = memmem(head->p, head->n, "\r\n", 2);
	if (end == NULL)
		return false;
	*ret = span_of(head->p, (size_t)(end - head->p));
	*head = span_from(*head, ret->n + 2);
	return memchr(ret->p, '\n', ret->n) == NULL && memchr(ret->p, '\r', ret->n) == NULL &&
	       memchr(ret->p, 0, ret->n) == NULL;
}

static struct span word_next(struct span *line)
{
	const uint8_t *end = memchr(line->p, ' ', line->n);
	struct span word = span_of(line->p, end == NULL ? line->n : (size_t)(end - line->p));
	*line = span_from(*line, word.n + 1);
	return word;
}

/* "GET /dns-query?dns=... HTTP/1.1". returns 0, or the status that says why not */
static unsigned request_line(struct http1 *h, struct span line)
{
	struct span method = word_next(&line), target = word_next(&line);
	if (method.n == 0 || target.n == 0 || line.n != 8 || memcmp(line.p, "HTTP/", 5) != 0)
		return 400;
	if (!span_is(line, "HTTP/1.1") && !span_is(line, "HTTP/1.0"))
		return 505;
	h->lasts = line.p[7] == '1';
	request_method(&h->request, method);
	request_target(&h->request, target);
	return 0;
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i], f = fold(c);
		bool word = (f >= 'a' && f <= 'z') || (c >= '0' && c <= '9');
		if (!word && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* Is the word one of a list (RFC9110 5.6.1)? */
static bool names(struct span list, const char *word)
{
	while (list.n > 0) {
		const uint8_t *comma = memchr(list.p, ',', list.n);
		struct span one = span_of(list.p, comma == NULL ? list.n : (size_t)(comma - list.p));
		if (request_word(span_trim(one, " \t"), word))
			return true;
		list = span_from(list, one.n + 1);
	}
	return false;
}

/* Decimal digits and nothing else; longer than is taken counts as that. */
static bool length_read(struct span s, uint32_t *ret)
{
	uint32_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n > REQUEST_BODY_MAX ? n : n * 10 + (s.p[i] - '0');
	}
	*ret = n;
	return s.n > 0;
}

/* What the fields say of the message itself. */
struct framing {
	bool length, coded, goes_on;
};

static unsigned field(struct http1 *h, struct framing *f, struct span line)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);
	if (colon == NULL)
		return 400;
	struct span name = span_of(line.p, (size_t)(colon - line.p));
	struct span value = span_trim(span_from(line, name.n + 1), " \t");
	if (!is_token(name))
		return 400;   /* and so a folded line, or a space before the colon */
	if (request_word(name, "content-length")) {
		if (f->length || !length_read(value, &h->left))
			return 400;
		f->length = true;
	} else if (request_word(name, "transfer-encoding")) {
		f->coded = true;
	} else if (request_word(name, "connection")) {
		h->lasts &= !names(value, "close");
	} else if (request_word(name, "expect")) {
		f->goes_on = request_word(value, "100-continue");
	} else {
		request_field(&h->request, name, value);
	}
	return 0;
}

static unsigned head_read(struct http1 *h, struct span head)
{
	struct span line;
	struct framing f = { 0 };
	h->left = 0;
	unsigned bad = line_next(&head, &line) ? request_line(h, line) : 400;
	for (unsigned i = 0; bad == 0 && head.n > 2; i++) {
		if (i == FIELDS_MAX)
			return 431;
		bad = line_next(&head, &line) ? field(h, &f, line) : 400;
	}
	if (bad != 0)
		return bad;
	if (f.coded)
		return f.length ? 400 : 501;
	if (h->left > REQUEST_BODY_MAX)
		return 413;
	if (f.goes_on && h->left > 0 && queue_put(&h->out, span_text("HTTP/1.1 100 Continue\r\n\r\n")) != OK)
		return 400;
	return 0;
}

static void head(struct http1 *h)
{
	struct span in = queue_span(&h->in);
	size_t n = in.n == 0 ? 0 : head_size(in);
	if (n == 0 || n > HTTP1_HEAD_MAX) {
		if (in.n >= HTTP1_HEAD_MAX)
			refuse(h, 431);
		return;
	}
	unsigned bad = head_read(h, span_of(in.p, n));
	if (bad != 0) {
		refuse(h, bad);
		return;
	}
	queue_drop(&h->in, n);
	h->state = h->left > 0 ? HTTP1_BODY : HTTP1_WHOLE;
}

static void body(struct http1 *h)
{
	struct span in = queue_span(&h->in);
	size_t n = MIN(in.n, h->left);
	request_body(&h->request, span_of(in.p, n));
	queue_drop(&h->in, n);
	h->left -= (uint32_t)n;
	if (h->left == 0)
		h->state = HTTP1_WHOLE;
}

struct request *http1_next(struct http1 *h)
{
	if (h->state == HTTP1_WHOLE)
		return NULL;   /* its answer is still owed */
	if (h->state == HTTP1_HEAD)
		head(h);
	if (h->state == HTTP1_BODY)
		body(h);
	queue_rest(&h->in);
	return h->state == HTTP1_WHOLE ? &h->request : NULL;
}
