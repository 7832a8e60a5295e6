/* plan: the namespaces that a policy by labels would cut off. */
#include "app/plan.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/fetcher.h"
#include "core/kube_config.h"
#include "io/file.h"

#define LABEL "dns-access"       /* as in deploy/kubernetes/networkpolicy.yaml */
#define VALUE "allowed"
#define ARENA_BYTES (16u << 20)
#define BODY_MAX JSON_BYTES_MAX
#define PAGE 100                 /* namespaces an answer: some kB each, with all that fields' managers write */
#define PAGES_MAX 1000u
#define NAME_BYTES_MAX 63u       /* RFC1123 labels */

struct plan {
	struct arena arena, page;
	struct kube_config config;
	struct fetcher fetcher;
	struct addr addrs[FETCH_ADDRS_MAX];
	unsigned naddrs, seen, cut;
	char next[3072];             /* where the list goes on, as the API wrote it; empty: at its beginning, or end */
	char text[512];
	struct buf why;
};

enum { EXIT_NONE, EXIT_SOME, EXIT_USAGE, EXIT_WORLD };

/* --- where the cluster is ---- */

static const char *default_kubeconfig(struct plan *p)
{
	const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
	if (list != NULL && *list != 0)
		return arena_printf(&p->arena, "%.*s", (int)strcspn(list, ":"), list);
	return home != NULL ? arena_printf(&p->arena, "%s/.kube/config", home) : NULL;
}

static enum err config_read(struct plan *p, const char *file, const char *context)
{
	struct json_error error = { 0 };
	struct kube_config_text from = { .context = context };
	const char *slash = strrchr(file, '/');
	TRY(file_read(file, JSON_BYTES_MAX, &p->arena, &from.text, &p->why));
	from.folder = slash != NULL ? arena_printf(&p->arena, "%.*s", (int)(slash + 1 - file), file) : "";
	enum err e = kube_config_read(&p->arena, &from, &p->config, &error);
	if (e != OK)
		buf_printf(&p->why, "%s:%u:%u: %s", file, error.line, error.column, error.text);
	return e;
}

static enum err config_find(struct plan *p, const char *kubeconfig, const char *context)
{
	const char *file = kubeconfig != NULL ? kubeconfig : default_kubeconfig(p);
	enum err e = file != NULL ? config_read(p, file, context) : ERR_NOTFOUND;
	if (e != ERR_NOTFOUND || kubeconfig != NULL)
		return e;
	if (kube_config_pod(&p->arena, getenv(KUBE_HOST_VARIABLE), getenv(KUBE_PORT_VARIABLE), &p->config) == OK)
		return OK;
	p->why.n = 0;
	buf_text(&p->why, "no kubeconfig: neither --kubeconfig, KUBECONFIG nor ~/.kube/config, and this is no pod");
	return ERR_NOTFOUND;
}

