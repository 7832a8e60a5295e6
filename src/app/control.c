#include "app/control.h"

#include <unistd.h>

#include "app/ctl_answer.h"
#include "app/ctl_words.h"
#include "base/heap.h"
#include "io/clock.h"
#include "io/local.h"
#include "io/stream.h"

#define HEAD 2u          /* bytes of an answer in front of its text: the exit status and a new line */

struct caller {
	int fd;                  /* -1: this place is free */
	msec until;
	size_t n, sent;
	struct buf answer;       /* cap 0: the line is not complete yet */
	uint8_t line[CTL_LINE_MAX];
};

struct control {
	int fd;
	uid_t user;              /* whom the program runs as, once root is given up */
	bool paused;             /* every place is taken */
	char path[FILE_PATH_MAX];
	struct caller callers[CONTROL_CLIENTS_MAX];
};

static msec now_ms(void)
{
	struct now now;
	clock_now(&now);
	return now.ms;
}

struct control *control_open(struct server *s, const char *path, struct buf *why)
{
	uid_t uid = s->drop ? s->user.uid : (uid_t)-1;
	gid_t gid = s->drop ? s->user.gid : (gid_t)-1;
	int fd = -1;
	if (*path == 0)
		return NULL;
	/* The folder stays root's, only to be passed by our group: nobody else can put another socket there. */
	if (file_folder(path, s->drop ? 0 : (uid_t)-1, gid, why) != OK || local_listen(path, uid, gid, &fd, why) != OK)
		return NULL;
	struct control *c = heap_new(sizeof(*c));
	c->fd = fd;
	c->user = s->drop ? s->user.uid : geteuid();
	struct buf b = buf_on(c->path, sizeof(c->path));
	buf_text(&b, path);
	buf_cstr(&b);
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		c->callers[i].fd = -1;
	if (loop_add(&s->loop, fd, LOOP_READ, MAIN_CONTROL, 0) != OK) {
		buf_text(why, "too many watches");
		close(fd);
		heap_free(c);
		return NULL;
	}
	return c;
}

/* ---- clients ---- */

static void drop(struct server *s, struct caller *cl)
{
	struct control *c = s->control;
	loop_remove(&s->loop, cl->fd);
	close(cl->fd);
	heap_free(cl->answer.p);
	*cl = (struct caller){ .fd = -1 };
	if (c->paused)
		c->paused = loop_change(&s->loop, c->fd, LOOP_READ, MAIN_CONTROL, 0) != OK;
}

static struct caller *free_place(struct control *c)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->callers[i].fd < 0)
			return &c->callers[i];
	}
	return NULL;
}

static void accept_all(struct server *s)
{
	struct control *c = s->control;
	struct caller *cl;
	uid_t uid;
	while ((cl = free_place(c)) != NULL) {   /* each turn takes a place or ends */
		int fd = local_accept(c->fd, &uid);
		if (fd < 0)
			return;
		bool allowed = uid == 0 || uid == c->user;
		if (!allowed || loop_add(&s->loop, fd, LOOP_READ, MAIN_CLIENT, (slot_id)(cl - c->callers)) != OK) {
			close(fd);
			return;
		}
		*cl = (struct caller){ .fd = fd, .until = now_ms() + CONTROL_LINE_MS };
	}
	c->paused = loop_change(&s->loop, c->fd, 0, MAIN_CONTROL, 0) == OK;
}

/* What does not fit at once goes when the loop says so. */
static void go_on(struct server *s, struct caller *cl)
{
	char text[128];
	struct buf why = buf_on(text, sizeof(text));
	size_t n;
	struct span rest = span_from(buf_span(&cl->answer), cl->sent);
	enum stream_io io = stream_write(cl->fd, rest, &n, &why);
	cl->sent += n;
	if (io == STREAM_BROKEN || cl->sent == cl->answer.n)
		drop(s, cl);
	else if (loop_change(&s->loop, cl->fd, LOOP_WRITE, MAIN_CLIENT, (slot_id)(cl - s->control->callers)) != OK)
		drop(s, cl);
}

static void answer(struct server *s, struct caller *cl, struct span line)
{
	struct buf b = buf_on(heap_new(CTL_ANSWER_MAX), CTL_ANSWER_MAX);
	buf_text(&b, "0\n");
	int status = ctl_answer(s, line, &b);
	if (!buf_ok(&b)) {
		b.n = HEAD;
		b.full = false;
		status = 3;
		buf_text(&b, "the answer is too long\n");
	}
	b.p[0] = (uint8_t)('0' + status);
	cl->answer = b;
	cl->until = now_ms() + CONTROL_LINE_MS;
	go_on(s, cl);
}

static void hear(struct server *s, struct caller *cl)
{
	char text[128];
	struct buf why = buf_on(text, sizeof(text));
	size_t n;
	enum stream_io io = stream_read(cl->fd, cl->line + cl->n, sizeof(cl->line) - cl->n, &n, &why);
	cl->n += n;
	const uint8_t *end = cl->n == 0 ? NULL : memchr(cl->line, '\n', cl->n);
	bool whole = end != NULL || (io == STREAM_END && cl->n > 0);
	if (whole)
		answer(s, cl, span_of(cl->line, end != NULL ? (size_t)(end - cl->line) : cl->n));
	else if (cl->n == sizeof(cl->line) || io == STREAM_END || io == STREAM_BROKEN)
		drop(s, cl);
}

void control_event(struct server *s, const struct loop_event *ev)
{
	struct control *c = s->control;
	if (ev->kind == MAIN_CONTROL) {
		accept_all(s);
		return;
	}
	struct caller *cl = ev->id < CONTROL_CLIENTS_MAX ? &c->callers[ev->id] : NULL;
	if (cl == NULL || cl->fd < 0)
		return;
	if (cl->answer.cap > 0)
		go_on(s, cl);
	else
		hear(s, cl);
}

msec control_deadline(const struct control *c)
{
	msec at = NEVER;
	for (unsigned i = 0; c != NULL && i < CONTROL_CLIENTS_MAX; i++) {
		if (c->callers[i].fd >= 0)
			at = MIN(at, c->callers[i].until);
	}
	return at;
}

void control_turn(struct server *s)
{
	struct control *c = s->control;
	if (c == NULL || control_deadline(c) == NEVER)
		return;
	msec now = now_ms();
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->callers[i].fd >= 0 && now >= c->callers[i].until)
			drop(s, &c->callers[i]);
	}
}

void control_close(struct server *s)
{
	struct control *c = s->control;
	if (c == NULL)
		return;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->callers[i].fd >= 0)
			drop(s, &c->callers[i]);
	}
	loop_remove(&s->loop, c->fd);
	close(c->fd);
	local_remove(c->path);
	heap_free(c);
	s->control = NULL;
}
