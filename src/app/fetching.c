#include "app/fetching.h"

#include "app/fetch/frames.h"
#include "base/heap.h"
#include "io/child.h"
#include "io/clock.h"
#include "io/stream.h"
#include "proto/queue.h"

#define OUT_MAX (16u << 20)           /* requests that wait for the helper to read them */
#define IN_MAX (2 * (FRAME_HEADER + FRAME_PIECE_MAX))
#define GIVEN_MAX 1024u               /* of an answer at once: an object or two of a cluster, some 10 us */
#define TURN_US 20                    /* for answers in one turn of the loop; clients' questions come between */
#define STEADY_MS (60 * SECOND)       /* a helper that ran so long has not failed at once */
#define PAUSE_MS_FIRST ((msec)500)
#define PAUSE_MS_MAX (30 * SECOND)
#define WHY_MAX 320u

/* The helper, while it runs. */
struct fetch_child {
	int fd;                       /* -1: it does not */
	pid_t pid;
	msec born;
	bool writing;                 /* the loop tells when more can be written */
	bool readable;                /* something may stand in its socket */
	bool more;                    /* the turn was over before what has come was */
	uint32_t given;               /* of the payload of the first frame in `in` */
	struct queue out, in;
};

struct fetching {
	struct worker *w;
	struct fetch_child child;
	msec pause, not_before;       /* of the next start */
	uint64_t asked[FETCHES_MAX];  /* under way in the helper */
	unsigned nasked;
	uint64_t refused[FETCHES_MAX];   /* while effects are performed: the engine hears of them after that */
	unsigned nrefused;
	char why[WHY_MAX];            /* they were refused */
};

struct fetching *fetching_new(struct worker *w)
{
	struct fetching *f = heap_new(sizeof(*f));
	f->w = w;
	f->child.fd = -1;
	return f;
}

static void refuse(struct fetching *f, uint64_t fetch, const char *why)
{
	struct buf b = buf_on(f->why, sizeof(f->why));
	buf_text(&b, why);
	buf_cstr(&b);
	ASSERT(f->nrefused < FETCHES_MAX);   /* the engine has no more under way, and each is asked for once */
	f->refused[f->nrefused++] = fetch;
}

static void tell(struct fetching *f, const struct fetched *what)
{
	engine_event(&f->w->engine, &(struct event){ .kind = EV_FETCHED, .fetched = what });
}

bool fetching_refused(struct fetching *f)
{
	while (f->nrefused > 0 && effects_room(&f->w->fx) >= EFFECTS_MAX / 2) {
		struct fetched what = { .kind = FETCHED_END, .fetch = f->refused[--f->nrefused], .text = f->why };
		tell(f, &what);
	}
	return f->w->fx.n > 0;
}

/* false: it was not under way */
static bool forget(struct fetching *f, uint64_t fetch)
{
	for (unsigned i = 0; i < f->nasked; i++) {
		if (f->asked[i] == fetch) {
			f->asked[i] = f->asked[--f->nasked];
			return true;
		}
	}
	return false;
}

static bool is_asked(const struct fetching *f, uint64_t fetch)
{
	for (unsigned i = 0; i < f->nasked; i++)
		if (f->asked[i] == fetch)
			return true;
	return false;
}

/* ---- the helper's life ---- */

static void pause_longer(struct fetching *f, msec lived)
{
	msec now = f->w->engine.now.ms;
	f->pause = lived >= STEADY_MS || f->pause == 0 ? PAUSE_MS_FIRST : MIN(f->pause * 2, PAUSE_MS_MAX);
	f->not_before = now + f->pause;
}

static enum err child_begin(struct fetching *f, struct buf *why)
{
	struct fetch_child *c = &f->child;
	char path[CHILD_PATH_MAX];
	TRY(child_find("signet-fetch", path, why));
	TRY(child_start(path, &c->fd, &c->pid, why));
	c->born = f->w->engine.now.ms;
	c->writing = c->readable = c->more = false;
	c->given = 0;
	queue_init(&c->out, OUT_MAX);
	queue_init(&c->in, IN_MAX);
	if (loop_add(&f->w->loop, c->fd, LOOP_READ, KIND_FETCH, 0) == OK)
		return OK;
	child_end(c->fd, c->pid, why);
	c->fd = -1;
	return ERR_WORLD;
}