static void address_take(struct plan *p, const struct addrinfo *i)
{
	struct addr *a = &p->addrs[p->naddrs];
	if (i->ai_family == AF_INET) {
		a->family = ADDR_4;
		memcpy(a->ip, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr, 4);
	} else if (i->ai_family == AF_INET6) {
		a->family = ADDR_6;
		memcpy(a->ip, &((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr, 16);
	} else {
		return;
	}
	p->naddrs++;
}

/* The addresses of the URL's host: the helper looks up no names. */
static enum err host_find(struct plan *p)
{
	const char *host = strstr(p->config.base, "://") + 3;
	bool six = *host == '[';
	size_t n = strcspn(host + six, six ? "]" : ":/");
	char *name = arena_printf(&p->arena, "%.*s", (int)n, host + six);
	struct addrinfo *all, ask = { .ai_socktype = SOCK_STREAM };
	if (name == NULL)
		return ERR_LIMIT;
	int error = getaddrinfo(name, NULL, &ask, &all);
	if (error != 0) {
		buf_printf(&p->why, "%s: %s", name, gai_strerror(error));
		return ERR_WORLD;
	}
	for (const struct addrinfo *i = all; i != NULL && p->naddrs < FETCH_ADDRS_MAX; i = i->ai_next)
		address_take(p, i);
	freeaddrinfo(all);
	return OK;
}

/* --- its namespaces ---- */

/* What stands in a command for a shell must be what the API allows as a name. */
static bool name_good(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool inner = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9');
		if (!inner && (s.p[i] != '-' || i == 0))
			return false;
	}
	return s.n > 0 && s.n <= NAME_BYTES_MAX;
}

static enum err namespace_judge(struct plan *p, const struct json *one)
{
	const struct json *meta = json_get(one, "metadata");
	const struct json *label = json_get(json_get(meta, "labels"), LABEL);
	struct span name = json_text(json_get(meta, "name"));
	if (!name_good(name)) {
		buf_text(&p->why, "a namespace without a name that a namespace may have");
		return ERR_FORMAT;
	}
	p->seen++;
	if (label != NULL && span_is(json_text(label), VALUE))
		return OK;
	p->cut++;
	printf("kubectl label namespace %.*s%s " LABEL "=" VALUE "\n", (int)name.n, (const char *)name.p,
	       label != NULL ? " --overwrite" : "");
	return OK;
}

/* Where the list goes on, ready to stand in a URL. */
static enum err next_take(struct plan *p, struct span token)
{
	struct buf b = buf_on(p->next, sizeof(p->next) - 1);
	for (size_t i = 0; i < token.n; i++)
		buf_printf(&b, "%%%02x", token.p[i]);
	p->next[b.n] = 0;
	return buf_ok(&b) ? OK : ERR_LIMIT;
}

static enum err page_judge(struct plan *p, struct span body)
{
	const struct json *root;
	struct json_error error;
	enum err e = json_parse(&p->page, body, &root, &error);
	const struct json *items = e == OK ? json_get(root, "items") : NULL;
	if (e == OK && !json_is(items, JSON_LIST))
		e = ERR_FORMAT;
	if (e != OK) {
		buf_text(&p->why, "the answer is no list of namespaces");
		return e;
	}
	for (unsigned i = 0; i < items->n; i++)
		TRY(namespace_judge(p, &items->list[i]));
	return next_take(p, json_text(json_get(json_get(root, "metadata"), "continue")));
}

static enum err page_get(struct plan *p)
{
	struct fetch what = { .accept = "application/json", .login = &p->config.login, .addrs = p->addrs,
		              .naddrs = p->naddrs };
	what.url = arena_printf(&p->page, "%s/api/v1/namespaces?limit=%d%s%s", p->config.base, PAGE,
	                        *p->next != 0 ? "&continue=" : "", p->next);
	uint8_t *room = arena_alloc(&p->page, BODY_MAX);
	if (what.url == NULL || room == NULL)
		return ERR_LIMIT;
	struct buf body = buf_on(room, BODY_MAX);
	TRY(fetcher_get(&p->fetcher, &what, &body, &p->why));
	return page_judge(p, buf_span(&body));
}

static enum err list(struct plan *p)
{
	TRY(fetcher_open(&p->fetcher, &p->why));
	enum err e = OK;
	for (unsigned i = 0; e == OK && i < PAGES_MAX && (i == 0 || *p->next != 0); i++) {
		e = page_get(p);
		arena_free(&p->page);
	}
	fetcher_close(&p->fetcher);
	if (e == OK && *p->next != 0) {
		buf_text(&p->why, "the list of namespaces has no end");
		e = ERR_LIMIT;
	}
	return e;
}

static int tell(struct plan *p, enum err e, const char *base)
{
	if (e != OK) {
		fprintf(stderr, "signet manifests: --plan: %s%s%s\n", base, *base != 0 ? ": " : "",
		        p->why.n > 0 ? buf_cstr(&p->why) : err_text(e));
		return EXIT_WORLD;
	}
	printf("# %u of %u namespaces would lose DNS by NetworkPolicy coredns-allow%s\n", p->cut, p->seen,
	       p->cut > 0 ? ", until the commands above label them" : "");
	return p->cut > 0 ? EXIT_SOME : EXIT_NONE;
}

int plan_print(const char *kubeconfig, const char *context)
{
	struct plan p = { .fetcher.fd = -1 };
	int status;
	p.why = buf_on(p.text, sizeof(p.text) - 1);
	arena_init(&p.arena, ARENA_BYTES);
	arena_init(&p.page, ARENA_BYTES);
	enum err e = config_find(&p, kubeconfig, context);
	if (e != OK) {
		(void)tell(&p, e, "");
		status = EXIT_USAGE;
	} else {
		e = host_find(&p);
		if (e == OK)
			e = list(&p);
		status = tell(&p, e, p.config.base);
	}
	arena_free(&p.arena);
	arena_free(&p.page);
	return fflush(stdout) == 0 ? status : EXIT_WORLD;
}
