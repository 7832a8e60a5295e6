/* kube_test: objects of the API in protobuf for units, made by an encoder that knows nothing of the reader. */
#ifndef CORE_KUBE_TEST_H
#define CORE_KUBE_TEST_H

#include <string.h>

#include "base/buf.h"

static inline void enc_varint(struct buf *b, uint64_t v)
{
	while (v >= 0x80) {
		buf_u8(b, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	buf_u8(b, (uint8_t)v);
}

static inline void enc_number(struct buf *b, unsigned no, uint64_t v)
{
	enc_varint(b, (uint64_t)no << 3);
	enc_varint(b, v);
}

static inline void enc_bytes(struct buf *b, unsigned no, struct span s)
{
	enc_varint(b, (uint64_t)no << 3 | 2);
	enc_varint(b, s.n);
	buf_span_put(b, s);
}

static inline void enc_text(struct buf *b, unsigned no, const char *s)
{
	enc_bytes(b, no, span_text(s));
}

/* A message of up to 64 KB inside of b, filled between open and close. */
struct enc_inner {
	struct buf *outer;
	unsigned no;
	uint8_t bytes[65536];
	struct buf b;
};

static inline struct buf *enc_open(struct enc_inner *i, struct buf *outer, unsigned no)
{
	i->outer = outer;
	i->no = no;
	i->b = buf_on(i->bytes, sizeof(i->bytes));
	return &i->b;
}

static inline void enc_close(struct enc_inner *i)
{
	enc_bytes(i->outer, i->no, buf_span(&i->b));
}

static inline void enc_entry(struct buf *b, unsigned no, const char *key, const char *value)
{
	uint8_t bytes[512];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 1, key);
	enc_text(&in, 2, value);
	enc_bytes(b, no, buf_span(&in));
}

static inline void enc_meta(struct buf *b, const char *ns, const char *name, const char *version)
{
	uint8_t bytes[1024];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 1, name);
	enc_text(&in, 2, "");
	enc_text(&in, 3, ns);
	enc_text(&in, 5, "uid");
	enc_text(&in, 6, version);
	enc_number(&in, 7, 1);
	enc_bytes(b, 1, buf_span(&in));
}

/* A service with one address. */
static inline void enc_service(struct buf *b, const char *name, const char *ip, const char *version)
{
	uint8_t bytes[512];
	struct buf spec = buf_on(bytes, sizeof(bytes));
	enc_meta(b, "shop", name, version);
	enc_text(&spec, 3, ip);
	enc_text(&spec, 18, ip);
	enc_bytes(b, 2, buf_span(&spec));
}

/* "k8s\0" and runtime.Unknown around it. */
static inline void enc_unknown(struct buf *b, const char *kind, struct span raw)
{
	uint8_t bytes[256];
	struct buf type = buf_on(bytes, sizeof(bytes));
	enc_text(&type, 1, "v1");
	enc_text(&type, 2, kind);
	buf_put(b, "k8s", 4);
	enc_bytes(b, 1, buf_span(&type));
	enc_bytes(b, 2, raw);
	enc_text(b, 3, "");
	enc_text(b, 4, "");
}

/* A frame of a watch. */
static inline void enc_frame(struct buf *b, const char *type, const char *kind, struct span object)
{
	static uint8_t bytes[3][65536];
	struct buf unknown = buf_on(bytes[0], sizeof(bytes[0])), raw = buf_on(bytes[1], sizeof(bytes[1]));
	struct buf event = buf_on(bytes[2], sizeof(bytes[2]));
	enc_unknown(&unknown, kind, object);
	enc_bytes(&raw, 1, buf_span(&unknown));
	enc_text(&event, 1, type);
	enc_bytes(&event, 2, buf_span(&raw));
	buf_u32(b, (uint32_t)event.n);
	buf_span_put(b, buf_span(&event));
}

static inline void enc_bookmark(struct buf *b, const char *version, const char *end)
{
	uint8_t bytes[1024], all[1024];
	struct buf in = buf_on(bytes, sizeof(bytes)), object = buf_on(all, sizeof(all));
	enc_text(&in, 6, version);
	if (end != NULL)
		enc_entry(&in, 12, "k8s.io/initial-events-end", end);
	enc_bytes(&object, 1, buf_span(&in));
	enc_frame(b, "BOOKMARK", "Service", buf_span(&object));
}

static inline void enc_status(struct buf *b, unsigned code, const char *message)
{
	uint8_t bytes[1024];
	struct buf in = buf_on(bytes, sizeof(bytes));
	enc_text(&in, 2, "Failure");
	enc_text(&in, 3, message);
	enc_number(&in, 6, code);
	enc_frame(b, "ERROR", "Status", buf_span(&in));
}

#endif