/* Start it, unless it runs; it is not started again and again without a pause. */
static bool child_there(struct fetching *f)
{
	struct buf why = buf_on(f->why, sizeof(f->why));
	if (f->child.fd >= 0)
		return true;
	if (f->w->engine.now.ms < f->not_before) {
		buf_text(&why, "signet-fetch has ended, and is soon started again");
		buf_cstr(&why);
		return false;
	}
	if (child_begin(f, &why) == OK)
		return true;
	buf_cstr(&why);
	pause_longer(f, 0);
	return false;
}

/* lost: it has ended by itself, and no turn of the worker waits for it; else the worker is at its own end */
static void child_drop(struct fetching *f, bool lost, struct buf *how)
{
	struct fetch_child *c = &f->child;
	loop_remove(&f->w->loop, c->fd);
	if (lost)
		child_reap(c->fd, c->pid, how);
	else
		child_end(c->fd, c->pid, how);
	c->fd = -1;
	queue_fini(&c->out);
	queue_fini(&c->in);
}

/* It has ended, or says what nobody understands: all that was under way has ended too. */
static void child_lost(struct fetching *f)
{
	char text[WHY_MAX];
	struct buf b = buf_on(text, sizeof(text));
	msec lived = f->w->engine.now.ms - f->child.born;
	buf_text(&b, "signet-fetch has ended ");
	child_drop(f, true, &b);
	buf_cstr(&b);
	pause_longer(f, lived);
	record_text(&f->w->log, RECORD_TEXT, f->w->engine.now.wall, NULL, text);
	while (f->nasked > 0) {
		struct fetched what = { .kind = FETCHED_END, .fetch = f->asked[--f->nasked], .text = text };
		tell(f, &what);
		worker_relieve(f->w);
	}
}

/* ---- what it is asked ---- */

/* Room for the whole frame, so that it is written whole or not at all. */
static bool put_frame(struct queue *q, enum frame_kind kind, uint64_t fetch, const struct fetch *request)
{
	size_t payload = request == NULL ? 0 : frame_ask_size(request), n = FRAME_HEADER + payload;
	uint8_t *to = queue_room(q, n);
	if (to == NULL)
		return false;
	struct buf b = buf_on(to, n);
	frame_out_header(&b, kind, fetch, payload);
	if (request != NULL)
		frame_ask_write(&b, request);
	ASSERT(b.n == n && buf_ok(&b));
	queue_add(q, n);
	return true;
}

void fetching_perform(struct fetching *f, const struct effect *fx)
{
	if (fx->kind == FX_FETCH_END) {
		/* Where the helper reads nothing at all, its bytes are dropped when they come. While its end is told,
		 * what hears of it may end other fetches: there is nobody left to be told to stop. */
		if (forget(f, fx->fetch) && f->child.fd >= 0)
			(void)put_frame(&f->child.out, FRAME_STOP, fx->fetch, NULL);
		return;
	}
	if (!child_there(f)) {
		refuse(f, fx->fetch, f->why);
		return;
	}
	if (f->nasked == FETCHES_MAX || !put_frame(&f->child.out, FRAME_ASK, fx->fetch, fx->request)) {
		refuse(f, fx->fetch, "too many requests wait for signet-fetch");
		return;
	}
	f->asked[f->nasked++] = fx->fetch;
}

/* What cannot be written because it has ended is told by reading. */
void fetching_flush(struct fetching *f)
{
	struct fetch_child *c = &f->child;
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	size_t n;
	if (c->fd < 0)
		return;
	while (c->out.n > 0 && stream_write(c->fd, queue_span(&c->out), &n, &why) == STREAM_OK) {
		explicit_bzero((void *)(uintptr_t)queue_span(&c->out).p, n);   /* credentials stand in it */
		queue_drop(&c->out, n);
	}
	queue_rest(&c->out);
	bool writing = c->out.n > 0;
	unsigned want = LOOP_READ | (writing ? LOOP_WRITE : 0u);
	if (writing != c->writing && loop_change(&f->w->loop, c->fd, want, KIND_FETCH, 0) == OK)
		c->writing = writing;
}

