#include "proto/request.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/attr.h"

#define PATH "/dns-query"
#define MEDIA "application/dns-message"
#define MESSAGE_MIN 12u   /* a DNS header */

void request_init(struct request *r)
{
	*r = (struct request){ 0 };
	queue_init(&r->target, REQUEST_TARGET_MAX);
	queue_init(&r->body, REQUEST_BODY_MAX);
}

void request_fini(struct request *r)
{
	queue_fini(&r->target);
	queue_fini(&r->body);
}

bool request_word(struct span s, const char *text)
{
	if (s.n != strlen(text))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (fold(s.p[i]) != (uint8_t)text[i])
			return false;
	return true;
}

void request_method(struct request *r, struct span name)
{
	r->method = span_is(name, "GET") ? REQUEST_GET : span_is(name, "POST") ? REQUEST_POST : REQUEST_OTHER;
}

void request_target(struct request *r, struct span bytes)
{
	r->long_target |= queue_put(&r->target, bytes) != OK;
}

void request_body(struct request *r, struct span bytes)
{
	r->long_body |= queue_put(&r->body, bytes) != OK;
}

/* Up to a parameter: "application/dns-message; q=1". */
static struct span media_of(struct span value)
{
	size_t n = 0;
	while (n < value.n && value.p[n] != ';' && value.p[n] != ' ')
		n++;
	return span_of(value.p, n);
}

void request_field(struct request *r, struct span name, struct span value)
{
	if (request_word(name, "content-type"))
		r->dns_message = request_word(media_of(value), MEDIA);
}

/* ---- the parameter of a GET ---- */

/* The value of dns= in the query part; n 0: there is none. */
static struct span parameter(struct span query)
{
	while (query.n > 0) {
		const uint8_t *end = memchr(query.p, '&', query.n);
		struct span one = span_of(query.p, end == NULL ? query.n : (size_t)(end - query.p));
		if (one.n > 4 && memcmp(one.p, "dns=", 4) == 0)
			return span_from(one, 4);
		query = span_from(query, one.n + 1);
	}
	return (struct span){ 0 };
}

/* base64url (RFC4648 5), in place: r->target holds it. */
static bool decode(struct request *r, struct span text, struct span *ret)
{
	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	if (text.n == 0 || text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t *c = (uint8_t *)(uintptr_t)&text.p[i], f = fold(*c);
		bool good = (f >= 'a' && f <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
		if (!good)
			return false;
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	}
	size_t padding = (4 - text.n % 4) % 4;
	if (queue_put(&r->body, text) != OK || queue_put(&r->body, span_of("===", padding)) != OK)
		return false;
	uint8_t *p = (uint8_t *)(uintptr_t)queue_span(&r->body).p;
	int n = EVP_DecodeBlock(p, p, (int)(text.n + padding));
	*ret = span_of(p, n < 0 ? 0 : (size_t)n - padding);
	return n >= 0;
}

unsigned request_message(struct request *r, struct span *ret)
{
	struct span target = queue_span(&r->target);
	size_t path = strlen(PATH);
	if (r->long_target)
		return 414;
	if (target.n < path || memcmp(target.p, PATH, path) != 0 || (target.n > path && target.p[path] != '?'))
		return 404;
	if (r->method == REQUEST_OTHER)
		return 405;
	if (r->long_body)
		return 413;
	if (r->method == REQUEST_POST) {
		if (!r->dns_message)
			return 415;
		*ret = queue_span(&r->body);
	} else {
		queue_drop(&r->body, r->body.n);   /* a GET's body means nothing (RFC9110 9.3.1) */
		struct span text = parameter(span_from(target, path + 1));
		if (text.n == 0 || !decode(r, text, ret))
			return 400;
	}
	return ret->n >= MESSAGE_MIN ? 200 : 400;
}

/* ---- responses ---- */

static const struct {
	unsigned status;
	const char *text;
} rows[STATUSES] = {
	{ 200, "OK" }, { 400, "Bad Request" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 413, "Content Too Large" }, { 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
	{ 431, "Request Header Fields Too Large" }, { 501, "Not Implemented" }, { 505, "HTTP Version Not Supported" },
};

static unsigned row_of(unsigned status)
{
	unsigned i = 0;
	while (i < STATUSES && rows[i].status != status)
		i++;
	ASSERT(i < STATUSES);
	return i;
}

const char *status_text(unsigned status)
{
	return rows[row_of(status)].text;
}

void statuses_count(struct statuses *s, unsigned status)
{
	s->n[row_of(status)]++;
}

uint32_t statuses_take(struct statuses *s, unsigned *ret_status)
{
	for (unsigned i = 0; i < STATUSES; i++) {
		uint32_t n = s->n[i];
		if (n == 0)
			continue;
		s->n[i] = 0;
		*ret_status = rows[i].status;
		return n;
	}
	return 0;
}

const char *response_type(const struct response *r)
{
	return r->status == 200 ? MEDIA : "text/plain";
}
