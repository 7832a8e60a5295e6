/* A server block's chain for the tests of plugins that Corefiles have: directives as text, questions asked on the fast
 * path and with a query object, answers as text. */
#ifndef PLUGIN_BLOCK_TEST_H
#define PLUGIN_BLOCK_TEST_H

#include "core/sample.h"
#include "core/text_test.h"
#include "plugin/plugin.h"

#define BLOCK_LINES_MAX 64u

struct block {
	struct arena arena;
	struct diag diag;
	struct engine *engine;
	struct effects *effects;
	struct metrics metrics;
	struct record_ring ring;
	struct chain chain;
	const struct plugin *plugins[CHAIN_MAX];
	struct server_block server;
	struct name zone;
	struct reply_conf reply;
	struct client client;      /* the one who asks */
	struct msg msg;            /* the latest answer */
	size_t size;
	uint32_t line;
};

static inline void block_open(struct block *b)
{
	uint8_t seed[32] = { 1 };
	struct hash_key key = { { 2 } };
	memset(b, 0, sizeof(*b));
	arena_init(&b->arena, (size_t)64 << 20);
	diag_init(&b->diag, &b->arena);
	b->engine = arena_alloc(&b->arena, sizeof(*b->engine));
	b->effects = arena_alloc(&b->arena, sizeof(*b->effects));
	engine_init(b->engine, 0, 1, &key, seed);
	b->effects->scratch = &b->arena;
	b->engine->fx = b->effects;
	b->engine->metrics = &b->metrics;
	b->engine->now = (struct now){ 100000, { 1800000000, 0 } };
	ring_init(&b->ring.ring, RECORD_RING_BYTES);
	b->engine->log = &b->ring;
	b->zone = name_root;
	b->server = (struct server_block){ .zones = &b->zone, .nzones = 1, .root = "" };
	b->reply = (struct reply_conf){ .edns_size = 1232 };
	b->client = (struct client){ .id = 0x1234, .flags = FLAG_RD, .size_max = 1232, .proto = PROTO_UDP,
		                     .from = { .family = ADDR_4, .port = 41202, .ip = { 10, 244, 0, 5 } } };
}

static inline void block_close(struct block *b)
{
	engine_fini(b->engine);
	for (unsigned i = 0; i < b->chain.n; i++)
		if (b->plugins[i]->live_free != NULL)
			b->plugins[i]->live_free(b->chain.links[i].live);
	ring_fini(&b->ring.ring);
	arena_free(&b->arena);
}

/* Words of one line, by blanks; those in quotes hold blanks. */
static inline struct directive *block_words(struct block *b, const char *text, size_t n)
{
	struct directive *d = ARENA_NEW(&b->arena, struct directive);
	struct word *words = ARENA_ARRAY(&b->arena, struct word, DIRECTIVE_ARGS_MAX + 1);
	unsigned count = 0;
	b->line++;
	for (size_t i = 0; i < n;) {
		if (text[i] == ' ' || text[i] == '\t') {
			i++;
			continue;
		}
		size_t from = i, quoted = text[i] == '"';
		for (i += quoted; i < n && (quoted ? text[i] != '"' : text[i] != ' '); i++)
			;
		words[count++] = (struct word){ arena_text(&b->arena, span_of(text + from + quoted, i - from - quoted)),
			                        b->line, (uint32_t)from + 1 };
		i += quoted;
	}
	assert_true(count > 0);
	*d = (struct directive){ .file = "Corefile", .word = words[0], .args = words + 1, .nargs = count - 1,
		                 .server = &b->server };
	return d;
}

static inline void block_line(struct block *b, const struct settings *s, void *self, const struct directive *d)
{
	const struct opt *row = NULL;
	for (size_t i = 0; i < s->nopts; i++) {
		const char *word = s->opts[i].corefile.word;
		bool is = word != NULL && strcmp(word, d->word.text) == 0;
		if (is || (row == NULL && word != NULL && strcmp(word, "*") == 0))
			row = &s->opts[i];
	}
	assert_true(row == NULL || row->type == OPT_CUSTOM);
	if (row != NULL)
		row->parse(self, d, &b->arena, &b->diag);
	else
		diag_error(&b->diag, d->file, d->word.line, 1, "unknown property '%s'", d->word.text);
}

/* One directive with the lines within its braces; self NULL: of settings of its own. returns them */
static inline void *block_say(struct block *b, const struct plugin *p, void *self, const char *text)
{
	const struct settings *s = &p->settings;
	struct directive *head = NULL, *last = NULL;
	if (self == NULL)
		self = arena_alloc(&b->arena, MAX(s->size, 1));
	for (const char *at = text; *at != 0;) {
		size_t n = strcspn(at, "\n");
		struct directive *d = block_words(b, at, n);
		at += n + (at[n] == '\n');
		if (head == NULL)
			head = d;
		else if (last == head)
			head->inside = d;
		else
			last->next = d;
		last = d;
	}
	head->braced = head->inside != NULL;
	assert_string_equal(s->corefile.directive, head->word.text);
	if (s->corefile.head != NULL)
		s->corefile.head(self, head, &b->arena, &b->diag);
	for (const struct directive *d = head->inside; d != NULL; d = d->next)
		block_line(b, s, self, d);
	return self;
}

