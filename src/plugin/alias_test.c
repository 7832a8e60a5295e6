/* Aliases that were proved answer other questions of their names. */
#include "plugin/alias.h"

#include "core/rrset.h"
#include "core/text_test.h"

#define SIGNED(owner, type, labels, rest)                                                                          \
	owner " 300 IN " type " " rest "\n" owner " 300 IN RRSIG " type " 13 " labels                              \
	" 300 20300101000000 20200101000000 1 example. AAAA\n"

static struct {
	struct arena arena;
	struct engine engine;
	struct chain chain;
	struct query q;
} w;

static int set_up(void **state)
{
	memset(&w, 0, sizeof(w));
	arena_init(&w.arena, 1u << 22);
	arena_init(&w.q.arena, QUERY_ARENA_MAX);
	w.engine.now.ms = 1000 * SECOND;
	w.q.engine = &w.engine;
	w.q.chain = &w.chain;
	struct live_env env = { .workers = 1 };
	const struct plugin *both[] = { &plugin_alias, &plugin_resolve };
	for (unsigned i = 0; i < 2; i++) {
		void *self = arena_alloc(&w.arena, both[i]->settings.size);
		struct link *l = &w.chain.links[w.chain.n++];
		*l = (struct link){ .steps = &both[i]->steps, .self = memset(self, 0, both[i]->settings.size) };
		l->live = both[i]->live_make == NULL ? NULL : both[i]->live_make(self, &env);
	}
	plugin_alias.joined((void *)w.chain.links[0].self, &w.chain, &w.arena, NULL);
	w.chain.conf.pack = pack_as_is;
	return 0;
}

static int tear_down(void **state)
{
	plugin_resolve.live_free(w.chain.links[1].live);
	arena_free(&w.arena);
	arena_free(&w.q.arena);
	return 0;
}

/* An answer's records, all of them judged so. */
static void keep(const char *records, enum security security)
{
	struct msg m = { 0 };
	struct msg_rrsets sets;
	text_add(&w.arena, &m, SEC_ANSWER, records);
	assert_int_equal(rrsets_of(&w.arena, &m, 3, &sets), OK);
	for (unsigned i = 0; i < sets.n; i++)
		sets.list[i].security = (uint8_t)security;
	alias_keep(&w.q, &sets);
}

/* The types of the answer's records with their TTL, "" when a server has to be asked. */
static const char *ask(const char *name, uint16_t type)
{
	static char text[200];
	struct buf b = buf_on(text, sizeof(text));
	struct msg m;
	w.q.question = text_question(&w.arena, name, type);
	enum verdict v = plugin_alias.steps.request(&w.chain.links[0], &w.q);
	if (v != PASS) {
		assert_int_equal(v, ANSWERED);
		assert_int_equal(packed_parse(&w.arena, w.q.answer, &w.q.question, &m), OK);
		for (size_t i = 0; i < m.nrrs; i++) {
			name_text(m.rrs[i].owner, &b);
			buf_u8(&b, ' ');
			rrtype_text(m.rrs[i].type, &b);
			buf_printf(&b, " %u ", m.rrs[i].ttl);
		}
	}
	return buf_cstr(&b);
}

static void rfc1034_5_3_3_an_alias_answers_for_itself(void **state)
{
	keep(SIGNED("www.example.", "CNAME", "2", "host.example."), SECURITY_SECURE);
	w.engine.now.ms += 100 * SECOND;
	assert_string_equal(ask("WWW.example", RR_CNAME), "WWW.example. CNAME 200 WWW.example. RRSIG 200 ");
	assert_string_equal(ask("other.example", RR_CNAME), "");
	assert_string_equal(ask("a.www.example", RR_CNAME), "");
	assert_string_equal(ask("www.example", RR_NSEC), "");   /* which the name has beside it */
	assert_string_equal(ask("www.example", RR_DS), "");
	assert_string_equal(ask("www.example", RR_ANY), "");
}

static void rfc6672_3_4_1_a_dname_makes_aliases(void **state)
{
	keep(SIGNED("old.example.", "DNAME", "2", "new.example."), SECURITY_SECURE);
	assert_string_equal(ask("a.b.old.example", RR_CNAME),
	                    "old.example. DNAME 300 a.b.old.example. CNAME 300 old.example. RRSIG 300 ");
	struct msg m;
	struct name to;
	assert_int_equal(packed_parse(&w.arena, w.q.answer, &w.q.question, &m), OK);
	assert_int_equal(name_from_wire(m.rrs[1].rdata, &to), OK);
	assert_true(name_eq(to, text_name(&w.arena, "a.b.new.example")));
	assert_string_equal(ask("old.example", RR_DNAME), "old.example. DNAME 300 old.example. RRSIG 300 ");
	assert_string_equal(ask("old.example", RR_CNAME), "");   /* the name itself has its own records */
	assert_string_equal(ask("a.old.example", RR_DS), "");
}

static void what_is_not_kept(void **state)
{
	keep(SIGNED("a.example.", "CNAME", "2", "b.example."), SECURITY_INSECURE);
	keep(SIGNED("c.example.", "CNAME", "1", "b.example."), SECURITY_SECURE);   /* out of a wildcard */
	keep("d.example. 300 IN CNAME b.example.\n", SECURITY_SECURE);            /* made by a DNAME */
	keep("e.example. 0 IN CNAME b.example.\ne.example. 0 IN RRSIG CNAME 13 2 0 20300101000000 20200101000000 1 "
	     "example. AAAA\n", SECURITY_SECURE);
	static const char *const names[] = { "a.example", "c.example", "d.example", "e.example" };
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(ask(names[i], RR_CNAME), "");
}

/* What is asked for again before it ends is to come from a server, or it would never become younger. */
static void not_in_its_last_tenth(void **state)
{
	keep(SIGNED("www.example.", "CNAME", "2", "host.example."), SECURITY_SECURE);
	w.engine.now.ms += 269 * SECOND;
	assert_string_not_equal(ask("www.example", RR_CNAME), "");
	w.engine.now.ms += 2 * SECOND;
	assert_string_equal(ask("www.example", RR_CNAME), "");
}

static void nor_where_answers_are_doubted(void **state)
{
	keep(SIGNED("www.example.", "CNAME", "2", "host.example."), SECURITY_SECURE);
	w.q.ask.doubts = 1;
	assert_string_equal(ask("www.example", RR_CNAME), "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(rfc1034_5_3_3_an_alias_answers_for_itself), T(rfc6672_3_4_1_a_dname_makes_aliases),
		T(what_is_not_kept),
		T(not_in_its_last_tenth), T(nor_where_answers_are_doubted),
	};
	return cmocka_run_group_tests_name("alias", tests, NULL, NULL);
}
