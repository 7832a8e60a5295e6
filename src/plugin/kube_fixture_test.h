/* A cluster's objects for tests, as lines of words:
 *   ns NAME
 *   svc NS NAME IP,IP|None|ext:TARGET [PORTS] [lb:IP,IP|lb:HOST]   import NS NAME IP,IP|None [PORTS]
 *   slice NS NAME SERVICE PORTS ENDPOINT...      islice the same, SERVICE@CLUSTER
 *   pod NS NAME IP [done|host]                   del KIND NS NAME
 * PORTS: name/number/protocol by commas, "-" none. ENDPOINT: address, then ",h=HOSTNAME", ",p=POD", ",z=ZONE", ",!":
 * not ready. */
#ifndef PLUGIN_KUBE_FIXTURE_TEST_H
#define PLUGIN_KUBE_FIXTURE_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "core/cluster.h"

#define FIXTURE_WORDS_MAX 128u
#define FIXTURE_MANY 64u

struct fixture_line {
	char text[8192];
	char *words[FIXTURE_WORDS_MAX];
	unsigned n;
	struct addr addrs[FIXTURE_MANY], out[FIXTURE_MANY], of_endpoints[FIXTURE_WORDS_MAX];
	struct kube_port ports[FIXTURE_MANY];
	struct kube_endpoint endpoints[FIXTURE_WORDS_MAX];
};

static inline unsigned fixture_addrs(char *list, struct addr *to)
{
	unsigned n = 0;
	char *save = NULL;
	for (char *word = strtok_r(list, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save), n++) {
		memset(&to[n], 0, sizeof(to[n]));
		assert_int_equal(addr_parse(span_text(word), 0, &to[n]), OK);
	}
	return n;
}

static inline unsigned fixture_ports(char *list, struct kube_port *to)
{
	unsigned n = 0;
	char *save = NULL;
	for (char *word = strtok_r(list, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		char *number = strchr(word, '/');
		if (number == NULL)
			break;
		*number++ = 0;
		to[n++] = (struct kube_port){ span_text(word), (uint16_t)strtoul(number, NULL, 10),
			                      strstr(number, "UDP") != NULL ? KUBE_UDP
			                      : strstr(number, "SCTP") != NULL ? KUBE_SCTP : KUBE_TCP };
	}
	return n;
}

static inline void fixture_endpoint(char *word, struct kube_endpoint *e, struct addr *a)
{
	char *save = NULL;
	*e = (struct kube_endpoint){ .addrs = a, .naddrs = 1, .ready = true };
	memset(a, 0, sizeof(*a));
	assert_int_equal(addr_parse(span_text(strtok_r(word, ",", &save)), 0, a), OK);
	for (char *more = strtok_r(NULL, ",", &save); more != NULL; more = strtok_r(NULL, ",", &save)) {
		if (more[0] == '!')
			e->ready = false;
		else if (more[0] == 'h')
			e->hostname = span_text(more + 2);
		else if (more[0] == 'p')
			e->pod = span_text(more + 2);
		else
			e->zone = span_text(more + 2);
	}
}

static inline void fixture_service(struct fixture_line *l, struct kube_object *o)
{
	o->headless = strcmp(l->words[3], "None") == 0;
	o->selected = true;
	if (strncmp(l->words[3], "ext:", 4) == 0)
		o->external_name = span_text(l->words[3] + 4);
	else if (!o->headless)
		o->naddrs = fixture_addrs(l->words[3], l->addrs);
	o->nports = l->n > 4 ? fixture_ports(l->words[4], l->ports) : 0;
	if (l->n > 5 && strncmp(l->words[5], "lb:", 3) == 0) {
		if (strspn(l->words[5] + 3, "0123456789.,:abcdef") == strlen(l->words[5] + 3))
			o->nexternal = fixture_addrs(l->words[5] + 3, l->out);
		else
			o->external_host = span_text(l->words[5] + 3);
	}
}

static inline void fixture_slice(struct fixture_line *l, struct kube_object *o)
{
	char *at = strchr(l->words[3], '@');
	o->service = span_text(l->words[3]);
	if (at != NULL) {
		o->service.n = (size_t)(at - l->words[3]);
		o->cluster = span_text(at + 1);
	}
	o->nports = fixture_ports(l->words[4], l->ports);
	o->endpoints = l->endpoints;
	for (unsigned i = 5; i < l->n; i++)
		fixture_endpoint(l->words[i], &l->endpoints[o->nendpoints++], &l->of_endpoints[i]);
}

static inline enum kube_kind fixture_kind(const char *word)
{
	return strcmp(word, "ns") == 0 ? KUBE_NAMESPACE : strcmp(word, "svc") == 0 ? KUBE_SERVICE
	       : strcmp(word, "import") == 0 ? KUBE_IMPORT : strcmp(word, "pod") == 0 ? KUBE_POD : KUBE_SLICE;
}

static inline void fixture_apply(struct cluster *c, const char *line, size_t n)
{
	static struct fixture_line l;
	char *save = NULL;
	snprintf(l.text, sizeof(l.text), "%.*s", (int)n, line);
	l.n = 0;
	for (char *word = strtok_r(l.text, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save))
		l.words[l.n++] = word;
	if (l.n == 0)
		return;
	if (strcmp(l.words[0], "del") == 0) {
		enum kube_kind kind = fixture_kind(l.words[1]);
		const char *ns = kind == KUBE_NAMESPACE ? "" : l.words[2];
		assert_int_equal(cluster_remove(c, kind, span_text(ns), span_text(l.words[l.n - 1])), OK);
		return;
	}
	struct kube_object o = { .kind = fixture_kind(l.words[0]), .addrs = l.addrs, .external = l.out,
		                 .ports = l.ports, .running = true };
	o.ns = o.kind == KUBE_NAMESPACE ? span_text("") : span_text(l.words[1]);
	o.name = span_text(l.words[o.kind == KUBE_NAMESPACE ? 1 : 2]);
	if (o.kind == KUBE_SERVICE || o.kind == KUBE_IMPORT)
		fixture_service(&l, &o);
	else if (o.kind == KUBE_SLICE)
		fixture_slice(&l, &o);
	else if (o.kind == KUBE_POD) {
		o.naddrs = fixture_addrs(l.words[3], l.addrs);
		o.running = l.n < 5 || strcmp(l.words[4], "done") != 0;
		o.on_host = l.n > 4 && strcmp(l.words[4], "host") == 0;
	}
	assert_int_equal(cluster_put(c, &o), OK);
}

/* Each line, and a commit. */
static inline void fixture_say(struct cluster *c, const char *text, int64_t wall)
{
	while (*text != 0) {
		size_t n = strcspn(text, "\n");
		fixture_apply(c, text, n);
		text += n + (text[n] == '\n');
	}
	cluster_commit(c, (struct wall){ wall, 0 });
}

/* All that is awaited has come. */
static inline void fixture_synced(struct cluster *c)
{
	for (unsigned kind = 0; kind < KUBE_KINDS; kind++) {
		cluster_relist_begin(c, kind);
		struct cluster_stat s = cluster_stat(c);
		assert_int_equal(s.objects[kind], 0);
		while (!cluster_relist_end(c, kind))
			;
	}
}

#endif
