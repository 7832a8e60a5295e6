#include "app/logger.h"

#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/heap.h"
#include "io/clock.h"

#define OUT_BYTES (256u * 1024u)
#define LINE_MAX 1600u            /* the longest line record_line makes */
#define NAP_BUSY_NS 4000000       /* while records come */
#define NAP_IDLE_NS 50000000
#define NAPS_BUSY 50u             /* short naps after the last record */

static void put_out(struct logger *l, struct buf *out)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	struct span part = buf_span(out);
	out->n = 0;
	if (part.n == 0)
		return;
	pthread_mutex_lock(&l->writing);
	bool written = l->file.fd >= 0 && file_log_write(&l->file, &part, 1, &why) == OK;
	pthread_mutex_unlock(&l->writing);
	if (written)
		return;
	FILE *to = l->levels ? stdout : stderr;
	if (fwrite(part.p, 1, part.n, to) == part.n)
		fflush(to);
}

static void put_syslog(struct buf *out)
{
	buf_cstr(out);
	char *save = NULL;
	for (char *line = strtok_r((char *)out->p, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		/* syslog writes time and ident itself. */
		char *text = strstr(line, "] ");
		char *pid = strstr(line, "] unbound");
		if (pid != NULL)
			text = strstr(pid + 2, "] ");
		syslog(LOG_INFO, "%s", text == NULL ? line : text + 2);
	}
	out->n = 0;
}

static void flush(struct logger *l, struct buf *out)
{
	if (l->syslog && l->file.fd < 0 && out->n > 0)
		put_syslog(out);
	else
		put_out(l, out);
}

/* Every worker finds the same upstream dead or back; people want to read it once. */
static bool is_said(struct logger *l, const struct record *rec)
{
	if (rec->kind != RECORD_TEXT)
		return false;
	struct span text = span_of(rec->name + rec->name_len, MIN(rec->text_len, SAID_TEXT_MAX));
	for (unsigned i = 0; i < SAID_MAX; i++) {
		const struct said *s = &l->said[i];
		if (s->sec + SAID_SECS > rec->at.sec && span_eq(span_of(s->text, s->n), text))
			return true;
	}
	struct said *s = &l->said[l->nsaid++ % SAID_MAX];
	s->sec = rec->at.sec;
	s->n = text.n;
	memcpy(s->text, text.p, text.n);
	return false;
}

/* With verbosity: 0 only what somebody must act on is written; lines about questions were asked for by options. */
static bool is_hushed(const struct logger *l, const struct record *rec)
{
	static const char *const loud[] = { "error: ", "warning: ", "fatal error: " };
	if (rec->kind != RECORD_TEXT || !atomic_load(&l->quiet))
		return false;
	for (unsigned i = 0; i < COUNT(loud); i++)
		if (rec->text_len >= strlen(loud[i]) &&
		    memcmp(rec->name + rec->name_len, loud[i], strlen(loud[i])) == 0)
			return false;
	return true;
}

/* All records of one worker; how many. */
static uint64_t drain(struct logger *l, unsigned worker, struct buf *out)
{
	const struct record_style *style = atomic_load(&l->style);
	struct record_ring *r = &l->workers[worker].log;
	unsigned thread = style->thread_id ? atomic_load(&l->workers[worker].thread_id) : worker;
	uint64_t n = 0;
	size_t size;
	for (struct record *rec; (rec = ring_peek(&r->ring, &size)) != NULL; n++) {
		if (out->cap - out->n < LINE_MAX)
			flush(l, out);
		if (!is_hushed(l, rec) && !is_said(l, rec))
			record_line(rec, style, thread, out);
		ring_done(&r->ring);
	}
	if (n > 0)
		atomic_fetch_add_explicit(&r->written, n, memory_order_relaxed);
	return n;
}

static void reopen(struct logger *l)
{
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	pthread_mutex_lock(&l->writing);
	bool good = l->file.fd < 0 || file_log_reopen(&l->file, &why) == OK;
	pthread_mutex_unlock(&l->writing);
	if (good)
		return;
	logger_say(l, "error", "could not reopen the log, writing on to the old file: %s", buf_cstr(&why));
}

static void *logger_run(void *arg)
{
	struct logger *l = arg;
	struct buf out = buf_on(heap_pages(OUT_BYTES), OUT_BYTES - 1);
	unsigned naps = NAPS_BUSY;
	for (bool last = false; !last;) {
		last = atomic_load(&l->stop);
		uint64_t n = 0;
		for (unsigned i = 0; i < l->nworkers; i++)
			n += drain(l, i, &out);
		flush(l, &out);
		if (atomic_exchange(&l->reopen, false))
			reopen(l);
		naps = n > 0 ? 0 : naps + (naps < NAPS_BUSY);
		struct timespec nap = { 0, naps < NAPS_BUSY ? NAP_BUSY_NS : NAP_IDLE_NS };
		if (!last)
			nanosleep(&nap, NULL);
	}
	heap_pages_free(out.p, OUT_BYTES);
	return NULL;
}

void logger_start(struct logger *l)
{
	if (l->syslog)
		openlog(atomic_load(&l->style)->ident, LOG_PID, LOG_DAEMON);
	int rc = pthread_create(&l->thread, NULL, logger_run, l);
	ASSERT(rc == 0);
}

void logger_stop(struct logger *l)
{
	atomic_store(&l->stop, true);
	pthread_join(l->thread, NULL);
	file_log_close(&l->file);
}

/* "[WARNING] " */
static void put_level(const char *level, struct buf *to)
{
	static const char *const signs[][2] = { { "fatal error", "FATAL" }, { "error", "ERROR" },
		                                { "warning", "WARNING" }, { "debug", "DEBUG" } };
	const char *sign = "INFO";
	for (unsigned i = 0; i < COUNT(signs); i++) {
		if (strcmp(signs[i][0], level) == 0)
			sign = signs[i][1];
	}
	buf_printf(to, "[%s] ", sign);
}

static void put_frame(const struct logger *l, const char *level, struct buf *to)
{
	struct now now;
	clock_now(&now);
	const struct record_style *style = atomic_load(&l->style);
	if (l->levels)
		put_level(level, to);
	else
		buf_printf(to, "[%lld] %s[%u:0] %s: ", (long long)now.wall.sec,
		           style == NULL ? l->ident : style->ident, (unsigned)getpid(), level);
}

void logger_say(struct logger *l, const char *level, const char *fmt, ...)
{
	char text[1024], line[1200];
	if (atomic_load(&l->quiet) && (strcmp(level, "info") == 0 || strcmp(level, "notice") == 0))
		return;
	struct buf t = buf_on(text, sizeof(text)), out = buf_on(line, sizeof(line));
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&t, fmt, ap);
	va_end(ap);
	put_frame(l, level, &out);
	buf_printf(&out, "%s\n", buf_cstr(&t));
	if (l->syslog && l->file.fd < 0)
		syslog(LOG_INFO, "%s: %s", level, text);
	else
		put_out(l, &out);
}
