/* signet ask: put a question to a server and show what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/dial.h"
#include "app/show.h"
#include "base/heap.h"
#include "io/file.h"

#define SERVERS_MAX 8u
#define ARENA_BYTES (16u << 20)
#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536u
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define UDP_BYTES 1232u          /* taken in one datagram */
#define PAD_BLOCK 128u           /* of questions over TLS (RFC8467 4.1) */
#define QUERY_BYTES 1024u
#define PORT_TLS 853u

enum { EXIT_YES, EXIT_NO, EXIT_USAGE, EXIT_WORLD };

struct asking {
	struct dial_server servers[SERVERS_MAX];
	unsigned nservers;
	const char *name, *type, *class, *ca_file;
	bool trace, tcp, json, quiet;
	uint8_t family;              /* ADDR_NONE: any */
	struct arena arena;
	uint8_t name_wire[NAME_MAX_BYTES];
	struct question question;
};

static int usage(FILE *to)
{
	fprintf(to,
	        "usage: signet ask [@SERVER] NAME [TYPE [CLASS]] [+trace] [+tcp] [options]\n"
	        "  Puts a question to a server and shows the answer. TYPE is A if it is not given.\n"
	        "  SERVER              ADDRESS[@PORT][#TLSNAME]; with #TLSNAME or port 853 over TLS, and the server\n"
	        "                      must prove that name (or its address); default: those of " RESOLV_CONF "\n"
	        "  --server SERVER     the same; may be repeated: the next is asked when one does not answer\n"
	        "  --ca FILE           certificates of the authorities to believe; default: " CA_FILE "\n"
	        "  +trace              tell every step and when it happened\n"
	        "  +tcp                do not ask over UDP\n"
	        "  --json              one line of JSON instead of text\n"
	        "  --quiet             print nothing; the exit status says it\n"
	        "  -4, -6              only ask servers by IPv4, by IPv6\n"
	        "  exit status: 0 there are such records, 1 there are none, 2 wrong usage, 3 no answer, or one that\n"
	        "  says that the server failed\n"
	        "  example: signet ask --server 9.9.9.9#dns.quad9.net example.com AAAA +trace\n");
	return to == stdout ? EXIT_YES : EXIT_USAGE;
}

static int complain(const char *what, const char *which, const char *expected)
{
	fprintf(stderr, "signet ask: %s '%s'; expected %s\n", what, which, expected);
	return EXIT_USAGE;
}

/* ---- servers ---- */

/* ADDRESS[@PORT][#TLSNAME] */
static bool server_parse(struct asking *a, const char *text, struct dial_server *ret)
{
	struct span s = span_text(text);
	const char *hash = strchr(text, '#');
	uint32_t port = 0;
	*ret = (struct dial_server){ 0 };
	if (hash != NULL) {
		s.n = (size_t)(hash - text);
		ret->tls_name = hash + 1;
		ret->tls = true;
	}
	const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	if (at != NULL) {
		struct span digits = span_from(s, (size_t)(at - s.p) + 1);
		if (digits.n == 0 || digits.n > 5)
			return false;
		for (size_t i = 0; i < digits.n; i++) {
			if (digits.p[i] < '0' || digits.p[i] > '9')
				return false;
			port = port * 10 + (digits.p[i] - '0');
		}
		if (port == 0 || port > 65535)
			return false;
		s.n = (size_t)(at - s.p);
	}
	ret->tls |= port == PORT_TLS;
	if (port == 0)
		port = ret->tls ? PORT_TLS : 53;
	if (addr_parse(s, (uint16_t)port, &ret->addr) != OK)
		return false;
	if (ret->tls && (ret->tls_name == NULL || *ret->tls_name == 0)) {
		char *name = arena_alloc(&a->arena, ADDR_TEXT_MAX);
		if (name == NULL)
			return false;
		struct buf b = buf_on(name, ADDR_TEXT_MAX);
		addr_text(&ret->addr, &b);
		ret->tls_name = buf_cstr(&b);
	}
	return true;
}

