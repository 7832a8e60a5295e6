/* signet verify: is this answer proved? Asks servers, proves by itself, shows the chain and where it broke. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/anchor_file.h"
#include "app/commands.h"
#include "app/proof_show.h"
#include "base/heap.h"
#include "io/clock.h"

#define ARENA_BYTES (64u << 20)
#define STAMP_DIGITS 14u         /* YYYYMMDDHHMMSS */

enum { EXIT_YES, EXIT_NO, EXIT_USAGE, EXIT_WORLD };

struct verifying {
	struct servers servers;
	struct arena arena;
	struct anchors anchors;
	const char *name, *type, *ca_file;
	bool json, quiet, trace, tcp, require_secure, no_builtin;
	uint8_t family;
	uint32_t wall;               /* 0: now */
	uint8_t name_wire[NAME_MAX_BYTES];
	struct question question;
};

static int usage(FILE *to)
{
	fprintf(to,
	        "usage: signet verify NAME [TYPE] [options]\n"
	        "  Proves the records of NAME, or that there are none, from a trust anchor down, and shows each link\n"
	        "  of the chain: DS as TAG/ALGORITHM/DIGEST, keys as TAG/ALGORITHM with a star where the DS names\n"
	        "  them, which key signed, and for how many days still. TYPE is A if it is not given.\n"
	        "  --server SERVER     ADDRESS[@PORT][#TLSNAME]; with #TLSNAME or port 853 over TLS, and the server\n"
	        "                      must prove that name; may be repeated; default: those of " RESOLV_CONF "\n"
	        "  --anchor FILE       DS and DNSKEY records, or BIND's trust-anchors; joins the built-in root keys\n"
	        "  --no-builtin-anchors  only those of --anchor\n"
	        "  --date YYYYMMDDHHMMSS  judge as if it were then (UTC)\n"
	        "  --require-secure    unsigned is no, too\n"
	        "  --ca FILE           certificates of the authorities to believe; default: " CA_FILE "\n"
	        "  +trace              tell what is asked\n"
	        "  +tcp                do not ask over UDP\n"
	        "  --json              one line of JSON instead of text\n"
	        "  --quiet             print nothing; the exit status says it\n"
	        "  -4, -6              only ask servers by IPv4, by IPv6\n"
	        "  exit status: 0 proved, or proved to be unsigned, 1 bogus, 2 wrong usage, 3 could not tell\n"
	        "  example: signet verify --server 9.9.9.9#dns.quad9.net example.com AAAA\n");
	return to == stdout ? EXIT_YES : EXIT_USAGE;
}

static int complain(const char *what, const char *which, const char *expected)
{
	fprintf(stderr, "signet verify: %s '%s'; expected %s\n", what, which, expected);
	return EXIT_USAGE;
}

/* ---- arguments ---- */

static int take_date(struct verifying *a, const char *text)
{
	struct tm tm = { 0 };
	const char *end = strlen(text) == STAMP_DIGITS ? strptime(text, "%Y%m%d%H%M%S", &tm) : NULL;
	if (end == NULL || *end != 0)
		return complain("cannot read date", text, "YYYYMMDDHHMMSS");
	a->wall = (uint32_t)timegm(&tm);   /* modulo 2^32, as signatures count (RFC4034 3.1.5) */
	return EXIT_YES;
}

static int take_valued(struct verifying *a, const char *option, const char *value)
{
	if (strcmp(option, "--server") == 0) {
		enum err e = servers_add(&a->servers, &a->arena, value);
		return e == OK ? EXIT_YES :
		       e == ERR_LIMIT ? complain("too many servers at", value, "at most 8") :
		       complain("cannot read server", value, "ADDRESS[@PORT][#TLSNAME]");
	}
	if (strcmp(option, "--anchor") == 0)
		return anchor_file_read(&a->arena, &a->anchors, value, stderr) > 0 ? EXIT_YES :
		       complain("no trust anchor in", value, "DS or DNSKEY records, or BIND's trust-anchors");
	if (strcmp(option, "--date") == 0)
		return take_date(a, value);
	a->ca_file = value;
	return EXIT_YES;
}

static int take_flag(struct verifying *a, const char *arg)
{
	const struct { const char *word; bool *flag; } flags[] = {
		{ "--json", &a->json }, { "--quiet", &a->quiet }, { "+trace", &a->trace }, { "+tcp", &a->tcp },
		{ "--require-secure", &a->require_secure }, { "--no-builtin-anchors", &a->no_builtin },
	};
	for (size_t i = 0; i < COUNT(flags); i++)
		if (strcmp(arg, flags[i].word) == 0) {
			*flags[i].flag = true;
			return EXIT_YES;
		}
	if (strcmp(arg, "-4") != 0 && strcmp(arg, "-6") != 0)
		return complain("unknown option", arg, "one of those that 'signet verify --help' lists");
	a->family = arg[1] == '4' ? ADDR_4 : ADDR_6;
	return EXIT_YES;
}

