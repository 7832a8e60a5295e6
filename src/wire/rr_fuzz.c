/* Rdata of every type: wire to text to wire, and text to wire to text. The first two bytes choose the type. */
#include "base/assert.h"
#include "wire/rr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WIRE_MAX 65535u
#define TEXT_MAX (1u << 20)   /* the most that 65535 bytes become: escapes of four bytes, and types in bitmaps */

static uint8_t text[2][TEXT_MAX], wire[2][WIRE_MAX];

static void check_wire(uint16_t type, struct span rdata)
{
	struct buf t = buf_on(text[0], TEXT_MAX), w = buf_on(wire[0], WIRE_MAX), u = buf_on(text[1], TEXT_MAX);
	size_t column;
	ASSERT(rdata_text(type, rdata, &t) == OK);
	if (!buf_ok(&t))
		return;
	ASSERT(rdata_from_text(type, buf_span(&t), NULL, &w, &column) == OK);
	ASSERT(rdata_text(type, buf_span(&w), &u) == OK);
	ASSERT(span_eq(buf_span(&t), buf_span(&u)));
	/* the services of WKS may end in zero bytes, which text does not show */
	ASSERT(type == RR_WKS || span_eq(buf_span(&w), rdata));
	w = buf_on(wire[1], WIRE_MAX);
	ASSERT(rdata_canonical(type, rdata, &w) == OK && w.n == rdata.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct span rdata;
	size_t column;
	if (size < 2)
		return 0;
	uint16_t type = get_u16(data);
	arena_init(&a, 1 << 20);
	if (rdata_parse(&a, span_of(data, size), 2, type, &rdata) == OK)
		check_wire(type, rdata);
	struct buf w = buf_on(wire[1], WIRE_MAX);
	if (rdata_from_text(type, span_of(data + 2, size - 2), &name_root, &w, &column) == OK) {
		ASSERT(rdata_parse(&a, buf_span(&w), 0, type, &rdata) == OK && rdata.p == wire[1]);
		check_wire(type, span_of(arena_dup(&a, rdata.p, rdata.n), rdata.n));
	} else {
		ASSERT(column <= size - 2);
	}
	arena_free(&a);
	return 0;
}