static int server_add(struct asking *a, const char *text)
{
	if (a->nservers == SERVERS_MAX)
		return complain("too many servers at", text, "at most 8");
	if (!server_parse(a, text, &a->servers[a->nservers]))
		return complain("cannot read server", text, "ADDRESS[@PORT][#TLSNAME]");
	a->nservers++;
	return EXIT_YES;
}

/* The lines "nameserver ADDRESS"; what else may stand there is not for us. */
static void servers_default(struct asking *a)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	struct span file;
	if (file_read(RESOLV_CONF, RESOLV_CONF_MAX, &a->arena, &file, &why) != OK)
		file.n = 0;
	const char *at = (const char *)file.p;
	for (size_t left = file.n; left > 0 && a->nservers < SERVERS_MAX;) {
		size_t line = strcspn(at, "\n"), word = strspn(at, " \t");
		if (strncmp(at + word, "nameserver", 10) == 0) {
			size_t from = word + 10 + strspn(at + word + 10, " \t");
			size_t n = strcspn(at + from, " \t\r\n#;");
			struct dial_server s = { 0 };
			if (addr_parse(span_of(at + from, n), 53, &s.addr) == OK)
				a->servers[a->nservers++] = s;
		}
		line += line < left;
		at += line;
		left -= MIN(line, left);
	}
	if (a->nservers == 0)
		a->servers[a->nservers++] = (struct dial_server){ .addr = { .family = ADDR_4, .port = 53,
		                                                            .ip = { 127, 0, 0, 1 } } };
}

/* returns whether one is left */
static bool servers_choose(struct asking *a)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < a->nservers; i++)
		if (a->family == ADDR_NONE || a->servers[i].addr.family == a->family)
			a->servers[kept++] = a->servers[i];
	a->nservers = kept;
	return kept > 0;
}

/* ---- arguments ---- */

static int take_flag(struct asking *a, const char *arg)
{
	if (strcmp(arg, "+trace") == 0)
		a->trace = true;
	else if (strcmp(arg, "+tcp") == 0)
		a->tcp = true;
	else if (strcmp(arg, "--json") == 0)
		a->json = true;
	else if (strcmp(arg, "--quiet") == 0)
		a->quiet = true;
	else if (strcmp(arg, "-4") == 0)
		a->family = ADDR_4;
	else if (strcmp(arg, "-6") == 0)
		a->family = ADDR_6;
	else
		return complain("unknown option", arg, "one of those that 'signet ask --help' lists");
	return EXIT_YES;
}

static int take_word(struct asking *a, const char *arg)
{
	const char **at = a->name == NULL ? &a->name : a->type == NULL ? &a->type : a->class == NULL ? &a->class : NULL;
	if (at == NULL)
		return complain("one word too many:", arg, "NAME [TYPE [CLASS]]");
	*at = arg;
	return EXIT_YES;
}

static int take_arguments(struct asking *a, int argc, char **argv)
{
	int status = EXIT_YES;
	for (int i = 1; i < argc && status == EXIT_YES; i++) {
		const char *arg = argv[i];
		bool valued = strcmp(arg, "--server") == 0 || strcmp(arg, "--ca") == 0;
		if (valued && i + 1 == argc)
			return complain("nothing behind", arg, "a value");
		if (strcmp(arg, "--server") == 0)
			status = server_add(a, argv[++i]);
		else if (strcmp(arg, "--ca") == 0)
			a->ca_file = argv[++i];
		else if (arg[0] == '@')
			status = server_add(a, arg + 1);
		else if ((arg[0] == '-' || arg[0] == '+') && arg[1] != 0)
			status = take_flag(a, arg);
		else
			status = take_word(a, arg);
	}
	return status;
}

static int read_question(struct asking *a)
{
	struct question *q = &a->question;
	*q = (struct question){ .type = RR_A, .class = CLASS_IN };
	if (a->name == NULL)
		return usage(stderr);
	if (name_from_text(span_text(a->name), NULL, a->name_wire, &q->name) != OK)
		return complain("cannot read name", a->name, "a domain name such as example.com");
	if (a->type != NULL && rrtype_from_text(span_text(a->type), &q->type) != OK)
		return complain("unknown type", a->type, "a type such as AAAA or TYPE65");
	if (a->class != NULL && class_from_text(span_text(a->class), &q->class) != OK)
		return complain("unknown class", a->class, "IN or CH");
	if (q->type == RR_AXFR || q->type == RR_IXFR || q->type == RR_OPT)
		return complain("cannot ask for", a->type, "a type of records; zones are not transferred");
	return EXIT_YES;
}

