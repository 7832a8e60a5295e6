/* delv: signet verify under the name and with the flags of BIND's tool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/anchor_file.h"
#include "app/commands.h"
#include "app/delv_show.h"
#include "base/heap.h"
#include "io/clock.h"

#define ARENA_BYTES (64u << 20)
#define BIND_KEYS "/etc/bind/bind.keys"   /* read when no file is named, as delv does */
#define ROW_USUAL 56u            /* characters of hex and base64 in a row */
#define VERSION_TEXT "delv 9.18.49 (signet " SIGNET_VERSION ")\n"
#define ARPA_TEXT_MAX 80u

enum { EXIT_FINE, EXIT_FLAWED };

struct delving {
	struct servers servers;
	struct arena arena;
	struct anchors anchors;
	const char *name, *anchor_file, *root;
	uint16_t type;               /* 0: not said */
	uint16_t port;               /* 0: not said */
	uint8_t family;
	bool unjudged, fetches, steps, tcp, checking, version;
	struct delv_style style;
	uint8_t name_wire[NAME_MAX_BYTES];
	char arpa[ARPA_TEXT_MAX];
	struct question question;
};

static int usage(void)
{
	fputs("Usage:  delv [@server] {q-opt} {d-opt} [domain] [q-type] [q-class]\n"
	      "  q-opt: -4 -6 (only by IPv4, IPv6)      -a FILE (trust anchors)     -i (do not validate)\n"
	      "         -p PORT   -q NAME   -t TYPE     -x ADDRESS (its name)       -c IN\n"
	      "         -h (this)   -v (version)\n"
	      "  d-opt: +[no]all +[no]class +[no]comments +[no]crypto +[no]dnssec +[no]multiline +[no]rrcomments\n"
	      "         +[no]short +split=N +[no]trust +[no]ttl +[no]unknownformat: what is shown\n"
	      "         +[no]root[=NAME] (whose anchor), +[no]cd, +[no]tcp, +[no]rtrace +[no]mtrace +[no]vtrace\n"
	      "  +yaml, -b, -d and -m are not known here: signet verify --json, and its help, say more.\n", stderr);
	return EXIT_FLAWED;
}

static int complain(const char *what, const char *which)
{
	fprintf(stderr, "%s%s\n", what, which);
	return EXIT_FLAWED;
}

static int invalid(const char *arg)
{
	fprintf(stderr, "Invalid option: %s\n", arg);
	return usage();
}

/* ---- arguments ---- */

static int take_server(struct delving *d, const char *text)
{
	enum err e = servers_add(&d->servers, &d->arena, text);
	return e == OK ? EXIT_FINE : e == ERR_LIMIT ? complain("delv: too many servers at ", text) :
	       complain("delv: a server is told by its address here, not as ", text);
}

/* d.c.b.a.in-addr.arpa, or nibbles under ip6.arpa */
static int take_reverse(struct delving *d, const char *text)
{
	struct addr a;
	struct buf b = buf_on(d->arpa, sizeof(d->arpa));
	if (addr_parse(span_text(text), 0, &a) != OK)
		return complain("Invalid IP address ", text);
	if (a.family == ADDR_4)
		buf_printf(&b, "%u.%u.%u.%u.in-addr.arpa.", a.ip[3], a.ip[2], a.ip[1], a.ip[0]);
	for (unsigned i = 16; a.family == ADDR_6 && i-- > 0;)
		buf_printf(&b, "%x.%x.%s", a.ip[i] & 15u, a.ip[i] >> 4, i == 0 ? "ip6.arpa." : "");
	d->name = buf_cstr(&b);
	if (d->type == 0)
		d->type = RR_PTR;
	return EXIT_FINE;
}

static int take_class(const char *text)
{
	uint16_t class;
	if (class_from_text(span_text(text), &class) != OK)
		return complain("delv: unknown class ", text);
	if (class != CLASS_IN)
		fputs("delv: warning: ignoring non-IN query class\n", stderr);
	return EXIT_FINE;
}

static int take_port(struct delving *d, const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || v == 0 || v > 65535)
		return complain("delv: Couldn't parse port number ", text);
	d->port = (uint16_t)v;
	return EXIT_FINE;
}

static int take_valued(struct delving *d, char option, const char *value)
{
	switch (option) {
	case 'a':
		d->anchor_file = value;
		return EXIT_FINE;
	case 'c':
		return take_class(value);
	case 'p':
		return take_port(d, value);
	case 'q':
		d->name = value;
		return EXIT_FINE;
	case 't':
		return rrtype_from_text(span_text(value), &d->type) == OK ? EXIT_FINE :
		       complain("delv: unknown type ", value);
	default:
		return take_reverse(d, value);
	}
}

