/* OPT records: class, TTL and options from bytes; what was read is written and read again. */
#include "base/assert.h"
#include "wire/edns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const struct edns *e, struct buf *b)
{
	uint8_t secs[2];
	size_t at = edns_begin(b, e->udp_size, e->rcode_high, e->dnssec_ok);
	if (e->nsid)
		edns_option(b, OPTION_NSID, e->nsid_data);
	if (e->cookie.n > 0)
		edns_option(b, OPTION_COOKIE, e->cookie);
	if (e->keepalive) {
		put_u16(secs, e->keepalive_100ms);
		edns_option(b, OPTION_KEEPALIVE, span_of(secs, 2));
	}
	for (unsigned i = 0; i < e->nede; i++)
		edns_ede(b, &e->ede[i]);
	if (e->padding)
		edns_pad(b, 468);
	edns_end(b, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[70000];
	struct edns e, again;
	if (size < 6 || edns_parse(get_u16(data), get_u32(data + 2), span_of(data + 6, size - 6), &e) != OK)
		return 0;
	ASSERT(e.present && e.nede <= EDE_MAX && e.udp_size >= 512 && e.cookie.n <= 40);
	if (e.version != 0)
		return 0;
	struct buf b = buf_on(out, sizeof(out));
	put(&e, &b);
	if (!buf_ok(&b))
		return 0;
	ASSERT(get_u16(out + 9) + 11u == b.n);
	ASSERT(edns_parse(get_u16(out + 3), get_u32(out + 5), span_of(out + 11, b.n - 11), &again) == OK);
	ASSERT(again.udp_size == e.udp_size && again.rcode_high == e.rcode_high && again.dnssec_ok == e.dnssec_ok);
	ASSERT(again.nsid == e.nsid && again.keepalive == e.keepalive && again.keepalive_100ms == e.keepalive_100ms);
	ASSERT(again.padding == e.padding && (!e.padding || b.n % 468 == 0));
	ASSERT(span_eq(again.cookie, e.cookie) && span_eq(again.nsid_data, e.nsid_data) && again.nede == e.nede);
	for (unsigned i = 0; i < e.nede; i++)
		ASSERT(again.ede[i].code == e.ede[i].code && span_eq(again.ede[i].text, e.ede[i].text));
	return 0;
}