/* All is said: a link of the chain. file: what it wants to read. */
static inline struct link *block_join(struct block *b, const struct plugin *p, void *self, const char *file)
{
	const struct settings *s = &p->settings;
	struct live_env env = { .key = { { 3 } }, .workers = 1 };
	struct file_want want;
	if (s->ready != NULL && b->diag.errors == 0)
		s->ready(self, &b->arena, &b->diag);
	if (p->file_want != NULL && p->file_want(self, 0, &want))
		p->file_take(self, 0, file == NULL ? (struct span){ 0 } : span_text(file), &b->arena, &b->diag);
	struct link *l = &b->chain.links[b->chain.n];
	*l = (struct link){ .steps = &p->steps, .name = s->name, .self = self };
	b->plugins[b->chain.n++] = p;
	if (p->joined != NULL)
		p->joined(self, &b->chain, &b->arena, &b->diag);
	if (p->live_make != NULL)
		l->live = p->live_make(self, &env);
	b->reply.wishes = b->chain.conf.replies;
	return l;
}

static inline struct link *block_add(struct block *b, const struct plugin *p, const char *text)
{
	return block_join(b, p, block_say(b, p, NULL, text), NULL);
}

/* What is wrong with it, in one line each. */
static inline const char *block_wrong(struct block *b)
{
	uint8_t *p = arena_alloc(&b->arena, 4096);
	struct buf to = buf_on(p, 4096);
	for (const struct diag_line *l = b->diag.first; l != NULL; l = l->next)
		buf_printf(&to, "%s%s", l == b->diag.first ? "" : "\n", l->text);
	diag_init(&b->diag, &b->arena);
	return buf_cstr(&to);
}

/* Each line within the braces, in a directive of its own, with what is wrong with it. */
static inline void block_refuses(struct block *b, const struct plugin *p, const char *head,
                                 const char *const (*rows)[2])
{
	for (; (*rows)[0] != NULL; rows++) {
		char text[100];
		struct buf to = buf_on(text, sizeof(text));
		buf_printf(&to, "%s\n%s", head, (*rows)[0]);
		block_say(b, p, NULL, buf_cstr(&to));
		assert_string_equal(block_wrong(b), (*rows)[1]);
	}
}

static inline const char *block_msg_text(struct block *b, const struct msg *m)
{
	static const char *const signs[] = { "\n", "\n+ ", "\n++ " };
	char *p = arena_alloc(&b->arena, 70000);
	struct buf to = buf_on(p, 70000);
	const char *rcode = rcode_name(m->rcode);
	buf_printf(&to, "%s%s", rcode, m->flags & FLAG_AA ? " aa" : "");
	for (size_t i = 0; i < m->nrrs; i++) {
		buf_text(&to, signs[m->rrs[i].section]);
		assert_int_equal(rr_text(&m->rrs[i], &to), OK);
	}
	for (unsigned i = 0; i < m->edns.nede; i++)
		buf_printf(&to, "\nEDE %u", m->edns.ede[i].code);
	b->msg = *m;
	return buf_cstr(&to);
}

/* What becomes of a question still in its packet: "slow", "drop", or the answer. */
static inline const char *block_fast(struct block *b, const char *name, uint16_t type)
{
	b->client.question = text_question(&b->arena, name, type);
	uint8_t *bytes = arena_alloc(&b->arena, MSG_MAX);
	struct buf out = buf_on(bytes, MSG_MAX);
	struct fast f = { .engine = b->engine, .chain = &b->chain, .client = &b->client, .reply = &b->reply,
		          .out = &out };
	struct msg m;
	enum verdict v = fast_run(&f);
	if (v != ANSWERED)
		return v == DROP ? "drop" : "slow";
	assert_int_equal(msg_parse(&b->arena, buf_span(&out), &m), OK);
	assert_int_equal(f.rcode, m.rcode);
	b->size = out.n;
	return block_msg_text(b, &m);
}

/* The same with a query object, as the client gets it. The end of the chain refuses. */
static inline const char *block_slow(struct block *b, const char *name, uint16_t type)
{
	const char *text = "nothing";
	b->client.question = text_question(&b->arena, name, type);
	assert_int_equal(engine_question(b->engine, &b->chain, 0, &b->client), OK);
	for (bool more = true; more;) {
		b->effects->n = 0;
		more = engine_turn(b->engine);
		for (unsigned i = 0; i < b->effects->n; i++) {
			const struct query *q = b->effects->list[i].query;
			uint8_t *bytes = arena_alloc(&b->arena, MSG_MAX);
			struct buf out = buf_on(bytes, MSG_MAX);
			struct msg m;
			if (b->effects->list[i].kind != FX_REPLY)
				continue;
			if (q->dropped) {
				text = "drop";
				continue;
			}
			assert_int_equal(reply_write(&b->reply, q->client, q->answer,
			                             (struct reply_form){ 0, NO_TTL_CAP, 0 }, &out), OK);
			assert_int_equal(msg_parse(&b->arena, buf_span(&out), &m), OK);
			b->size = out.n;
			text = block_msg_text(b, &m);
		}
	}
	b->effects->n = 0;
	return text;
}

#define BLOCK_END "REFUSED\nEDE 18"   /* of clients with EDNS: nobody answered */

/* The same both ways; want NULL: nobody answers. */
static inline void block_expect(struct block *b, const char *name, uint16_t type, const char *want)
{
	const char *end = b->client.edns.present ? BLOCK_END : "REFUSED";
	assert_string_equal(block_fast(b, name, type), want == NULL ? "slow" : want);
	assert_string_equal(block_slow(b, name, type), want == NULL ? end : want);
}

#endif