/* +WORD, +noWORD, +WORD=VALUE; a word may be cut short as long as it has two letters. */
static int take_word(struct delving *d, const char *arg)
{
	struct delv_style *s = &d->style;
	bool crypto = !s->no_crypto, dnssec = !s->no_dnssec, class = !s->no_class, ttl = !s->no_ttl;
	bool comments = !s->no_comments, trust = !s->no_trust, ignored;
	const struct { const char *word; bool *flag, *negated; } words[] = {
		{ "cd", &d->checking, NULL }, { "class", &class, &s->no_class }, { "comments", &ignored, NULL },
		{ "crypto", &crypto, &s->no_crypto }, { "dlv", &ignored, NULL },
		{ "dnssec", &dnssec, &s->no_dnssec }, { "mtrace", &d->steps, NULL },
		{ "multiline", &s->multiline, NULL }, { "rrcomments", &comments, &s->no_comments },
		{ "rtrace", &d->fetches, NULL }, { "short", &s->short_form, NULL }, { "tcp", &d->tcp, NULL },
		{ "trust", &trust, &s->no_trust }, { "ttl", &ttl, &s->no_ttl },
		{ "unknownformat", &s->unknown, NULL }, { "vtrace", &d->steps, NULL },
	};
	bool value = strncmp(arg + 1, "no", 2) != 0;
	const char *word = arg + (value ? 1 : 3);
	size_t n = strcspn(word, "=");
	if (strncmp(word, "all", n) == 0 && n == 3) {
		s->no_trust = s->no_comments = !value;
		return EXIT_FINE;
	}
	if (strncmp(word, "root", n) == 0 && n >= 2) {
		d->root = word[n] == '=' ? word + n + 1 : ".";
		d->unjudged |= !value;
		return EXIT_FINE;
	}
	if (strncmp(word, "split", n) == 0 && n >= 2) {
		s->split = value && word[n] == '=' ? (unsigned)strtoul(word + n + 1, NULL, 10) / 4 * 4 : 0;
		return EXIT_FINE;
	}
	for (size_t i = 0; i < COUNT(words) && word[n] == 0 && n >= 2; i++)
		if (strncmp(word, words[i].word, n) == 0) {
			*words[i].flag = value;
			if (words[i].negated != NULL)
				*words[i].negated = !value;
			return EXIT_FINE;
		}
	return invalid(arg);
}

/* One that is no option: a type, a class, or the name. */
static int take_free(struct delving *d, const char *arg)
{
	uint16_t number;
	if (rrtype_from_text(span_text(arg), &number) == OK) {
		if (d->type != 0)
			fputs("delv: warning: extra query type\n", stderr);
		d->type = number;
		return EXIT_FINE;
	}
	if (class_from_text(span_text(arg), &number) == OK)
		return take_class(arg);
	if (d->name == NULL)
		d->name = arg;
	return EXIT_FINE;
}

/* Letters without a value may stand together. *ret_value: this one wants the next argument. */
static int take_letters(struct delving *d, const char *arg, char *ret_valued)
{
	for (const char *at = arg + 1; *at != 0; at++) {
		if (strchr("acpqtx", *at) != NULL) {
			if (at[1] != 0)
				return take_valued(d, *at, at + 1);
			*ret_valued = *at;
			return EXIT_FINE;
		}
		if (*at == '4' || *at == '6')
			d->family = *at == '4' ? ADDR_4 : ADDR_6;
		else if (*at == 'i')
			d->unjudged = true;
		else if (*at == 'v')
			d->version = true;
		else
			return *at == 'h' ? usage() : invalid(arg);
	}
	return EXIT_FINE;
}

static int take_arguments(struct delving *d, int argc, char **argv)
{
	int status = EXIT_FINE;
	for (int i = 1; i < argc && status == EXIT_FINE; i++) {
		const char *arg = argv[i];
		char valued = 0;
		if (arg[0] == '@')
			status = take_server(d, arg + 1);
		else if (arg[0] == '+')
			status = take_word(d, arg);
		else if (arg[0] == '-' && arg[1] != 0)
			status = take_letters(d, arg, &valued);
		else
			status = take_free(d, arg);
		if (valued != 0 && i + 1 == argc)
			return invalid(arg);
		if (valued != 0)
			status = take_valued(d, valued, argv[++i]);
	}
	return status;
}

static int read_question(struct delving *d)
{
	struct question *q = &d->question;
	*q = (struct question){ .name = name_root, .class = CLASS_IN, .type = d->type };
	if (q->type == 0)
		q->type = d->name == NULL ? RR_NS : RR_A;
	if (d->name != NULL && name_from_text(span_text(d->name), NULL, d->name_wire, &q->name) != OK) {
		fprintf(stderr, ";; failed to convert QNAME %s: bad name\n", d->name);
		return EXIT_FLAWED;
	}
	if (q->type == RR_AXFR || q->type == RR_IXFR || q->type == RR_OPT || q->type == RR_RRSIG) {
		fputs("Transfers and signatures alone cannot be validated\n", stderr);
		return EXIT_FLAWED;
	}
	return EXIT_FINE;
}