/* ---- what it answers ---- */

/* Give the engine a frame, of a piece as much as is given at once. false: no frame that a helper sends */
static bool frame_heed(struct fetching *f, const struct frame_in *frame)
{
	struct fetch_child *c = &f->child;
	char text[FRAME_TEXT_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	struct fetched what = { .fetch = frame->fetch, .bytes = frame->payload };
	if (frame->kind == FRAME_END) {
		what.kind = FETCHED_END;
		what.bytes = (struct span){ 0 };
		buf_span_put(&b, frame->payload);
		what.text = frame->payload.n == 0 ? NULL : buf_cstr(&b);
	} else if (frame->kind == FRAME_HEAD && frame->payload.n >= 8) {
		what.kind = FETCHED_HEAD;
		what.status = get_u32(frame->payload.p);
		what.retry_secs = get_u32(frame->payload.p + 4);
		what.bytes = span_from(frame->payload, 8);
	} else if (frame->kind == FRAME_PIECE && frame->payload.n > 0) {
		what.kind = FETCHED_PIECE;
		what.bytes = span_from(frame->payload, c->given);
		what.bytes.n = MIN(what.bytes.n, GIVEN_MAX);
		c->given += (uint32_t)what.bytes.n;
	} else {
		return false;
	}
	if (what.kind == FETCHED_END ? forget(f, frame->fetch) : is_asked(f, frame->fetch))
		tell(f, &what);
	if (frame->kind != FRAME_PIECE || c->given == frame->payload.n) {
		queue_drop(&c->in, frame->size);
		c->given = 0;
	}
	worker_relieve(f->w);
	return true;
}

/* OK something was given | ERR_SHORT there is no whole frame | ERR_FORMAT */
static enum err give(struct fetching *f)
{
	struct frame_in frame;
	TRY(frame_in_read(queue_span(&f->child.in), FRAME_PIECE_MAX, &frame));
	return frame_heed(f, &frame) ? OK : ERR_FORMAT;
}

/* One read of what the helper has said. */
static enum stream_io take(struct fetch_child *c)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	size_t cap = queue_left(&c->in), n;
	uint8_t *to = queue_room(&c->in, cap);
	ASSERT(to != NULL);
	enum stream_io io = stream_read(c->fd, to, cap, &n, &why);
	c->readable = io == STREAM_OK && n == cap;
	if (io == STREAM_OK)
		queue_add(&c->in, n);
	return io;
}

void fetching_turn(struct fetching *f)
{
	struct fetch_child *c = &f->child;
	int64_t until = clock_usec() + TURN_US;
	enum err err = OK;
	if (c->fd < 0 || (!c->readable && !c->more))
		return;
	c->more = false;
	while (err == OK && !c->more) {
		err = give(f);
		if (err == ERR_SHORT && c->readable) {
			enum stream_io io = take(c);
			err = io == STREAM_OK ? OK : io == STREAM_WAIT ? ERR_SHORT : ERR_WORLD;
		}
		c->more = clock_usec() >= until;
	}
	if (err == OK || err == ERR_SHORT) {
		c->more &= err == OK;
		queue_rest(&c->in);
	} else {
		child_lost(f);
	}
}

bool fetching_waits(const struct fetching *f)
{
	return f->child.fd >= 0 && f->child.more;
}

/* It is read later in the turn. */
void fetching_event(struct fetching *f, const struct loop_event *ev)
{
	f->child.readable |= ev->readable;
}

void fetching_free(struct fetching *f)
{
	char text[WHY_MAX];
	struct buf how = buf_on(text, sizeof(text));
	if (f->child.fd >= 0)
		child_drop(f, false, &how);
	heap_free(f);
}
