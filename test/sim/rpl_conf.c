#include "sim/rpl_reader.h"

struct span rpl_conf_value(const struct rpl *r, const char *key)
{
	struct span found = { 0 };
	for (const char *at = r->conf; at != NULL && *at != 0;) {
		const char *end = strchr(at, '\n');
		struct span line = span_trim(span_of(at, end == NULL ? strlen(at) : (size_t)(end - at)), BLANKS);
		line = reader_before(line, "#");
		if (reader_starts(line, key) && line.n > strlen(key) && line.p[strlen(key)] == ':') {
			found = span_trim(span_from(line, strlen(key) + 1), BLANKS);
			if (found.n >= 2 && found.p[0] == '"')
				found = span_of(found.p + 1, found.n - 2);
		}
		at = end == NULL ? NULL : end + 1;
	}
	return found;
}

/* What a program's place on its machine is does not matter here. */
static bool is_place(struct span line)
{
	static const char *const keys[] = { "interface:", "port:", "do-daemonize:", "logfile:", "pidfile:", "chroot:",
		"username:", "interface :" };
	for (unsigned i = 0; i < COUNT(keys); i++)
		if (reader_starts(line, keys[i]))
			return true;
	return false;
}

/* What Unbound needed to play the file stays in it as a comment. One line matters: its signatures are SHA-1. */
static void conf_deckard_comment(struct reader *r)
{
	struct span line = span_trim(r->line, BLANKS);
	if (line.n > 1 && line.p[0] == ';' && reader_starts(span_trim(span_from(line, 1), BLANKS), "fake-sha1: yes"))
		buf_text(&r->conf, "\tfake-sha1: yes\n");
}

static void conf_deckard_line(struct reader *r, struct buf *root)
{
	struct span line = reader_before(r->line, "#;");
	conf_deckard_comment(r);
	const uint8_t *colon = line.n == 0 ? NULL : memchr(line.p, ':', line.n);
	if (colon == NULL)
		return;
	struct span key = span_trim(span_of(line.p, (size_t)(colon - line.p)), BLANKS);
	struct span value = span_trim(span_from(line, key.n + 1), BLANKS);
	if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\''))
		value = span_of(value.p + 1, value.n - 2);
	const char *name = arena_text(r->arena, key), *text = arena_text(r->arena, value);
	bool yes = reader_is_word(value, "yes") || reader_is_word(value, "true") ||
	           reader_is_word(value, "on") || reader_is_word(value, "1");
	if (name == NULL || text == NULL)
		return;
	if (span_is(key, "stub-addr"))
		buf_printf(root, "stub-zone:\n\tname: \".\"\n\tstub-addr: %s\n", text);
	else if (span_is(key, "forward-addr"))
		buf_printf(root, "forward-zone:\n\tname: \".\"\n\tforward-addr: %s\n", text);
	else if (span_is(key, "query-minimization"))
		buf_printf(&r->conf, "\tqname-minimisation: %s\n", yes ? "yes" : "no");
	else if (span_is(key, "trust-anchor") || span_is(key, "domain-insecure") || span_is(key, "val-override-date"))
		buf_printf(&r->conf, "\t%s: \"%s\"\n", name, text);
	else if (span_is(key, "do-ip4") || span_is(key, "do-ip6") || span_is(key, "harden-glue") ||
	         span_is(key, "do-not-query-localhost"))
		buf_printf(&r->conf, "\t%s: %s\n", name, yes ? "yes" : "no");
	else if (span_is(key, "val-override-timestamp"))
		buf_printf(&r->conf, "\tval-override-date: \"%s\"\n", text);
	else if (!span_is(key, "stub-name") && !span_is(key, "force-ipv6"))
		reader_wrong(r, RPL_NOT_PLAYED, "a configuration of another program:", key);
}

static const char deckard_head[] =
	"server:\n\ttrust-anchor-signaling: no\n\ttarget-fetch-policy: \"0 0 0 0 0\"\n\tedns-buffer-size: 4096\n"
	"\tmax-udp-size: 4096\n\tminimal-responses: no\n\tunblock-lan-zones: yes\n"
	"\taccess-control: 0.0.0.0/0 allow_snoop\n\taccess-control: ::0/0 allow_snoop\n"
	"\tlocal-zone: test. nodefault\n\tlocal-zone: localhost. nodefault\n\tlocal-zone: 127.in-addr.arpa. nodefault\n"
	"\tlocal-zone: onion. nodefault\n\tval-log-level: 2\n";

/* Deckard's keys are flat, testbound's stand in clauses. Leaves the reader where it was. */
static bool looks_deckard(struct reader *r)
{
	static const char *const clauses[] = { "server:", "stub-zone:", "forward-zone:", "auth-zone:", "rpz:", "view:",
		"cachedb:", "remote-control:", "python:" };
	struct reader ahead = *r;
	bool any = false;
	while (reader_line(&ahead) && !reader_starts(ahead.line, "CONFIG_END")) {
		struct span line = reader_before(ahead.line, "#");
		if (line.n == 0 || line.p[0] == ';')
			continue;
		any = true;
		for (unsigned i = 0; i < COUNT(clauses); i++)
			if (reader_starts(line, clauses[i]))
				return false;
		if (reader_starts(line, "AUTOTRUST_FILE") || reader_starts(line, "TEMPFILE"))
			return false;
	}
	return any;
}

/* AUTOTRUST_FILE NAME, up to AUTOTRUST_END. */
static void read_autotrust(struct reader *r, struct rpl *to)
{
	struct rpl_file *f = ARENA_NEW(r->arena, struct rpl_file);
	struct span rest = r->line;
	size_t from = r->at, end = r->at;
	reader_word(&rest);
	while (reader_line(r) && !reader_starts(r->line, "AUTOTRUST_END"))
		end = r->at;
	if (f == NULL)
		return;
	f->name = arena_text(r->arena, rest);
	f->text = span_of(r->text.p + from, end - from);
	f->next = to->autotrust;
	to->autotrust = f;
	buf_printf(&r->conf, "server: auto-trust-anchor-file: \"%s\"\n", f->name);
}

void conf_read(struct reader *r, struct rpl *to)
{
	char room[2048];
	struct buf root = buf_on(room, sizeof(room));
	to->deckard = r->deckard = looks_deckard(r);
	buf_text(&r->conf, r->deckard ? deckard_head : "server:\n\tval-log-level: 2\nserver:\n");
	while (reader_line(r) && !reader_starts(r->line, "CONFIG_END")) {
		if (reader_starts(r->line, "AUTOTRUST_FILE")) {
			read_autotrust(r, to);
		} else if (reader_starts(r->line, "TEMPFILE_CONTENTS")) {
			to->files = true;
			while (reader_line(r) && !reader_starts(r->line, "TEMPFILE_END"))
				continue;
		} else if (reader_starts(r->line, "TEMPFILE_NAME")) {
			to->files = true;
		} else if (r->deckard) {
			conf_deckard_line(r, &root);
		} else if (!(r->line.n > 0 && r->line.p[0] == ';') && !is_place(r->line)) {
			buf_span_put(&r->conf, r->line);
			buf_u8(&r->conf, '\n');
		}
	}
	buf_span_put(&r->conf, buf_span(&root));
	to->conf = buf_cstr(&r->conf);
}
