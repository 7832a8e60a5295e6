/* protobuf: one field after the other of an encoded message. The bytes are hostile: each length is checked against what
 * is left, nothing recurses, and what a reader does not know it steps over by asking for the next field.
 * source  protobuf.dev, "Encoding": varints of at most ten bytes, wire types 0, 1, 2 and 5. Groups (3 and 4) are not
 *         made by anybody whom we read, and are malformed here. */
#ifndef CORE_PROTOBUF_H
#define CORE_PROTOBUF_H

#include "base/err.h"
#include "base/span.h"

enum protobuf_wire { PROTOBUF_VARINT = 0, PROTOBUF_FIXED64 = 1, PROTOBUF_BYTES = 2, PROTOBUF_FIXED32 = 5 };

#define PROTOBUF_VARINT_MAX 10u      /* bytes */
#define PROTOBUF_FIELD_MAX ((1u << 29) - 1)

struct protobuf_field {
	uint32_t number;
	uint8_t wire;                /* enum protobuf_wire */
	uint64_t value;              /* of a number */
	struct span bytes;           /* of PROTOBUF_BYTES; borrowed */
};

/* Take a varint from the front. returns OK | ERR_SHORT it may go on behind the end | ERR_FORMAT; then *left stays */
enum err protobuf_varint(struct span *left, uint64_t *ret) MUST_CHECK;
/* The key that stands in front of each field. */
enum err protobuf_key(uint64_t key, uint32_t *ret_number, uint8_t *ret_wire) MUST_CHECK;
/* Take a field from the front of a message that is not empty. returns OK | ERR_SHORT | ERR_FORMAT */
enum err protobuf_next(struct span *left, struct protobuf_field *ret) MUST_CHECK;

#endif
