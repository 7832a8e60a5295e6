/* Any body in any pieces: what it says does not depend on where it was cut, and each object of it is read or refused
 * within its arena. The first byte picks the form, the second the cut. */
#include "core/kube_stream.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "core/kube_json.h"
#include "core/kube_protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARENA_CAP (4u << 20)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static size_t read_item(enum kube_form form, const struct kube_item *item)
{
	struct arena a;
	struct kube_object o;
	struct kube_meta m;
	struct kube_status s;
	unsigned over = 0;
	size_t sum = 0;
	for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
		arena_init(&a, ARENA_CAP);
		enum err e = form == KUBE_JSON ? kube_json_read((enum kube_kind)kind, item->bytes, &a, &over, &o) :
		                                 kube_protobuf_read((enum kube_kind)kind, item->bytes, &a, &over, &o);
		if (e == OK) {
			must(o.naddrs <= KUBE_ADDRS_MAX + 1 && o.nports <= KUBE_PORTS_MAX);
			must(o.nendpoints <= KUBE_ENDPOINTS_MAX && o.nexternal <= KUBE_ADDRS_MAX);
			for (unsigned i = 0; i < o.nendpoints; i++)
				sum += o.endpoints[i].naddrs + o.endpoints[i].hostname.n;
		}
		arena_free(&a);
	}
	sum += kube_protobuf_list_meta(item->bytes, &m) == OK ? m.version.n : 0;
	sum += kube_protobuf_bookmark(item->bytes, &m) == OK ? m.version.n : 0;
	sum += kube_protobuf_status(item->bytes, &s) == OK ? s.code : 0;
	return sum;
}

/* A number for all that was said. */
static uint64_t heard(enum kube_form form, bool watch, struct span body, size_t n)
{
	struct kube_stream s;
	uint64_t sum = 17;
	enum err e = OK;
	kube_stream_init(&s, form, watch);
	while (body.n > 0 && e == OK) {
		struct span piece = span_of(body.p, MIN(n, body.n));
		struct kube_item item = { .kind = KUBE_ITEM_META };
		body = span_from(body, piece.n);
		while (e == OK && item.kind != KUBE_ITEM_NONE) {
			e = kube_stream_next(&s, &piece, &item);
			if (e != OK || item.kind == KUBE_ITEM_NONE)
				continue;
			sum = sum * 31 + item.kind + item.bytes.n + read_item(form, &item);
			for (size_t i = 0; i < item.bytes.n; i++)
				sum = sum * 31 + item.bytes.p[i];
		}
	}
	sum = sum * 31 + (e == OK) + 2u * (kube_stream_end(&s) == OK) + s.over;
	kube_stream_fini(&s);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	enum kube_form form = data[0] & 1 ? KUBE_JSON : KUBE_PROTOBUF;
	struct span body = span_of(data + 2, size - 2);
	uint64_t whole = heard(form, data[0] & 2, body, SIZE_MAX);
	must(heard(form, data[0] & 2, body, 1u + data[1]) == whole);
	must(heard(form, data[0] & 2, body, 1) == whole);
	return 0;
}
