/* frame: DNS messages on a stream, each behind its length in two bytes (RFC1035 4.2.2, RFC7766 8). Messages are read in
 * place from what was fed; only what is left of a message that has not come whole is copied, so a connection between
 * messages holds no memory. One thread.
 *
 *   frame_feed(f, bytes just read);
 *   while (room for more questions && frame_next(f, &message))
 *           ...;
 *   TRY(frame_keep(f));     the bytes fed may go
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "proto/queue.h"

#define FRAME_MESSAGE_MAX 65535u
#define FRAME_KEEP_MAX (3u * (FRAME_MESSAGE_MAX + 2u))   /* bytes not yet taken; the reader stops long before */

struct frame {
	struct queue kept;
	struct span fed;      /* borrowed between feed and keep */
};

void frame_init(struct frame *f);
void frame_fini(struct frame *f);
/* Bytes just read; they must stay until frame_keep.
 * returns OK | ERR_LIMIT more than FRAME_KEEP_MAX would wait: the caller read on without taking; close */
enum err frame_feed(struct frame *f, struct span bytes) MUST_CHECK;
/* The next whole message, without its length; an empty one too (a length of 0 is the sender's fault). Valid until
 * frame_feed or frame_keep.
 * returns false: none is whole yet */
bool frame_next(struct frame *f, struct span *ret);
/* Copy what was not taken. Call before the bytes fed go away, and before the loop is entered again.
 * returns OK | ERR_LIMIT, close */
enum err frame_keep(struct frame *f) MUST_CHECK;
/* Whether a whole message waits (taking stopped early): go on without reading. */
bool frame_waits(const struct frame *f);
/* A part of a message is here and the rest is not: an idle time for slow senders (attacks F1) starts. */
bool frame_partial(const struct frame *f);

/* Append message with its length to what will be written with one call at the end of the turn.
 * returns OK | ERR_LIMIT out is full, or the message longer than FRAME_MESSAGE_MAX (nothing was added) */
enum err frame_put(struct queue *out, struct span message) MUST_CHECK;

#endif
