/* stream: TCP, never blocking. What does not fit into the kernel stays with the caller, who keeps it in a bounded
 * queue (proto/queue) and watches for LOOP_WRITE only while something is left. One thread a stream. */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "io/listen.h"

struct stream_listener {
	int fd;
	struct addr addr;
	bool wildcard;
};

#define STREAM_ACCEPTS_MAX 64u   /* in one turn of the loop, so that newcomers do not starve those at work */
#define STREAM_DEFER_SECS 1      /* TCP_DEFER_ACCEPT: a connection without a byte does not wake us */

/* returns  OK | ERR_WORLD, why holds one line */
enum err stream_listen(const struct listen_conf *c, struct stream_listener *ret, struct buf *why) MUST_CHECK;
void stream_listener_close(struct stream_listener *l);

enum stream_accept {
	STREAM_ACCEPTED,
	STREAM_NONE,    /* nobody waits */
	STREAM_FULL,    /* out of descriptors or memory: take the listener out of the loop for a moment */
};

/* One waiting connection: non-blocking, TCP_NODELAY. to: our address as the peer sees it. */
enum stream_accept stream_accept(const struct stream_listener *l, int *ret_fd, struct addr *ret_from,
                                 struct addr *ret_to);

/* Start connecting; the loop says writable when it is decided, then ask stream_connected.
 * local    family ADDR_NONE: the kernel chooses
 * returns  OK | ERR_WORLD, why holds one line */
enum err stream_connect(const struct addr *server, const struct addr *local, int *ret_fd, struct buf *why) MUST_CHECK;

enum stream_io {
	STREAM_OK,       /* ret_n bytes moved */
	STREAM_WAIT,     /* not now: the loop will tell */
	STREAM_END,      /* the peer has sent all it will (read only) */
	STREAM_BROKEN,   /* reset, timed out, refused: stream_error_text says */
};

/* Whether the connect is through: STREAM_OK, STREAM_WAIT or STREAM_BROKEN.
 * ret_refused  the peer is there and said no (to tell "refused" from "unreachable") */
enum stream_io stream_connected(int fd, bool *ret_refused, struct buf *why);
/* As much as there is, at most cap bytes, with one system call: less than cap came means that no more waits. */
enum stream_io stream_read(int fd, void *to, size_t cap, size_t *ret_n, struct buf *why);
/* As much as the kernel takes. ret_n may be less than bytes.n with STREAM_OK: keep the rest and wait for LOOP_WRITE. */
enum stream_io stream_write(int fd, struct span bytes, size_t *ret_n, struct buf *why);
/* No more will be written; the peer reads to the end. */
void stream_finish(int fd);
void stream_close(int fd);
/* Close with a reset: nothing more is kept for the peer (attacks F2). */
void stream_abort(int fd);

#endif
