/* How an API is asked: requests read and judged. */
#include "sim/api_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_WATCH_MS 1000       /* one that lasts so long and ends has not failed */
#define MINUTE_MS 60000

static const char *const paths[THING_KINDS] = { "/namespaces", "/services", "/endpointslices", "/pods" };
static const char base[] = "http://10.9.8.7:8080";

void api_fault(struct api_server *s, const char *what)
{
	if (s->host->seen.fault == NULL)
		s->host->seen.fault = what;
}

bool api_shows(const struct api_filter *f, const struct thing *t)
{
	const char *ns = t->kind == THING_NAMESPACE ? t->name : t->ns;
	return (f->ns[0] == 0 || strcmp(f->ns, ns) == 0) && (!f->labelled || t->labelled) && (!f->running || t->runs);
}

/* The value of a parameter, unescaped. false: it is not there */
static bool parameter(const char *url, const char *name, char *to, size_t size)
{
	size_t n = strlen(name);
	const char *at = strchr(url, '?');
	struct buf b = buf_on(to, size);
	to[0] = 0;
	for (; at != NULL; at = strchr(at + 1, '&')) {
		if (strncmp(at + 1, name, n) != 0 || at[n + 1] != '=')
			continue;
		for (at += n + 2; *at != 0 && *at != '&'; at++) {
			unsigned v = (uint8_t)*at;
			if (*at == '%' && sscanf(at + 1, "%2x", &v) == 1)
				at += 2;
			buf_u8(&b, (uint8_t)v);
		}
		(void)buf_cstr(&b);
		return true;
	}
	return false;
}

/* The resource, and the namespace whose alone is asked for. */
static bool read_path(const char *url, enum thing_kind *ret_kind, struct api_filter *f)
{
	char path[256];
	struct buf b = buf_on(path, sizeof(path));
	size_t n = strcspn(url, "?");
	if (n < sizeof(base) || strncmp(url, base, sizeof(base) - 1) != 0)
		return false;
	buf_put(&b, url + sizeof(base) - 1, n - sizeof(base) + 1);
	(void)buf_cstr(&b);
	static const char core[] = "/api/v1", slices[] = "/apis/discovery.k8s.io/v1", in[] = "/namespaces/";
	bool is_core = strncmp(path, core, sizeof(core) - 1) == 0;
	const char *at = path + (is_core ? sizeof(core) : sizeof(slices)) - 1, *end;
	if (!is_core && strncmp(path, slices, sizeof(slices) - 1) != 0)
		return false;
	if (strncmp(at, in, sizeof(in) - 1) == 0 && (end = strchr(at + sizeof(in) - 1, '/')) != NULL) {
		struct buf ns = buf_on(f->ns, sizeof(f->ns));
		buf_put(&ns, at + sizeof(in) - 1, (size_t)(end - at) - sizeof(in) + 1);
		(void)buf_cstr(&ns);
		at = end;
	}
	for (unsigned i = 0; i < THING_KINDS; i++) {
		if (strcmp(at, paths[i]) == 0 && (i == THING_SLICE) != is_core) {
			*ret_kind = (enum thing_kind)i;
			return true;
		}
	}
	return false;
}

static bool read_filter(const char *url, enum thing_kind kind, struct api_filter *f)
{
	static const char named[] = "metadata.name=";
	static const char runs[] = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown";
	char text[256];
	if (parameter(url, "labelSelector", text, sizeof(text))) {
		if (strcmp(text, "app=web") != 0)
			return false;
		f->labelled = true;
	}
	if (!parameter(url, "fieldSelector", text, sizeof(text)))
		return kind != THING_POD;
	f->running = strcmp(text, runs) == 0;
	if (kind != THING_NAMESPACE || strncmp(text, named, sizeof(named) - 1) != 0)
		return f->running;
	struct buf b = buf_on(f->ns, sizeof(f->ns));
	buf_text(&b, text + sizeof(named) - 1);
	(void)buf_cstr(&b);
	return true;
}

