/* fetcher: HTTP for commands. */
#include "app/fetcher.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "app/fetch/frames.h"
#include "base/heap.h"
#include "io/child.h"

#define IN_MAX (2 * (FRAME_HEADER + FRAME_PIECE_MAX))
#define SILENCE_MS 30000         /* of a server, before it is given up */

struct answer {
	struct buf *body, *why;
	unsigned status;
	bool over;
};

enum err fetcher_open(struct fetcher *f, struct buf *why)
{
	char path[CHILD_PATH_MAX];
	*f = (struct fetcher){ .fd = -1 };
	TRY(child_find("signet-fetch", path, why));
	TRY(child_start(path, &f->fd, &f->pid, why));
	f->in = heap_new(IN_MAX);
	return OK;
}

void fetcher_close(struct fetcher *f)
{
	char text[64];
	struct buf how = buf_on(text, sizeof(text));
	if (f->fd >= 0)
		child_end(f->fd, f->pid, &how);
	if (f->in != NULL)
		heap_free(f->in);
	*f = (struct fetcher){ .fd = -1 };
}

static enum err complain(struct buf *why, const char *what)
{
	buf_printf(why, "signet-fetch: %s", what);
	return ERR_WORLD;
}

static enum err ask(struct fetcher *f, const struct fetch *what, struct buf *why)
{
	size_t payload = frame_ask_size(what), n = FRAME_HEADER + payload;
	struct buf b = buf_on(heap_new(n), n);
	frame_out_header(&b, FRAME_ASK, ++f->last, payload);
	frame_ask_write(&b, what);
	size_t sent = 0;
	while (sent < b.n) {
		ssize_t got = write(f->fd, b.p + sent, b.n - sent);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		sent += (size_t)got;
	}
	bool whole = sent == b.n;
	explicit_bzero(b.p, b.n);            /* credentials stand in it */
	heap_free(b.p);
	return whole ? OK : complain(why, strerror(errno));
}

static enum err heed(struct answer *a, const struct frame_in *frame)
{
	if (frame->kind == FRAME_HEAD && frame->payload.n >= 4) {
		a->status = get_u32(frame->payload.p);
	} else if (frame->kind == FRAME_PIECE) {
		buf_span_put(a->body, frame->payload);
		return buf_ok(a->body) ? OK : ERR_LIMIT;
	} else if (frame->kind == FRAME_END) {
		a->over = true;
		buf_span_put(a->why, frame->payload);
		return frame->payload.n == 0 ? OK : ERR_WORLD;
	}
	return OK;
}

/* All whole frames of what came. */
static enum err heed_all(struct fetcher *f, struct answer *a)
{
	struct frame_in frame;
	size_t at = 0;
	enum err e;
	while ((e = frame_in_read(span_of(f->in + at, f->n - at), FRAME_PIECE_MAX, &frame)) == OK) {
		if (frame.fetch == f->last)
			TRY(heed(a, &frame));
		at += frame.size;
	}
	memmove(f->in, f->in + at, f->n - at);
	f->n -= at;
	return e == ERR_SHORT ? OK : complain(a->why, "it says what nobody understands");
}

static enum err read_more(struct fetcher *f, struct buf *why)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	int ready = poll(&p, 1, SILENCE_MS);
	if (ready == 0)
		return complain(why, "no answer within 30 s");
	ssize_t got = ready < 0 ? -1 : read(f->fd, f->in + f->n, IN_MAX - f->n);
	if (got < 0 && errno == EINTR)
		return OK;
	if (got <= 0)
		return complain(why, "it has ended");
	f->n += (size_t)got;
	return OK;
}

enum err fetcher_get(struct fetcher *f, const struct fetch *what, struct buf *body, struct buf *why)
{
	struct answer a = { .body = body, .why = why };
	TRY(ask(f, what, why));
	while (!a.over) {
		TRY(read_more(f, why));
		TRY(heed_all(f, &a));
	}
	if (a.status == 200)
		return OK;
	buf_printf(why, "status %u", a.status);
	return ERR_REFUSED;
}
