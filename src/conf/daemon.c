/* daemon: the directives of a Corefile that concern the program itself, whichever block they stand in. */
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "conf/tables.h"
#include "conf/value.h"

#define RELOAD_MIN (2 * SECOND)
#define TIMEOUT_MIN SECOND
#define TIMEOUT_MAX ((msec)24 * HOUR * SECOND)

void count_wrong(const struct directive *d, const char *expected, struct diag *diag)
{
	const struct word *last = d->nargs == 0 ? &d->word : &d->args[d->nargs - 1];
	diag_error(diag, d->file, d->word.line, last->column,
	           "Wrong argument count or unexpected line ending after '%.200s'; expected %s", last->text, expected);
}

/* ---- addresses ---- */

const char *hostport_read(const char *text, struct arena *a, struct addr *ret)
{
	const char *colon = strrchr(text, ':'), *rest, *why;
	int64_t port;
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	struct span host = span_of(text, n);
	if (colon == NULL)
		why = arena_printf(a, "address %.200s: missing port in address", text);
	else if (!number_read(colon + 1, &port, &rest) || *rest != 0 || port < 0 || port > 65535)
		why = arena_printf(a, "address %.200s: invalid port", text);
	else {
		bool bracket = n >= 2 && host.p[0] == '[' && host.p[n - 1] == ']';
		if (bracket)
			host = span_of(text + 1, n - 2);
		if (!bracket && memchr(host.p, ':', host.n) != NULL)
			return arena_printf(a, "address %.200s: too many colons in address", text);
		if (host.n == 0)
			host = span_text("::");
		else if (span_is(host, "localhost"))
			host = span_text("127.0.0.1");
		if (addr_parse(host, (uint16_t)port, ret) == OK)
			return NULL;
		why = arena_printf(a, "address %.200s: no such host", text);
	}
	return why == NULL ? "out of memory" : why;
}

/* The one argument a directive may have, or its default. */
static void address_head(const struct directive *d, const char *dflt, struct addr *ret, struct arena *a,
                         struct diag *diag)
{
	if (d->nargs > 1) {
		count_wrong(d, "ADDRESS:PORT or nothing", diag);
		return;
	}
	const char *why = hostport_read(d->nargs == 0 ? dflt : d->args[0].text, a, ret);
	if (why != NULL)
		diag_error(diag, d->file, d->word.line, d->args[0].column, "%s; expected ADDRESS:PORT", why);
}

static void health_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct healthy *h = self;
	h->at = d;
	address_head(d, ":8080", &h->addr, a, diag);
}

static void lameduck_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct healthy *h = self;
	(void)a;
	if (d->nargs != 1)
		count_wrong(d, "lameduck DURATION", diag);
	else if (duration_parse(span_text(d->args[0].text), &h->lameduck) != OK)
		diag_error(diag, d->file, d->word.line, d->args[0].column,
		           "unable to parse lameduck duration value: '%.200s' : invalid duration; expected a time such "
		           "as 5s", d->args[0].text);
}

static void ready_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct readying *r = self;
	r->at = d;
	address_head(d, ":8181", &r->addr, a, diag);
}

static void monitor_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct readying *r = self;
	(void)a;
	bool always = d->nargs == 1 && strcmp(d->args[0].text, "continuously") == 0;
	if (d->nargs != 1)
		count_wrong(d, "until-ready or continuously", diag);
	else if (!always && strcmp(d->args[0].text, "until-ready") != 0)
		diag_error(diag, d->file, d->word.line, d->args[0].column,
		           "unknown monitor type '%.200s'; expected until-ready or continuously", d->args[0].text);
	r->always = always;
}

static void prometheus_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct counting *c = self;
	c->at = d;
	address_head(d, "localhost:9153", &c->addr, a, diag);
}

static void metrics_tls(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	diag_error(diag, d->file, d->word.line, d->word.column,
	           "metrics are not told over TLS; expected an address that only those reach who may read them");
}

/* ---- reload, debug, timeouts ---- */

static bool time_arg(const struct directive *d, unsigned i, msec *ret, struct diag *diag)
{
	if (duration_parse(span_text(d->args[i].text), ret) == OK)
		return true;
	diag_error(diag, d->file, d->word.line, d->args[i].column,
	           "invalid duration \"%.200s\"; expected a time such as 30s", d->args[i].text);
	return false;
}

static void reload_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct reloading *r = self;
	(void)a;
	r->at = d;
	r->every = 30 * SECOND;
	r->jitter = 15 * SECOND;
	if (d->nargs > 2) {
		count_wrong(d, "INTERVAL and JITTER", diag);
		return;
	}
	if ((d->nargs > 0 && !time_arg(d, 0, &r->every, diag)) || (d->nargs > 1 && !time_arg(d, 1, &r->jitter, diag)))
		return;
	if (r->every < RELOAD_MIN)
		diag_error(diag, d->file, d->word.line, d->args[0].column,
		           "interval value must be greater or equal to 2s; expected a longer time");
	else if (r->jitter != 0 && r->jitter < SECOND)
		diag_error(diag, d->file, d->word.line, d->args[1].column,
		           "jitter value must be greater or equal to 1s; expected a longer time, or 0");
	r->jitter = MIN(r->jitter, r->every / 2);
}

