/* prove: asks and judges as the resolver does, over standard input and output, so that other people's servers and
 * signers can be its world (test/peer/test_proof_core.py).
 *   in    ANCHOR record | WALL seconds | LEGACY | PROVE name type | and after each ASK: the reply in hex, or "-"
 *         STATE, a trust anchor's state file in hex, comes back as it would be written; WRONG when it is none
 *   out   ASK name type | SECURE, INSECURE, BOGUS or INDETERMINATE,
    then EDE RCODE TTL verifies blocks records reason */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/autotrust.h"
#include "core/judge.h"
#include "wire/radix.h"

#define LINE_MAX_BYTES 140000u   /* a message of 64 kB in hex */

static char line[LINE_MAX_BYTES];
static struct arena all, turn;
static struct anchors anchors;
static struct verifier *verifier;
static struct validate_conf conf;
static struct effort effort;
static uint32_t wall;

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "prove: %s: %s\n", why, line);
	exit(2);
}

static bool next_line(void)
{
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

static struct question question(const char *name, const char *type)
{
	struct question q = { .class = CLASS_IN };
	uint8_t *store = arena_alloc(&turn, NAME_MAX_BYTES);
	if (name_from_text(span_text(name), &name_root, store, &q.name) != OK ||
	    rrtype_from_text(span_text(type), &q.type) != OK)
		die("no question");
	return q;
}

/* The world's answer; none is a message without records. */
static struct msg ask(const struct question *q)
{
	char text[NAME_TEXT_MAX + 20];
	struct buf b = buf_on(text, sizeof(text));
	struct msg m = { .question = *q, .counts = { 1 }, .rcode = RCODE_SERVFAIL };
	name_text(q->name, &b);
	buf_u8(&b, ' ');
	rrtype_text(q->type, &b);
	printf("ASK %s\n", buf_cstr(&b));
	fflush(stdout);
	if (!next_line() || strcmp(line, "-") == 0)
		return m;
	struct buf wire = buf_on(arena_alloc(&turn, MSG_MAX), MSG_MAX);
	struct radix r = radix_begin(&radix_16);
	if (radix_feed(&r, span_text(line), &wire) != OK || msg_parse(&turn, buf_span(&wire), &m) != OK)
		die("no message");
	return m;
}

static struct scrubbed scrubbed(const struct question *q)
{
	struct scrubbed s;
	struct msg m = ask(q);
	if (scrub_msg(&turn, q, name_root, &m, &s) != OK)
		s = (struct scrubbed){ .msg = { .question = *q, .counts = { 1 } }, .kind = SCRUB_LAME,
		                       .final = q->name };
	return s;
}

static struct path walk(struct validator *v, struct name target)
{
	struct path p;
	path_start(&p, &anchors, target, wall);
	while (p.step != PATH_DONE) {
		struct question q = path_question(&p);
		struct scrubbed s = scrubbed(&q);
		path_answer(&p, v, &s.msg);
	}
	return p;
}

static void prove(const char *name, const char *type)
{
	static const char *const words[] = { "UNCHECKED", "BOGUS", "INDETERMINATE", "INSECURE", "SECURE" };
	struct question q = question(name, type);
	struct validator v = { verifier, &conf, &effort, &turn, wall };
	struct path places[NEEDS_MAX];
	struct judge j;
	char why[200];
	struct buf text = buf_on(why, sizeof(why));
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	struct scrubbed s = scrubbed(&q);
	if (judge_needs(&turn, &q, &s, &anchors, &j) != OK)
		die("more than can be judged");
	for (unsigned i = 0; i < j.nneeds; i++)
		places[i] = walk(&v, j.needs[i]);
	struct judgement r = judge_answer(&j, &v, places);
	if (r.ruling.security == SECURITY_SECURE)
		judge_clean(&j, &s, false);
	ruling_text(&r.ruling, &text);
	printf("%s %d %u %" PRIu32 " %u %u %zu %s\n", words[r.ruling.security], why_ede(r.ruling.why), r.rcode, r.ttl,
	       EFFORT_VERIFIES - effort.verifies, EFFORT_BLOCKS - effort.blocks, s.msg.nrrs, buf_cstr(&text));
	fflush(stdout);
	arena_free(&turn);
}

/* A state file read and written again. */
static void rewrite_state(const char *hex)
{
	struct buf file = buf_on(arena_alloc(&turn, AUTOTRUST_FILE_MAX), AUTOTRUST_FILE_MAX);
	struct buf again = buf_on(arena_alloc(&turn, AUTOTRUST_FILE_MAX), AUTOTRUST_FILE_MAX);
	struct radix r = radix_begin(&radix_16);
	struct autotrust trust;
	struct diag diag;
	diag_init(&diag, &turn);
	if (radix_feed(&r, span_text(hex), &file) != OK || !buf_ok(&file))
		die("no hex");
	if (autotrust_read(&turn, buf_span(&file), "state", &diag, &trust) == OK) {
		autotrust_write(&trust, &again);
		printf("STATE ");
		for (size_t i = 0; i < again.n; i++)
			printf("%02x", again.p[i]);
		printf("\n");
	} else {
		printf("WRONG %s\n", diag.first != NULL ? diag.first->text : "nothing in it");
	}
	fflush(stdout);
	arena_free(&turn);
}

static void add_anchor(const char *record)
{
	struct rr rr;
	size_t column;
	if (rr_from_text(&all, span_text(record), &(struct rr_defaults){ &name_root, 0 }, &rr, &column) != OK ||
	    anchors_add(&all, &anchors, &rr) != OK)
		die("no anchor");
}

int main(void)
{
	char why[100];
	struct buf b = buf_on(why, sizeof(why));
	struct hash_key key = { { 0 } };
	char name[NAME_TEXT_MAX], type[20];
	arena_init(&all, 4u << 20);
	arena_init(&turn, 64u << 20);
	conf = validate_usual;
	verifier = verifier_new(NULL, &key, 64, &b);
	if (verifier == NULL)
		die("no cryptography");
	while (next_line()) {
		if (strncmp(line, "ANCHOR ", 7) == 0)
			add_anchor(line + 7);
		else if (sscanf(line, "WALL %" SCNu32, &wall) == 1)
			continue;
		else if (strncmp(line, "STATE ", 6) == 0)
			rewrite_state(line + 6);
		else if (strcmp(line, "LEGACY") == 0)
			conf.legacy = true;
		else if (sscanf(line, "PROVE %1024s %19s", name, type) == 2)
			prove(name, type);
		else
			die("unknown word");
	}
	verifier_free(verifier);
	arena_free(&all);
	return 0;
}