static int take_word(struct verifying *a, const char *arg)
{
	const char **at = a->name == NULL ? &a->name : a->type == NULL ? &a->type : NULL;
	if (at == NULL)
		return complain("one word too many:", arg, "NAME [TYPE]");
	*at = arg;
	return EXIT_YES;
}

static int take_arguments(struct verifying *a, int argc, char **argv)
{
	static const char *const valued[] = { "--server", "--anchor", "--date", "--ca" };
	int status = EXIT_YES;
	for (int i = 1; i < argc && status == EXIT_YES; i++) {
		const char *arg = argv[i];
		bool has_value = false;
		for (size_t k = 0; k < COUNT(valued); k++)
			has_value |= strcmp(arg, valued[k]) == 0;
		if (has_value && i + 1 == argc)
			return complain("nothing behind", arg, "a value");
		if (has_value)
			status = take_valued(a, arg, argv[++i]);
		else if (arg[0] == '@')
			status = take_valued(a, "--server", arg + 1);
		else if ((arg[0] == '-' || arg[0] == '+') && arg[1] != 0)
			status = take_flag(a, arg);
		else
			status = take_word(a, arg);
	}
	return status;
}

static int read_question(struct verifying *a)
{
	struct question *q = &a->question;
	*q = (struct question){ .type = RR_A, .class = CLASS_IN };
	if (a->name == NULL)
		return usage(stderr);
	if (name_from_text(span_text(a->name), NULL, a->name_wire, &q->name) != OK)
		return complain("cannot read name", a->name, "a domain name such as example.com");
	if (a->type != NULL && rrtype_from_text(span_text(a->type), &q->type) != OK)
		return complain("unknown type", a->type, "a type such as AAAA or TYPE65");
	if (rrtype_is_meta(q->type) || q->type == RR_RRSIG)
		return complain("nothing proves", a->type, "a type of records that are signed");
	return EXIT_YES;
}

static int prepare(struct verifying *a)
{
	if (!a->no_builtin && anchors_add_root(&a->arena, &a->anchors) != OK)
		return complain("no room beside the keys of", ".", "at most 6 of its DS in --anchor");
	if (a->servers.n == 0)
		servers_default(&a->servers, &a->arena);
	if (!servers_choose(&a->servers, a->family)) {
		fprintf(stderr, "signet verify: no server with an IPv%u address; expected one, by --server\n",
		        a->family);
		return EXIT_USAGE;
	}
	return EXIT_YES;
}

/* ---- proving ---- */

static int status_of(const struct verifying *a, const struct proof *p)
{
	switch (p->ruling.security) {
	case SECURITY_SECURE:
		return EXIT_YES;
	case SECURITY_INSECURE:
		return a->require_secure ? EXIT_NO : EXIT_YES;
	case SECURITY_BOGUS:
		return EXIT_NO;
	case SECURITY_INDETERMINATE: case SECURITY_UNCHECKED:
		break;
	}
	return EXIT_WORLD;
}

static void print(const struct verifying *a, struct proof *p)
{
	struct buf b = buf_on(heap_new(PROOF_TEXT_MAX), PROOF_TEXT_MAX);
	if (a->json)
		proof_json(p, &a->question, &b);
	else
		proof_text(p, &a->question, &b);
	fwrite(b.p, 1, b.n, stdout);
	heap_free(b.p);
}

static int prove(struct verifying *a, struct dial *d)
{
	struct now now;
	struct proof *p = heap_new(sizeof(*p));
	clock_now(&now);
	p->arena = &a->arena;
	p->dial = d;
	p->servers = &a->servers;
	p->anchors = a->anchors;
	p->conf = validate_usual;
	p->wall = a->wall != 0 ? a->wall : (uint32_t)now.wall.sec;
	p->flags = FLAG_RD | FLAG_CD;   /* what a resolver holds back as bogus is what we want to see */
	p->trace = a->trace ? stderr : NULL;
	d->ca_file = a->ca_file;
	d->tcp = a->tcp;
	proof_make(p, &a->question);
	if (!a->quiet)
		print(a, p);
	int status = status_of(a, p);
	proof_fini(p);
	heap_free(p);
	return status;
}

static int verify_run(struct verifying *a)
{
	int status = EXIT_WORLD;
	struct dial *d = heap_new(sizeof(*d));
	if (dial_init(d, &a->arena) == OK) {
		status = prove(a, d);
		dial_fini(d);
	} else {
		fprintf(stderr, "signet verify: %s\n", d->why);
	}
	heap_free(d);
	return status;
}

int command_verify(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage(stdout);
	struct verifying a = { .ca_file = CA_FILE };
	arena_init(&a.arena, ARENA_BYTES);
	int status = take_arguments(&a, argc, argv);
	if (status == EXIT_YES)
		status = read_question(&a);
	if (status == EXIT_YES)
		status = prepare(&a);
	if (status == EXIT_YES)
		status = verify_run(&a);
	arena_free(&a.arena);
	return status;
}