/* No more requests than the settings allow. */
static void judge_rate(struct api_server *s, bool page)
{
	const struct api_rate *r = &s->manner.rate;
	msec now = s->host->now.ms;
	unsigned inflight = 1;
	for (unsigned i = 0; i < THING_KINDS; i++)
		inflight += s->calls[i].open && !s->calls[i].head;
	if (r->inflight > 0 && inflight > r->inflight)
		api_fault(s, "more requests under way than may be");
	if (page && !r->pages)
		return;
	s->tokens = MIN(s->tokens + r->qps * (double)(now - s->tokens_at) / (double)SECOND, r->burst) - 1;
	s->tokens_at = now;
	if (s->tokens < -0.01)
		api_fault(s, "more requests in a second than may be");
}

/* A list needs a cause, a watch a list; both a rest after failures. */
static void judge(struct api_server *s, const struct api_call *c, bool page)
{
	struct api_asked *a = &s->asked[c->kind];
	msec now = s->host->now.ms;
	a->requests++;
	judge_rate(s, page);
	if (now < a->earliest)
		api_fault(s, "asked again too soon");
	if (c->how == API_WATCH) {
		if (a->owed)
			api_fault(s, "a watch without a list to begin from");
		else if (c->version != a->version)
			api_fault(s, "a watch from elsewhere than where the last ended");
		return;
	}
	if (!a->owed)
		api_fault(s, "a list without a cause");
	if (c->how == API_STREAM && a->plain)
		api_fault(s, "a streaming list, though there are none");
	if (page)
		return;
	if (a->lists >= API_LISTS_MAX && now - a->listed[a->lists % API_LISTS_MAX] < MINUTE_MS)
		api_fault(s, "too many lists in a minute");
	a->listed[a->lists++ % API_LISTS_MAX] = now;
}

bool api_read(struct api_server *s, const struct effect *fx, struct api_call *c, char more[THING_LABEL])
{
	struct api_filter f = { .ns = "" };
	char text[256];
	const char *url = fx->request->url;
	if (s->trace)
		printf("%lld asked: %s\n", (long long)s->host->now.ms, url);
	if (!read_path(url, &c->kind, &f) || !read_filter(url, c->kind, &f)) {
		api_fault(s, "a request that the API does not know");
		return false;
	}
	bool watches = parameter(url, "watch", text, sizeof(text));
	c->how = !watches ? API_LIST : parameter(url, "sendInitialEvents", text, sizeof(text)) ? API_STREAM : API_WATCH;
	bool page = parameter(url, "continue", more, THING_LABEL);
	c->first = !page;
	c->version = parameter(url, "resourceVersion", text, sizeof(text)) ? strtoull(text, NULL, 10) : UINT64_MAX;
	if (parameter(url, "timeoutSeconds", text, sizeof(text)))
		c->expires = s->host->now.ms + strtoll(text, NULL, 10) * SECOND;
	c->piece = parameter(url, "limit", text, sizeof(text)) ? strtoul(text, NULL, 10) : 0;
	s->asked[c->kind].filter = f;
	judge(s, c, page);
	return true;
}

/* ---- what became of it ---- */

static msec rest_least(unsigned fails)
{
	return (msec)500 << MIN(fails, 4u);
}

/* A streaming list that is refused, or ends before it was whole: there are none, which costs no rest. */
static bool is_no_stream(const struct api_call *c)
{
	bool refused = c->head && (c->status == 400 || c->status == 422);
	bool ended = c->head && c->status == 200 && c->end == API_END_WELL;
	return c->how == API_STREAM && !c->whole && (refused || ended);
}

void api_over(struct api_server *s, struct api_call *c, bool by_client)
{
	struct api_asked *a = &s->asked[c->kind];
	msec now = s->host->now.ms;
	bool good = c->head && c->status == 200 && (by_client || c->end == API_END_WELL);
	bool lasted = good && c->how == API_WATCH && now - c->begun >= LONG_WATCH_MS;
	if (s->trace)
		printf("%lld over: %s%s\n", (long long)now, paths[c->kind], by_client ? ", left" : "");
	c->open = false;
	if (!by_client && is_no_stream(c)) {
		a->plain = true;
	} else if (by_client && c->how == API_STREAM && !c->whole) {
		a->fails = 0;   /* it may have found out by itself */
	} else if (c->progress || lasted) {
		a->fails = 0;
	} else if (c->status == 410 && a->fails == 0) {
		a->fails = 1;
	} else {
		a->earliest = now + rest_least(a->fails);
		a->fails++;
	}
	a->earliest = MAX(a->earliest, now + (msec)c->retry_secs * SECOND);
}
