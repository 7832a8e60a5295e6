/* coredns: the program under CoreDNS's name: its flags, as Go's flag package reads them, its lists and its banner. */
#include "app/coredns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/goflags.h"
#include "base/heap.h"
#include "conf/tables.h"

#define STDIN_MAX (16u << 20)            /* of a Corefile from a pipe */
#define STATUS_FATAL 1

#define DIRECTIVES_MAX 128u

enum { FLAG_CONF, FLAG_PORT, FLAG_P, FLAG_PIDFILE, FLAG_PLUGINS, FLAG_QUIET, FLAG_VERSION, FLAGS };

static const struct goflag flags[FLAGS] = {
	[FLAG_CONF] = { "conf", GOFLAG_TEXT, "Corefile to load (default \"Corefile\"); \"stdin\" reads a pipe" },
	[FLAG_PORT] = { "dns.port", GOFLAG_TEXT, "Default port (default \"53\")" },
	[FLAG_P] = { "p", GOFLAG_TEXT, "Default port (default \"53\")" },
	[FLAG_PIDFILE] = { "pidfile", GOFLAG_TEXT, "Path to write pid file" },
	[FLAG_PLUGINS] = { "plugins", GOFLAG_YES, "List installed plugins" },
	[FLAG_QUIET] = { "quiet", GOFLAG_YES, "Quiet mode (no initialization output)" },
	[FLAG_VERSION] = { "version", GOFLAG_YES, "Show version" },
};

static unsigned directive_add(const char **list, unsigned n, const struct settings *s)
{
	if (s->corefile.directive == NULL || n == DIRECTIVES_MAX)
		return n;
	list[n] = s->corefile.directive;
	return n + 1;
}

static unsigned directives(const char **list)
{
	unsigned n = 0;
	for (unsigned i = 0; i < ntables; i++)
		n = directive_add(list, n, tables[i]);
	for (unsigned i = 0; i < nplugins; i++)
		n = directive_add(list, n, &plugins[i]->settings);
	return n;
}

static int word_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The directives of a Corefile that are understood, each once. */
static int list_plugins(void)
{
	const char *words[DIRECTIVES_MAX];
	unsigned n = directives(words);
	qsort(words, n, sizeof(words[0]), word_cmp);
	puts("Server types:\n  dns\n\nCaddyfile loaders:\n  flag\n  default\n\nOther plugins:");
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || strcmp(words[i], words[i - 1]) != 0)
			printf("  dns.%s\n", words[i]);
	}
	return fflush(stdout) == 0 ? 0 : STATUS_FATAL;
}

/* As the original calls the machines that it is built for. */
#if defined(__x86_64__)
#define MACHINE "amd64"
#elif defined(__aarch64__)
#define MACHINE "arm64"
#else
#define MACHINE "other"
#endif

static void version_print(void)
{
	printf("CoreDNS-%s\nlinux/%s, signet %s\n", COREDNS_PARITY, MACHINE, SIGNET_VERSION);
}

static bool port_parse(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || port == 0 || port > 65535) {
		fprintf(stderr, "listen tcp: address tcp/%s: unknown port\n", text);
		return false;
	}
	*ret = (uint16_t)port;
	return true;
}

/* All that comes through the pipe; it lives as long as the program. */
static bool stdin_read(struct span *ret)
{
	uint8_t *text = heap_new(STDIN_MAX);
	size_t n = 0;
	ssize_t got = 1;
	while (got > 0 && n < STDIN_MAX) {
		got = read(STDIN_FILENO, text + n, STDIN_MAX - n);
		n += got > 0 ? (size_t)got : 0;
	}
	*ret = span_of(text, n);
	if (got == 0)
		return true;
	fprintf(stderr, "stdin: %s\n", got < 0 ? "cannot be read" : "more than a Corefile may be");
	return false;
}

int command_coredns(int argc, char **argv)
{
	if (node_cache_asked(argc, argv))    /* one image for both pod specifications */
		return command_node_cache(argc, argv);
	struct goflag_value g[FLAGS] = { 0 };
	struct run_flags f = { .ident = "coredns", .borrowed = true, .coredns = true, .no_pidfile = true };
	int status = goflags_take(flags, FLAGS, g, argc, argv);
	if (status >= 0)
		return status;
	if (g[FLAG_VERSION].yes) {
		version_print();
		return fflush(stdout) == 0 ? 0 : STATUS_FATAL;
	}
	if (g[FLAG_PLUGINS].yes)
		return list_plugins();
	const char *port = g[FLAG_P].text != NULL ? g[FLAG_P].text : g[FLAG_PORT].text;
	if (port != NULL && !port_parse(port, &f.corefile.dns_port))
		return STATUS_FATAL;
	f.conf = g[FLAG_CONF].text;
	f.quiet = g[FLAG_QUIET].yes;
	f.pidfile = g[FLAG_PIDFILE].text;
	if (f.conf != NULL && strcmp(f.conf, "stdin") == 0 && !stdin_read(&f.corefile.text))
		return STATUS_FATAL;
	return run_server(&f);
}

/* ---- the banner ---- */

static const char *scheme_of(enum listen_transport t)
{
	return t == TRANSPORT_TLS ? "tls://" : t == TRANSPORT_HTTPS ? "https://" : "";
}

static bool is_wild(const struct addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->ip, zero, addr_len(a)) == 0;
}

/* "tls://example.org.:853 on 127.0.0.1" */
static void zone_line(const struct listen *l, struct name zone, struct buf *to)
{
	buf_text(to, scheme_of(l->transport));
	name_text(zone, to);
	buf_printf(to, ":%u", l->addr.port);
	if (l->name == NULL && !is_wild(&l->addr)) {
		buf_text(to, " on ");
		addr_text(&l->addr, to);
	}
	buf_u8(to, '\n');
}

/* Both wildcards of a port are one. */
static bool is_second(const struct socket_conf *c, unsigned at)
{
	const struct listen *l = &c->listens[at];
	for (unsigned i = 0; i < at; i++) {
		const struct listen *o = &c->listens[i];
		if (is_wild(&l->addr) && is_wild(&o->addr) && l->name == NULL && o->name == NULL &&
		    o->addr.port == l->addr.port && o->transport == l->transport)
			return true;
	}
	return false;
}

static void site_lines(const struct socket_conf *c, unsigned site)
{
	char text[NAME_TEXT_MAX + ADDR_TEXT_MAX + 32];
	for (unsigned i = 0; i < c->nlistens; i++) {
		const struct listen *l = &c->listens[i];
		for (unsigned k = 0; k < l->nroutes && !is_second(c, i); k++) {
			struct buf b = buf_on(text, sizeof(text));
			if (l->routes[k].site != site)
				continue;
			zone_line(l, l->routes[k].zone, &b);
			fputs(buf_cstr(&b), stdout);
		}
	}
}

void coredns_zones(const struct model *m)
{
	for (unsigned i = 0; i < m->nsites; i++)
		site_lines(&m->listen, i);
	fflush(stdout);
}

void coredns_version(void)
{
	version_print();
	fflush(stdout);
}