static void debug_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	((struct debugging *)self)->at = d;
	if (d->nargs > 0)
		count_wrong(d, "no argument", diag);
}

static void timeouts_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	((struct timing *)self)->at = d;
	if (d->nargs > 0)
		count_wrong(d, "no argument, but a block with read, write or idle", diag);
	else if (d->inside == NULL)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "timeouts block with no timeouts specified; expected read, write or idle");
}

static void timeout_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct timing *t = self;
	char which = d->word.text[0];
	msec *to = which == 'r' ? &t->read : which == 'w' ? &t->write : &t->idle, v;
	(void)a;
	if (d->nargs != 1)
		count_wrong(d, "a time such as 10s", diag);
	else if (!time_arg(d, 0, &v, diag))
		return;
	else if (v < TIMEOUT_MIN || v > TIMEOUT_MAX)
		diag_error(diag, d->file, d->word.line, d->args[0].column,
		           "timeout provided '%.200s' is not in range; expected 1s to 24h", d->args[0].text);
	else
		*to = v;
}

static void queries_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct timing *t = self;
	int64_t v;
	const char *rest;
	(void)a;
	if (d->nargs != 1)
		count_wrong(d, "a number, or -1", diag);
	else if (!number_read(d->args[0].text, &v, &rest) || *rest != 0 || v < -1 || v == 0 || v > UINT32_MAX)
		diag_error(diag, d->file, d->word.line, d->args[0].column,
		           "maxtcpqueries: '%.200s' is wrong; expected a number from 1 on, or -1 for any",
		           d->args[0].text);
	else
		t->queries_max = v == -1 ? 0 : (uint32_t)v;
}

/* ---- together ---- */

/* One such thing serves the whole program: blocks that want it otherwise than the first one are told. */
static void agree(bool same, const struct directive *d, const struct directive *first, struct diag *diag)
{
	if (!same)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "%s: another than that of line %u; expected the same in every server block", d->word.text,
		           first->word.line);
}

static void address_add(struct daemon_conf *c, struct addr *list, const struct counting *p)
{
	for (unsigned i = 0; i < c->nmetrics; i++)
		if (addr_eq(&list[i], &p->addr))
			return;
	list[c->nmetrics++] = p->addr;
	c->metrics = list;
}

struct firsts {
	const struct healthy *health;
	const struct readying *ready;
	const struct reloading *reload;
	const struct timing *timing;
};

static void health_take(struct daemon_conf *c, struct firsts *f, const struct healthy *h, struct diag *diag)
{
	if (h->at == NULL)
		return;
	if (f->health != NULL)
		agree(addr_eq(&h->addr, &f->health->addr), h->at, f->health->at, diag);
	else
		f->health = h;
	c->health = f->health->addr;
	c->lameduck = MAX(c->lameduck, h->lameduck);
}

static void ready_take(struct daemon_conf *c, struct firsts *f, const struct readying *r, struct diag *diag)
{
	if (r->at == NULL)
		return;
	if (f->ready != NULL)
		agree(addr_eq(&r->addr, &f->ready->addr), r->at, f->ready->at, diag);
	else
		f->ready = r;
	c->ready = f->ready->addr;
	c->ready_always |= r->always;
}

static void reload_take(struct daemon_conf *c, struct firsts *f, const struct reloading *r, struct diag *diag)
{
	if (r->at == NULL)
		return;
	if (f->reload != NULL)
		agree(r->every == f->reload->every && r->jitter == f->reload->jitter, r->at, f->reload->at, diag);
	else
		f->reload = r;
	c->reload = true;
	c->reload_every = f->reload->every;
	c->reload_jitter = f->reload->jitter;
}

static void timing_take(struct daemon_conf *c, struct firsts *f, const struct timing *t, struct diag *diag)
{
	if (t->at != NULL && f->timing != NULL)
		agree(t->read == f->timing->read && t->write == f->timing->write && t->idle == f->timing->idle &&
		      t->queries_max == f->timing->queries_max, t->at, f->timing->at, diag);
	if (f->timing != NULL)
		return;
	if (t->at != NULL)
		f->timing = t;
	c->read_timeout = t->read;
	c->write_timeout = t->write;
	c->idle_timeout = t->idle;
	c->queries_max = t->queries_max;
}

#define SOCKETS_MAX 1024u      /* as CoreDNS has it */
#define WORKERS_SERVED 64u     /* the program has no more */

/* [N]; without it as many as there are cores, which is so without the line too. */
static void multisocket_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct multiplying *s = self;
	unsigned long n = 0;
	char *end = NULL;
	(void)a;
	s->at = d;
	if (d->nargs > 1) {
		count_wrong(d, "a number of sockets or nothing", diag);
		return;
	}
	if (d->nargs == 0)
		return;
	const char *text = d->args[0].text;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != 0 || n == 0 || n > SOCKETS_MAX) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "invalid num sockets: '%.200s'; expected 1 to %u", text, SOCKETS_MAX);
		return;
	}
	if (n > WORKERS_SERVED)
		diag_warning(diag, d->file, d->args[0].line, d->args[0].column,
		             "multisocket: there are %u at most", WORKERS_SERVED);
	s->sockets = (uint32_t)n;
}