/* The anchors of one name, out of the file or built in. */
static int read_anchors(struct delving *d)
{
	struct anchors all = { 0 };
	uint8_t store[NAME_MAX_BYTES];
	struct name root;
	if (d->unjudged)
		return EXIT_FINE;
	if (d->anchor_file != NULL && anchor_file_read(&d->arena, &all, d->anchor_file, NULL) < 0) {
		fprintf(stderr, "delv: Unable to read key file '%s'\n", d->anchor_file);
		return EXIT_FLAWED;
	}
	if (d->anchor_file == NULL && anchor_file_read(&d->arena, &all, BIND_KEYS, NULL) > 0)
		d->anchor_file = BIND_KEYS;
	if ((d->anchor_file == NULL || strcmp(d->anchor_file, BIND_KEYS) == 0) &&
	    anchors_add_root(&d->arena, &all) != OK)
		return EXIT_FLAWED;   /* a file of years ago must not end service */
	if (name_from_text(span_text(d->root), NULL, store, &root) != OK)
		return complain("delv: no name: ", d->root);
	for (unsigned i = 0; i < all.n; i++) {
		struct anchor *to;
		if (!name_eq(all.list[i]->trust.zone, root))
			continue;
		to = anchors_at(&d->arena, &d->anchors, root);
		if (to == NULL)
			return EXIT_FLAWED;
		*to = *all.list[i];
	}
	return d->anchors.n > 0 ? EXIT_FINE : complain("delv: No trusted keys were loaded", "");
}

static int choose_servers(struct delving *d)
{
	if (d->servers.n == 0)
		servers_default(&d->servers, &d->arena);
	for (unsigned i = 0; i < d->servers.n && d->port != 0; i++)
		d->servers.list[i].addr.port = d->port;
	return servers_choose(&d->servers, d->family) ? EXIT_FINE :
	       complain("delv: no server with an address of that family", "");
}

/* ---- proving ---- */

static void print(struct delving *d, struct proof *p)
{
	struct buf b = buf_on(heap_new(DELV_TEXT_MAX), DELV_TEXT_MAX);
	delv_failures(p, &b);
	fwrite(b.p, 1, b.n, stderr);
	b.n = 0;
	delv_answers(p, &d->style, &b);
	fwrite(b.p, 1, b.n, stdout);
	heap_free(b.p);
}

static void delve(struct delving *d, struct dial *dial)
{
	struct now now;
	struct proof *p = heap_new(sizeof(*p));
	clock_now(&now);
	p->arena = &d->arena;
	p->dial = dial;
	p->servers = &d->servers;
	p->anchors = d->anchors;
	p->conf = validate_usual;
	p->wall = (uint32_t)now.wall.sec;
	p->flags = FLAG_RD | (d->checking ? FLAG_CD : 0);
	p->unjudged = d->unjudged;
	p->trace = d->fetches || d->steps ? stderr : NULL;
	dial->ca_file = CA_FILE;
	dial->tcp = d->tcp;
	dial->steps = d->steps ? stderr : NULL;
	proof_make(p, &d->question);
	print(d, p);
	proof_fini(p);
	heap_free(p);
}

/* Whatever the answer is, the exit status is 0: as with the program whose name this is. */
static int delv_run(struct delving *d)
{
	int status = EXIT_FLAWED;
	struct dial *dial = heap_new(sizeof(*dial));
	if (dial_init(dial, &d->arena) == OK) {
		delve(d, dial);
		dial_fini(dial);
		status = EXIT_FINE;
	} else {
		fprintf(stderr, "delv: %s\n", dial->why);
	}
	heap_free(dial);
	return status;
}

int command_delv(int argc, char **argv)
{
	struct delving d = { .root = ".", .style = { .split = ROW_USUAL } };
	arena_init(&d.arena, ARENA_BYTES);
	int status = take_arguments(&d, argc, argv);
	if (status == EXIT_FINE && d.version) {
		fputs(VERSION_TEXT, stderr);
		arena_free(&d.arena);
		return EXIT_FINE;
	}
	if (status == EXIT_FINE)
		status = read_anchors(&d);
	if (status == EXIT_FINE)
		status = choose_servers(&d);
	if (status == EXIT_FINE)
		status = read_question(&d) == EXIT_FINE ? delv_run(&d) : EXIT_FINE;
	arena_free(&d.arena);
	return status;
}
