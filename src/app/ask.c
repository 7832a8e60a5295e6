/* signet ask: put a question to a server and show what it says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "app/servers.h"
#include "app/show.h"
#include "base/heap.h"

#define ARENA_BYTES (16u << 20)

enum { EXIT_YES, EXIT_NO, EXIT_USAGE, EXIT_WORLD };

struct asking {
	struct servers servers;
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

static int server_add(struct asking *a, const char *text)
{
	enum err e = servers_add(&a->servers, &a->arena, text);
	return e == OK ? EXIT_YES :
	       e == ERR_LIMIT ? complain("too many servers at", text, "at most 8") :
	       complain("cannot read server", text, "ADDRESS[@PORT][#TLSNAME]");
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
	for (unsigned i = 0; i < a->servers.n; i++) {
		const struct dial_server *s = &a->servers.list[i];
		uint8_t bytes[DIAL_QUERY_MAX];
		char text[ADDR_TEXT_MAX + 8];
		struct buf b = buf_on(bytes, sizeof(bytes)), where = buf_on(text, sizeof(text));
		struct span query = dial_query(d, s, &a->question, FLAG_RD | FLAG_AD, &b);
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
	if (status == EXIT_YES && a.servers.n == 0)
		servers_default(&a.servers, &a.arena);
	if (status == EXIT_YES && !servers_choose(&a.servers, a.family)) {
		fprintf(stderr, "signet ask: no server with an IPv%u address; expected one, by --server\n", a.family);
		status = EXIT_USAGE;
	}
	if (status == EXIT_YES)
		status = ask_run(&a);
	arena_free(&a.arena);
	return status;
}
