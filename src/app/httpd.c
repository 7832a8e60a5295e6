#include "app/httpd.h"

#include <civetweb.h>

#include "app/monitor.h"
#include "base/heap.h"
#include "io/clock.h"
#include "io/stream.h"

#define PAGE_FIRST (256u * 1024u)
#define PAGE_MAX (64u << 20)
#define READY_TEXT_MAX 1024u
#define CHECK_MS 1000               /* the program looks at its own health so often */
#define CHECK_STEP_NS 50000000
#define WAKE_STEP_NS 10000000

enum role { ROLE_HEALTH = 1, ROLE_READY = 2, ROLE_METRICS = 4 };

/* One address. */
struct place {
	struct httpd *httpd;
	struct addr addr;
	struct mg_context *context;
	_Atomic unsigned roles;
	unsigned wanted;
	struct place *next;
};

struct httpd {
	struct server *server;
	struct place *places;
	pthread_t checker;
	bool checks;                 /* the thread runs */
	_Atomic bool stop;
	struct addr health;
	char unready[READY_TEXT_MAX];   /* as it was said last; under server->naming */
};

/* ---- pages ---- */

static int answer(struct mg_connection *c, int status, const char *type, struct span body)
{
	mg_printf(c, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
	          mg_get_response_code_text(c, status), type, body.n);
	mg_write(c, body.p, body.n);
	return status;
}

static bool has_role(const struct place *p, unsigned role)
{
	return (atomic_load(&p->roles) & role) != 0;
}

/* The program answers: it lives. */
static int health_request(struct mg_connection *c, void *arg)
{
	if (!has_role(arg, ROLE_HEALTH))
		return 0;
	return answer(c, 200, "text/plain; charset=utf-8", span_text("OK"));
}

static int ready_request(struct mg_connection *c, void *arg)
{
	struct place *p = arg;
	struct server *s = p->httpd->server;
	char text[READY_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	if (!has_role(p, ROLE_READY))
		return 0;
	if (atomic_load(&s->ending.asked))
		return answer(c, 503, "text/plain; charset=utf-8", span_text("Shutting down"));
	pthread_mutex_lock(&s->naming);
	monitor_unready(s->generation, &b);
	bool news = strcmp(buf_cstr(&b), p->httpd->unready) != 0;
	memcpy(p->httpd->unready, text, b.n + 1);
	bool good = b.n == 0;
	if (good) {
		struct now now;
		clock_now(&now);
		buf_text(&b, "OK");
		monitor_silent(s->generation, now.wall, &b);
	}
	pthread_mutex_unlock(&s->naming);
	if (good)
		return answer(c, 200, "text/plain; charset=utf-8", buf_span(&b));
	if (news)
		logger_say(&s->logger, "info", "plugin/ready: Plugins not ready: \"%s\"", text);
	return answer(c, 503, "text/plain; charset=utf-8", buf_span(&b));
}

static int metrics_request(struct mg_connection *c, void *arg)
{
	struct place *p = arg;
	int status = 500;
	if (!has_role(p, ROLE_METRICS))
		return 0;
	for (size_t cap = PAGE_FIRST; cap <= PAGE_MAX && status == 500; cap *= 4) {
		struct buf b = buf_on(heap_new(cap), cap);
		monitor_page(p->httpd->server, &b);
		if (buf_ok(&b))
			status = answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_span(&b));
		heap_free(b.p);
	}
	return status != 500 ? status : answer(c, 500, "text/plain", span_text("the page is too long\n"));
}

/* ---- addresses ---- */

static bool is_every(const struct addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->ip, zero, addr_len(a)) == 0;
}

static void listen_text(const struct addr *addr, bool both, struct buf *to)
{
	bool every = is_every(addr) && addr->family == ADDR_6;
	if (!every && addr->family == ADDR_6)
		buf_u8(to, '[');
	if (!every)
		addr_text(addr, to);
	if (!every && addr->family == ADDR_6)
		buf_u8(to, ']');
	buf_printf(to, "%s%u", !every ? ":" : both ? "+" : "", addr->port);
	buf_cstr(to);
}

/* both: on every address of IPv4 and IPv6, where every is wanted */
static struct mg_context *start(const struct addr *addr, bool both)
{
	char where[ADDR_TEXT_MAX + 16];
	struct buf b = buf_on(where, sizeof(where));
	listen_text(addr, both, &b);
	const char *options[] = { "listening_ports", where, "num_threads", "8", "request_timeout_ms", "1000",
		                  "keep_alive_timeout_ms", "0", NULL };
	struct mg_callbacks callbacks = { 0 };
	return mg_start(&callbacks, NULL, options);
}

static struct place *place_find(const struct httpd *h, const struct addr *addr)
{
	struct place *p = h->places;
	while (p != NULL && !addr_eq(&p->addr, addr))
		p = p->next;
	return p;
}

static enum err place_want(struct httpd *h, const struct addr *addr, unsigned role, struct buf *why)
{
	if (addr->family == ADDR_NONE)
		return OK;
	struct place *p = place_find(h, addr);
	if (p == NULL) {
		struct mg_context *context = start(addr, true);
		if (context == NULL && is_every(addr))
			context = start(addr, false);   /* a machine without IPv6 */
		if (context == NULL) {
			buf_text(why, "HTTP cannot listen on ");
			addr_port_text(addr, why);
			return ERR_WORLD;
		}
		p = heap_new(sizeof(*p));
		*p = (struct place){ .httpd = h, .addr = *addr, .context = context, .next = h->places };
		h->places = p;
		mg_set_request_handler(context, "/health$", health_request, p);
		mg_set_request_handler(context, "/ready$", ready_request, p);
		mg_set_request_handler(context, "/metrics$", metrics_request, p);
	}
	p->wanted |= role;
	return OK;
}