void daemon_take(struct model *m, const struct instance *list, unsigned n, struct diag *diag)
{
	struct daemon_conf *c = &m->daemon;
	struct firsts f = { 0 };
	struct addr *metrics = ARENA_ARRAY(&m->arena, struct addr, n);
	*c = (struct daemon_conf){ .corefile = true };
	for (unsigned i = 0; i < n; i++) {
		const void *self = list[i].self;
		if (list[i].settings == &health_settings)
			health_take(c, &f, self, diag);
		else if (list[i].settings == &ready_settings)
			ready_take(c, &f, self, diag);
		else if (list[i].settings == &reload_settings)
			reload_take(c, &f, self, diag);
		else if (list[i].settings == &timeouts_settings)
			timing_take(c, &f, self, diag);
		else if (list[i].settings == &debug_settings)
			c->debug |= ((const struct debugging *)self)->at != NULL;
		else if (list[i].settings == &multisocket_settings)
			m->process.threads_least = MAX(m->process.threads_least,
			                               ((const struct multiplying *)self)->sockets);
		else if (list[i].settings == &prometheus_settings && ((const struct counting *)self)->at != NULL) {
			if (metrics != NULL)
				address_add(c, metrics, self);
			m->sites[list[i].site].counted = true;
		}
	}
}

/* ---- rows ---- */

static const struct opt health_opts[] = {
	{ { "lameduck", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = lameduck_parse,
	  .doc = "How long to go on answering once the end has been asked for." },
};

const struct settings health_settings = {
	.name = "health", .doc = "says over HTTP that the program lives",
	.corefile = { "health", DIRECTIVE_ONCE, health_head },
	.size = sizeof(struct healthy), .opts = health_opts, .nopts = COUNT(health_opts),
};

static const struct opt ready_opts[] = {
	{ { "monitor", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = monitor_parse,
	  .doc = "until-ready: what has been ready once is never asked again; continuously: it is." },
};

const struct settings ready_settings = {
	.name = "ready", .doc = "says over HTTP whether all plugins are ready to serve",
	.corefile = { "ready", DIRECTIVE_ONCE, ready_head },
	.size = sizeof(struct readying), .opts = ready_opts, .nopts = COUNT(ready_opts),
};

static const struct opt prometheus_opts[] = {
	{ { "runtime_metrics", 0, NULL }, { NULL, NULL }, BOOL(struct counting, runtime), 0, 0,
	  .doc = "Taken for the sake of files that have it: there is no such runtime here." },
	{ { "tls", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = metrics_tls,
	  .doc = "An error: metrics are not told over TLS." },
};

const struct settings prometheus_settings = {
	.name = "prometheus", .doc = "metrics over HTTP",
	.corefile = { "prometheus", DIRECTIVE_ONCE, prometheus_head },
	.size = sizeof(struct counting), .opts = prometheus_opts, .nopts = COUNT(prometheus_opts),
};

const struct settings reload_settings = {
	.name = "reload", .doc = "reads the configuration again when it has changed",
	.corefile = { "reload", DIRECTIVE_ONCE, reload_head },
	.size = sizeof(struct reloading),
};

const struct settings multisocket_settings = {
	.name = "multisocket", .doc = "so many sockets at least on each address, one a worker",
	.corefile = { "multisocket", DIRECTIVE_ONCE, multisocket_head },
	.size = sizeof(struct multiplying),
};

const struct settings debug_settings = {
	.name = "debug", .doc = "logs more, for those who look for an error",
	.corefile = { "debug", DIRECTIVE_ONCE, debug_head },
	.size = sizeof(struct debugging),
};

#define TIMEOUT(word, text) { { word, 1, NULL }, { NULL, NULL }, CUSTOM, .parse = timeout_parse, .doc = text }

static const struct opt timeouts_opts[] = {
	TIMEOUT("read", "Longest wait for a question on a new connection."),
	TIMEOUT("write", "Longest wait for a client to take an answer."),
	TIMEOUT("idle", "Longest silence of a connection."),
	{ { "maxtcpqueries", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = queries_parse,
	  .doc = "Questions on one connection; -1 any number." },
};

static void timeouts_ready(void *self, struct arena *a, struct diag *diag)
{
	struct timing *t = self;
	(void)a;
	(void)diag;
	t->read = t->read == 0 ? 3 * SECOND : t->read;
	t->write = t->write == 0 ? 5 * SECOND : t->write;
	t->idle = t->idle == 0 ? 10 * SECOND : t->idle;
}

const struct settings timeouts_settings = {
	.name = "timeouts", .doc = "how long clients' connections may take",
	.corefile = { "timeouts", DIRECTIVE_ONCE, timeouts_head },
	.size = sizeof(struct timing), .opts = timeouts_opts, .nopts = COUNT(timeouts_opts), .ready = timeouts_ready,
};
