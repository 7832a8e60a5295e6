#include "proto/doh.h"

static const uint8_t preface[DOH_PREFACE + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

void doh_init(struct doh *d)
{
	*d = (struct doh){ 0 };
	http1_init(&d->http1);
}

void doh_fini(struct doh *d)
{
	h2_free(d->h2);
	http1_fini(&d->http1);
}

/* Which version it is shows in as many bytes as differ from HTTP/2's first ones. */
static enum err first_bytes(struct doh *d, struct span *bytes)
{
	while (!d->known && bytes->n > 0) {
		d->first[d->nfirst++] = bytes->p[0];
		*bytes = span_from(*bytes, 1);
		bool is_h2 = memcmp(d->first, preface, d->nfirst) == 0;
		d->known = !is_h2 || d->nfirst == DOH_PREFACE;
		if (d->known && is_h2)
			d->h2 = h2_new();
	}
	if (!d->known)
		return OK;
	struct span kept = span_of(d->first, d->nfirst);
	d->nfirst = 0;
	if (kept.n == 0)
		return OK;
	return d->h2 != NULL ? h2_feed(d->h2, kept) : http1_feed(&d->http1, kept);
}

enum err doh_feed(struct doh *d, struct span bytes)
{
	TRY(first_bytes(d, &bytes));
	if (!d->known)
		return OK;
	return d->h2 != NULL ? h2_feed(d->h2, bytes) : http1_feed(&d->http1, bytes);
}

static struct request *request_next(struct doh *d, uint32_t *ret_stream)
{
	*ret_stream = 0;
	return d->h2 != NULL ? h2_next(d->h2, ret_stream) : d->known ? http1_next(&d->http1) : NULL;
}

static enum err respond(struct doh *d, uint32_t stream, const struct response *r)
{
	if (d->h2 == NULL)
		return http1_answer(&d->http1, r);
	h2_answer(d->h2, stream, r);
	return OK;
}

bool doh_next(struct doh *d, uint32_t *ret_stream, struct span *ret_message)
{
	struct request *r;
	while ((r = request_next(d, ret_stream)) != NULL) {
		unsigned status = request_message(r, ret_message);
		if (status == 200)
			return true;
		struct response no = { .status = status, .body = span_text(status_text(status)) };
		if (respond(d, *ret_stream, &no) != OK)
			return false;
	}
	return false;
}

enum err doh_answer(struct doh *d, uint32_t stream, struct span reply, uint32_t max_age)
{
	struct response r = { .status = 200, .body = reply, .max_age = max_age };
	if (reply.n > 0)
		return respond(d, stream, &r);
	if (d->h2 == NULL)
		return ERR_LIMIT;   /* HTTP/1.1 has no other way to say nothing than to close */
	h2_reset(d->h2, stream);
	return OK;
}

struct span doh_output(struct doh *d)
{
	return d->h2 != NULL ? h2_output(d->h2) : queue_span(&d->http1.out);
}

void doh_sent(struct doh *d, size_t n)
{
	if (d->h2 != NULL) {
		h2_sent(d->h2, n);
		return;
	}
	queue_drop(&d->http1.out, n);
	queue_rest(&d->http1.out);
}

struct statuses *doh_told(struct doh *d)
{
	return d->h2 != NULL ? h2_told(d->h2) : &d->http1.told;
}

bool doh_partial(const struct doh *d)
{
	if (!d->known)
		return d->nfirst > 0;
	return d->h2 != NULL ? h2_partial(d->h2) : http1_partial(&d->http1);
}

bool doh_ended(const struct doh *d)
{
	return d->h2 != NULL ? h2_ended(d->h2) : http1_ended(&d->http1);
}