/* ---- asking ---- */

static struct span query_make(const struct asking *a, struct dial *d, bool pad, struct buf *b)
{
	struct msg_writer w;
	msg_begin(&w, b, (uint16_t)rng_u64(&d->rng), FLAG_RD | FLAG_AD);
	msg_question(&w, &a->question);
	size_t at = edns_begin(b, UDP_BYTES, 0, true);
	if (pad)
		edns_pad(b, PAD_BLOCK);
	edns_end(b, at);
	msg_opt_counted(&w);
	msg_end(&w);
	return buf_span(b);
}

static int status_of(const struct msg *m, const struct question *q)
{
	size_t n;
	const struct rr *rrs = msg_section(m, SEC_ANSWER, &n);
	if (m->rcode != RCODE_NOERROR && m->rcode != RCODE_NXDOMAIN)
		return EXIT_WORLD;
	for (size_t i = 0; m->rcode == RCODE_NOERROR && i < n; i++)
		if (rrs[i].type == q->type || q->type == RR_ANY)
			return EXIT_YES;
	return EXIT_NO;
}

static int print_answer(const struct asking *a, const struct dial_server *s, const struct dialled *got)
{
	if (!a->quiet) {
		struct show_source from = { &s->addr, got->over, got->took_us };
		struct buf b = buf_on(heap_new(SHOW_TEXT_MAX), SHOW_TEXT_MAX);
		if (a->json)
			show_json(&got->msg, &from, &b);
		else
			show_text(&got->msg, &from, &b);
		fwrite(b.p, 1, b.n, stdout);
		heap_free(b.p);
	}
	return status_of(&got->msg, &a->question);
}

static int ask_all(struct asking *a, struct dial *d)
{
	for (unsigned i = 0; i < a->nservers; i++) {
		const struct dial_server *s = &a->servers[i];
		uint8_t bytes[QUERY_BYTES];
		char text[ADDR_TEXT_MAX + 8];
		struct buf b = buf_on(bytes, sizeof(bytes)), where = buf_on(text, sizeof(text));
		struct span query = query_make(a, d, s->tls, &b);
		struct dialled got = { .over = "" };
		if (dial_ask(d, s, &a->question, query, &got) == OK)
			return print_answer(a, s, &got);
		addr_port_text(&s->addr, &where);
		fprintf(stderr, "signet ask: no answer from %s: %s\n", buf_cstr(&where), d->why);
	}
	return EXIT_WORLD;
}

static int ask_run(struct asking *a)
{
	int status = EXIT_WORLD;
	struct dial *d = heap_new(sizeof(*d));
	if (dial_init(d, &a->arena) == OK) {
		d->ca_file = a->ca_file;
		d->tcp = a->tcp;
		d->steps = !a->trace ? NULL : a->json || a->quiet ? stderr : stdout;
		status = ask_all(a, d);
		dial_fini(d);
	} else {
		fprintf(stderr, "signet ask: %s\n", d->why);
	}
	heap_free(d);
	return status;
}

int command_ask(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage(stdout);
	struct asking a = { .ca_file = CA_FILE };
	arena_init(&a.arena, ARENA_BYTES);
	int status = take_arguments(&a, argc, argv);
	if (status == EXIT_YES)
		status = read_question(&a);
	if (status == EXIT_YES && a.nservers == 0)
		servers_default(&a);
	if (status == EXIT_YES && !servers_choose(&a)) {
		fprintf(stderr, "signet ask: no server with an IPv%u address; expected one, by --server\n", a.family);
		status = EXIT_USAGE;
	}
	if (status == EXIT_YES)
		status = ask_run(&a);
	arena_free(&a.arena);
	return status;
}