/* ---- the end of a place ---- */

struct waking {
	const struct addr *addr;
	_Atomic bool done;
};

/* The library's thread waits up to two seconds for a connection before it sees that it is to end: here is one. It is
 * not waited for, as the address may be gone. */
static void *waking_run(void *arg)
{
	struct waking *w = arg;
	struct addr to = *w->addr;
	char text[128];
	if (is_every(&to))
		to = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 1 }, .port = w->addr->port };
	while (!atomic_load(&w->done)) {
		struct buf why = buf_on(text, sizeof(text));
		int fd;
		nanosleep(&(struct timespec){ 0, WAKE_STEP_NS }, NULL);
		if (stream_connect(&to, &(struct addr){ .family = ADDR_NONE }, &fd, &why) == OK)
			stream_close(fd);
	}
	return NULL;
}

static void place_end(struct place *p)
{
	struct waking w = { .addr = &p->addr };
	pthread_t waker;
	bool woken = pthread_create(&waker, NULL, waking_run, &w) == 0;
	mg_stop(p->context);
	atomic_store(&w.done, true);
	if (woken)
		pthread_join(waker, NULL);
	heap_free(p);
}

/* Close the places of no use; of those that stay, roles are set if `enter`. */
static void places_sort(struct httpd *h, bool enter)
{
	struct place **at = &h->places;
	while (*at != NULL) {
		struct place *p = *at;
		if (enter)
			atomic_store(&p->roles, p->wanted);
		p->wanted = 0;
		if (atomic_load(&p->roles) != 0) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		place_end(p);
	}
}

static enum err want_all(struct httpd *h, const struct model *m, struct buf *why)
{
	const struct daemon_conf *d = &m->daemon;
	TRY(place_want(h, &m->process.metrics, ROLE_METRICS, why));
	TRY(place_want(h, &d->health, ROLE_HEALTH, why));
	TRY(place_want(h, &d->ready, ROLE_READY, why));
	for (unsigned i = 0; i < d->nmetrics; i++)
		TRY(place_want(h, &d->metrics[i], ROLE_METRICS, why));
	return OK;
}

struct httpd *httpd_new(struct server *s)
{
	struct httpd *h = heap_new(sizeof(*h));
	h->server = s;
	return h;
}

enum err httpd_open(struct httpd *h, const struct model *m, struct buf *why)
{
	enum err err = want_all(h, m, why);
	if (err != OK)
		places_sort(h, false);
	return err;
}

/* ---- the look at oneself ---- */

/* returns whether /health said 200 */
static bool ask_health(const struct addr *at)
{
	char host[ADDR_TEXT_MAX], error[128];
	struct buf b = buf_on(host, sizeof(host));
	if (is_every(at))
		buf_text(&b, "127.0.0.1");
	else
		addr_text(at, &b);
	struct mg_connection *c = mg_connect_client(buf_cstr(&b), at->port, 0, error, sizeof(error));
	if (c == NULL)
		return false;
	mg_printf(c, "GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	bool good = mg_get_response(c, error, sizeof(error), 5000) >= 0;
	const struct mg_response_info *info = good ? mg_get_response_info(c) : NULL;
	good = info != NULL && info->status_code == 200;
	mg_close_connection(c);
	return good;
}

static void check(struct httpd *h)
{
	int64_t from = clock_usec();
	bool good = ask_health(&h->health);
	int64_t took = clock_usec() - from;
	monitor_health(h->server, (uint64_t)took, good);
	if (took > 1000000)
		logger_say(&h->server->logger, "warning", "plugin/health: Local health request to "
		           "\"http://:%u/health\" took more than 1s: %.3fs", h->health.port, (double)took / 1e6);
}

static void *checker_run(void *arg)
{
	struct httpd *h = arg;
	int64_t next = clock_usec();
	while (!atomic_load(&h->stop)) {
		if (clock_usec() >= next) {
			check(h);
			next = clock_usec() + CHECK_MS * 1000;
		}
		nanosleep(&(struct timespec){ 0, CHECK_STEP_NS }, NULL);
	}
	return NULL;
}

static void checker_stop(struct httpd *h)
{
	if (!h->checks)
		return;
	atomic_store(&h->stop, true);
	pthread_join(h->checker, NULL);
	h->checks = false;
}

void httpd_settle(struct httpd *h, const struct model *m)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	if (!addr_eq(&h->health, &m->daemon.health))
		checker_stop(h);
	enum err err = want_all(h, m, &why);
	ASSERT(err == OK);   /* httpd_open has opened all */
	places_sort(h, true);
	h->health = m->daemon.health;
	if (h->checks || h->health.family == ADDR_NONE)
		return;
	atomic_store(&h->stop, false);
	h->checks = pthread_create(&h->checker, NULL, checker_run, h) == 0;
}

void httpd_free(struct httpd *h)
{
	if (h == NULL)
		return;
	checker_stop(h);
	for (struct place *p = h->places; p != NULL; p = p->next)
		p->wanted = 0;
	places_sort(h, true);
	heap_free(h);
}
