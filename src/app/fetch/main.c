/* signet-fetch: HTTP for the server that starts it, over the socket it has as standard input. It holds libcurl, and
 * knows no DNS and nothing of what it fetches. One thread; it ends when the socket does. */
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/fetch/confine.h"
#include "app/fetch/transfer.h"
#include "app/fetch/trim.h"
#include "io/clock.h"
#include "proto/queue.h"

#define TRANSFERS_MAX (2 * FETCHES_MAX)   /* what the server has ended may be here still */
#define SLEEP_MS_MAX 60000
#define READ_BYTES 65536u
#define CONNECTIONS_KEPT 8L               /* idle ones */
#define TRIM_MS 3000                      /* after the latest request was begun */

struct helper {
	struct outlet out;
	struct queue in;
	CURLM *multi;
	msec trim_at;
	unsigned n;
	struct transfer *list[TRANSFERS_MAX];
};

static void forget(struct helper *h, const struct transfer *t)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (h->list[i] == t) {
			h->list[i] = h->list[--h->n];
			return;
		}
	}
}

static void begin(struct helper *h, const struct frame_in *f, msec now)
{
	static const char full[] = "too many requests are under way";
	if (h->n == TRANSFERS_MAX) {
		outlet_send(&h->out, FRAME_END, f->fetch, span_text(full));
		return;
	}
	h->trim_at = now + TRIM_MS;
	struct transfer *t = transfer_begin(&h->out, h->multi, f, now);
	if (t != NULL)
		h->list[h->n++] = t;
}

static void stop(struct helper *h, uint64_t fetch)
{
	for (unsigned i = 0; i < h->n; i++) {
		struct transfer *t = h->list[i];
		if (transfer_fetch(t) != fetch)
			continue;
		forget(h, t);
		transfer_stop(t, h->multi);
		return;
	}
}

/* Frames in what has come; false: it is none that a server sends. */
static bool heed(struct helper *h, msec now)
{
	struct frame_in f;
	enum err err;
	while ((err = frame_in_read(queue_span(&h->in), FRAME_ASK_MAX, &f)) == OK) {
		if (f.kind == FRAME_ASK)
			begin(h, &f, now);
		else if (f.kind == FRAME_STOP)
			stop(h, f.fetch);
		else
			return false;
		explicit_bzero((void *)(uintptr_t)f.payload.p, f.payload.n);   /* credentials stand in it */
		queue_drop(&h->in, f.size);
	}
	queue_rest(&h->in);
	return err == ERR_SHORT;
}

/* What the server has said; false: it is gone. */
static bool hear(struct helper *h, msec now)
{
	for (;;) {
		uint8_t *to = queue_room(&h->in, MIN(READ_BYTES, queue_left(&h->in)));
		if (to == NULL)
			return false;
		ssize_t n = recv(h->out.fd, to, MIN(READ_BYTES, queue_left(&h->in)), MSG_DONTWAIT);
		if (n == 0)
			return false;
		if (n < 0) {
			queue_rest(&h->in);
			return true;   /* nothing more, or an error that the next reading tells as its end */
		}
		queue_add(&h->in, (size_t)n);
		if (!heed(h, now))
			return false;
	}
}

static void reap(struct helper *h)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left)) != NULL;) {
		if (m->msg != CURLMSG_DONE)
			continue;
		struct transfer *t = transfer_of(m->easy_handle);
		CURLcode code = m->data.result;
		forget(h, t);
		transfer_done(t, h->multi, code);
	}
}

static void trim_once(struct helper *h, msec now)
{
	if (now < h->trim_at)
		return;
	trim();
	h->trim_at = NEVER;
}

/* End those without a byte for too long; when the next thing is due, in ms from now. */
static int end_idle(struct helper *h, msec now)
{
	msec sleep = MIN(SLEEP_MS_MAX, h->trim_at - now);
	for (unsigned i = 0; i < h->n; i++) {
		struct transfer *t = h->list[i];
		msec at = transfer_idle_at(t);
		if (at > now) {
			sleep = at == NEVER ? sleep : MIN(sleep, at - now);
			continue;
		}
		forget(h, t);
		transfer_idle(t, h->multi);
		i--;
	}
	return (int)sleep;
}

static void run(struct helper *h)
{
	struct curl_waitfd server = { .fd = h->out.fd, .events = CURL_WAIT_POLLIN };
	int sleep = 0, running, ready;
	while (!h->out.gone) {
		struct now now;
		if (curl_multi_poll(h->multi, &server, 1, sleep, &ready) != CURLM_OK)
			return;
		clock_now(&now);
		if (!hear(h, now.ms) || curl_multi_perform(h->multi, &running) != CURLM_OK)
			return;
		reap(h);
		clock_now(&now);
		trim_once(h, now.ms);
		sleep = end_idle(h, now.ms);
	}
}

int main(void)
{
	struct helper h = { .out.fd = STDIN_FILENO };
	int type = 0;
	socklen_t size = sizeof(type);
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
		fputs("signet-fetch: this is a part of signet, which starts it\n", stderr);
		return 2;
	}
	confine();
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
	queue_init(&h.in, FRAME_HEADER + FRAME_ASK_MAX);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (h.multi = curl_multi_init()) == NULL)
		return 3;
	curl_multi_setopt(h.multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	run(&h);
	_exit(0);
}
