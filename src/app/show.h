/* show: a DNS message for people, in presentation form, and for programs, as JSON. */
#ifndef APP_SHOW_H
#define APP_SHOW_H

#include "base/addr.h"
#include "wire/msg.h"

#define SHOW_TEXT_MAX (4u << 20)   /* of one message: every byte of 64 kB escaped, and then some */

/* Where the message came from. */
struct show_source {
	const struct addr *server;
	const char *over;
	int64_t took_us;
};

void show_text(const struct msg *m, const struct show_source *from, struct buf *to);
void show_json(const struct msg *m, const struct show_source *from, struct buf *to);
/* A JSON string (RFC8259 7); a byte that is no UTF-8 becomes U+FFFD. */
void show_string(struct span s, struct buf *to);
/* Bytes from outside, harmless on a terminal. */
void show_safe(struct span text, struct buf *to);

#endif
