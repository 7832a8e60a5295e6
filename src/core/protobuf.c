#include "core/protobuf.h"

enum err protobuf_varint(struct span *left, uint64_t *ret)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < PROTOBUF_VARINT_MAX; i++) {
		if (i >= left->n)
			return ERR_SHORT;
		value |= (uint64_t)(left->p[i] & 0x7f) << (7 * i);
		if (left->p[i] < 0x80) {
			*left = span_from(*left, i + 1);
			*ret = value;
			return OK;
		}
	}
	return ERR_FORMAT;
}

enum err protobuf_key(uint64_t key, uint32_t *ret_number, uint8_t *ret_wire)
{
	uint8_t wire = key & 7;
	if (key >> 3 == 0 || key >> 3 > PROTOBUF_FIELD_MAX || wire == 3 || wire == 4 || wire > PROTOBUF_FIXED32)
		return ERR_FORMAT;
	*ret_number = (uint32_t)(key >> 3);
	*ret_wire = wire;
	return OK;
}

static uint64_t little_endian(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

enum err protobuf_next(struct span *left, struct protobuf_field *ret)
{
	struct protobuf_field f = { 0 };
	struct span at = *left;
	uint64_t key;
	TRY(protobuf_varint(&at, &key));
	TRY(protobuf_key(key, &f.number, &f.wire));
	if (f.wire == PROTOBUF_VARINT) {
		TRY(protobuf_varint(&at, &f.value));
	} else {
		uint64_t n = f.wire == PROTOBUF_FIXED64 ? 8 : 4;
		if (f.wire == PROTOBUF_BYTES)
			TRY(protobuf_varint(&at, &n));
		if (n > at.n)
			return ERR_SHORT;
		if (f.wire == PROTOBUF_BYTES)
			f.bytes = span_of(at.p, (size_t)n);
		else
			f.value = little_endian(at.p, (unsigned)n);
		at = span_from(at, (size_t)n);
	}
	*left = at;
	*ret = f;
	return OK;
}
