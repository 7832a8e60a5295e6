/* coredns: the program under CoreDNS's name: its flags, as Go's flag package reads them, its lists and its banner. */
#include "app/coredns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/heap.h"
#include "conf/tables.h"

#define STDIN_MAX (16u << 20)            /* of a Corefile from a pipe */
#define STATUS_FATAL 1
#define STATUS_USAGE 2

#define DIRECTIVES_MAX 128u

enum flag_kind { FLAG_TEXT, FLAG_YES };

struct flag {
	const char *name;
	enum flag_kind kind;
	const char *what;
};

enum { FLAG_CONF, FLAG_PORT, FLAG_P, FLAG_PIDFILE, FLAG_PLUGINS, FLAG_QUIET, FLAG_VERSION, FLAGS };

static const struct flag flags[FLAGS] = {
	[FLAG_CONF] = { "conf", FLAG_TEXT, "Corefile to load (default \"Corefile\"); \"stdin\" reads a pipe" },
	[FLAG_PORT] = { "dns.port", FLAG_TEXT, "Default port (default \"53\")" },
	[FLAG_P] = { "p", FLAG_TEXT, "Default port (default \"53\")" },
	[FLAG_PIDFILE] = { "pidfile", FLAG_TEXT, "Path to write pid file" },
	[FLAG_PLUGINS] = { "plugins", FLAG_YES, "List installed plugins" },
	[FLAG_QUIET] = { "quiet", FLAG_YES, "Quiet mode (no initialization output)" },
	[FLAG_VERSION] = { "version", FLAG_YES, "Show version" },
};

struct given {
	const char *text[FLAGS];
	bool yes[FLAGS];
};

static int usage(int status)
{
	FILE *to = stderr;
	fputs("Usage of coredns:\n", to);
	for (unsigned i = 0; i < FLAGS; i++)
		fprintf(to, "  -%s%s\n    \t%s\n", flags[i].name, flags[i].kind == FLAG_TEXT ? " string" : "",
		        flags[i].what);
	return status;
}

/* "-name", "--name", either with "=value". returns the flag's number, FLAGS: there is none of that name */
static unsigned flag_find(const char *word, const char **ret_value)
{
	word += word[1] == '-' ? 2 : 1;
	size_t n = strcspn(word, "=");
	*ret_value = word[n] == '=' ? word + n + 1 : NULL;
	for (unsigned i = 0; i < FLAGS; i++) {
		if (strlen(flags[i].name) == n && strncmp(flags[i].name, word, n) == 0)
			return i;
	}
	return FLAGS;
}

static bool yes_parse(const char *text, bool *ret)
{
	static const char *const words[][2] = { { "true", "false" }, { "1", "0" }, { "t", "f" }, { "T", "F" },
		                                { "TRUE", "FALSE" }, { "True", "False" } };
	for (unsigned i = 0; i < COUNT(words); i++) {
		for (unsigned k = 0; k < 2; k++) {
			if (strcmp(words[i][k], text) == 0) {
				*ret = k == 0;
				return true;
			}
		}
	}
	return false;
}

/* One word of the command line and what belongs to it. returns the status to end with, -1: go on */
static int flag_take(struct given *g, int argc, char **argv, int *at)
{
	const char *value, *word = argv[(*at)++];
	if (strcmp(word, "-h") == 0 || strcmp(word, "-help") == 0 || strcmp(word, "--help") == 0)
		return usage(0);
	unsigned f = flag_find(word, &value);
	if (f == FLAGS) {
		fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)strcspn(word + 1, "="),
		        word + (word[1] == '-' ? 2 : 1));
		return usage(STATUS_USAGE);
	}
	if (flags[f].kind == FLAG_YES) {
		g->yes[f] = true;
		if (value == NULL || yes_parse(value, &g->yes[f]))
			return -1;
		fprintf(stderr, "invalid boolean value \"%s\" for -%s: parse error\n", value, flags[f].name);
		return usage(STATUS_USAGE);
	}
	if (value == NULL && *at == argc) {
		fprintf(stderr, "flag needs an argument: -%s\n", flags[f].name);
		return usage(STATUS_USAGE);
	}
	g->text[f] = value != NULL ? value : argv[(*at)++];
	return -1;
}

static int flags_take(struct given *g, int argc, char **argv)
{
	int at = 1, status = -1;
	bool over = false;
	while (status < 0 && !over && at < argc && argv[at][0] == '-' && argv[at][1] != 0) {
		over = strcmp(argv[at], "--") == 0;
		if (over)
			at++;
		else
			status = flag_take(g, argc, argv, &at);
	}
	if (status >= 0 || at == argc)
		return status;
	fputs("extra command line arguments: [", stderr);
	for (int i = at; i < argc; i++)
		fprintf(stderr, "%s%s", i > at ? " " : "", argv[i]);
	fputs("]\n", stderr);
	return STATUS_FATAL;
}

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

static void version_print(void)
{
	printf("CoreDNS-%s\nlinux/amd64, signet %s\n", COREDNS_PARITY, SIGNET_VERSION);
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
	struct given g = { 0 };
	struct run_flags f = { .ident = "coredns", .borrowed = true, .coredns = true, .no_pidfile = true };
	int status = flags_take(&g, argc, argv);
	if (status >= 0)
		return status;
	if (g.yes[FLAG_VERSION]) {
		version_print();
		return fflush(stdout) == 0 ? 0 : STATUS_FATAL;
	}
	if (g.yes[FLAG_PLUGINS])
		return list_plugins();
	const char *port = g.text[FLAG_P] != NULL ? g.text[FLAG_P] : g.text[FLAG_PORT];
	if (port != NULL && !port_parse(port, &f.corefile.dns_port))
		return STATUS_FATAL;
	f.conf = g.text[FLAG_CONF];
	f.quiet = g.yes[FLAG_QUIET];
	f.pidfile = g.text[FLAG_PIDFILE];
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
