#include <string.h>

#include "conf/tables.h"
#include "conf/value.h"

#define NSID_MAX 512u           /* it is in every answer that asks for it */
#define EDNS_SIZE_MIN 512       /* less means this (RFC6891 6.2.3) */
#define EDNS_SIZE_MAX 65535

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	int f = fold((uint8_t)c);
	return f >= 'a' && f <= 'f' ? f - 'a' + 10 : -1;
}

static void nsid_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct span *nsid = &((struct replying *)self)->conf.nsid;
	const char *text = d->args[0].text;
	size_t n = strlen(text);
	if (n > 6 && n <= 6 + NSID_MAX && strncmp(text, "ascii_", 6) == 0) {
		*nsid = arena_span(a, span_text(text + 6));
		return;
	}
	uint8_t bytes[NSID_MAX];
	bool ok = n % 2 == 0 && n / 2 <= NSID_MAX;
	for (size_t i = 0; ok && i < n; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
		ok = high >= 0 && low >= 0;
		if (ok)
			bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	if (ok)
		*nsid = arena_span(a, span_of(bytes, n / 2));
	else
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "the NSID must be either a hex string or an ascii character string prepended with ascii_.; "
		           "expected one of these, at most %u bytes", NSID_MAX);
}

/* Below what a header needs is an error, above what a length field holds is the most it holds. */
static void edns_size_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	int64_t v;
	const char *rest;
	(void)a;
	if (!number_read(d->args[0].text, &v, &rest))
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "number expected; expected 512 to 65535");
	else if (v < 12)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "edns buffer size too small; expected 512 to 65535");
	else
		((struct replying *)self)->edns_size = (uint32_t)MIN(MAX(v, EDNS_SIZE_MIN), EDNS_SIZE_MAX);
}

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct replying *r = self;
	(void)a;
	(void)diag;
	r->conf.edns_size = (uint16_t)r->edns_size;
	r->conf.pad_block = (uint16_t)r->pad_block;
	r->conf.keepalive_100ms = (uint16_t)MIN(r->keepalive / 100, (msec)UINT16_MAX);
}

#define R struct replying

static const struct opt opts[] = {
	{ .unbound = { "edns-buffer-size", "1232" }, CUSTOM, .parse = edns_size_parse,
	  .doc = "Size of UDP messages that we say we take (RFC6891 6.2.5)." },
	{ .corefile = { .dflt = "yes" }, .unbound = { "ede", "no" }, BOOL(R, conf.ede),
	  .doc = "Tell clients why an answer is as it is (RFC8914); why one failed is told unless this says no." },
	{ .unbound = { "edns-tcp-keepalive", "no" }, BOOL(R, conf.keepalive),
	  .doc = "Tell clients how long a connection may stay silent (RFC7828)." },
	{ .unbound = { "edns-tcp-keepalive-timeout", "120000" }, MSEC(R, keepalive), .min = 0, .max = 6553500,
	  .doc = "Milliseconds told with edns-tcp-keepalive." },
	{ .unbound = { "pad-responses", "yes" }, BOOL(R, conf.pad),
	  .doc = "Pad answers over TLS to clients that pad their questions (RFC8467)." },
	{ .unbound = { "pad-responses-block-size", "468" }, U32(R, pad_block), .min = 1, .max = 65535,
	  .doc = "Answers are padded to a multiple of this many bytes." },
	{ .unbound = { "nsid", NULL }, CUSTOM, .parse = nsid_parse,
	  .doc = "What to tell clients that ask who answers (RFC5001): hexadecimal, or ascii_TEXT." },
	{ .corefile = { .dflt = "no" }, .unbound = { "rrset-roundrobin", "yes" }, BOOL(R, conf.rotate),
	  .doc = "Give the addresses of an answer in another order each time." },
};

const struct settings reply_settings = {
	.name = "reply", .doc = "the form of replies", .clause = "server", .size = sizeof(R),
	.opts = opts, .nopts = COUNT(opts), .ready = ready,
};
