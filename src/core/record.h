/* record: what a query or reply log line says, as a fixed-layout record in a worker's ring. Workers write records, one
 * other thread formats and writes them; a full ring counts a loss instead of holding a worker up. */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "base/ring.h"
#include "core/client.h"

enum record_kind {
	RECORD_QUERY, RECORD_REPLY, RECORD_LOCAL_ACTION, RECORD_SERVFAIL, RECORD_TEXT, RECORD_FORMATTED, RECORD_FAILURE
};

struct record {
	uint8_t kind, proto, cached, name_len;
	uint16_t type, class, rcode, size;
	uint32_t took_us;
	uint32_t text_len;             /* bytes after the name */
	struct wall at;
	struct addr from, to;
	uint8_t name[];                /* wire form, case as sent */
};

struct record_ring {
	struct ring ring;
	_Atomic uint64_t lost, written;
};

#define RECORD_RING_BYTES (4u << 20)   /* a tenth of a second at full speed; pages are touched when needed */
#define RECORD_TEXT_MAX 512u

/* A question arrived / a reply of `size` bytes left. Nothing is formatted here. */
void record_query(struct record_ring *r, struct wall at, const struct client *c);
struct record_reply {
	unsigned rcode;
	bool cached;
	size_t size;
	uint32_t took_us;
};
void record_reply(struct record_ring *r, struct wall at, const struct client *c, const struct record_reply *reply);
/* The line of a reply in a format of its own: core/replylog.h says what stands in `what`. */
void record_formatted(struct record_ring *r, struct wall at, const struct client *c, const struct record_reply *reply,
                   struct span what);
/* A line about a question, or about none (c NULL). text is cut at RECORD_TEXT_MAX; in a RECORD_LOCAL_ACTION it is the
 * zone and its type, in a RECORD_SERVFAIL the reason, in a RECORD_TEXT all of the line: "LEVEL: MESSAGE" or a message
 * of level info; in a RECORD_FAILURE why a question failed, each time. */
void record_text(struct record_ring *r, enum record_kind kind, struct wall at, const struct client *c,
                 const char *text);

/* How lines look (unbound.conf's log-* options). */
struct record_style {
	const char *ident;        /* "unbound" */
	uint32_t pid;
	int32_t utc_offset;       /* seconds east, for time_ascii and time_iso */
	bool tag, time_ascii, time_iso, destaddr, thread_id;
	bool levels;              /* a line is "[INFO] " or its like and the message, as CoreDNS writes them */
};

#define RECORD_LINE_MAX 1500u     /* names 255 bytes, texts RECORD_TEXT_MAX, the rest less than 500 */

/* One line with newline, as Unbound writes it; `worker` is printed as thread. Fast: no stdio. */
void record_line(const struct record *rec, const struct record_style *style, unsigned worker, struct buf *to);

#endif
