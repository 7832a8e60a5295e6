#include "core/answerer.h"

#include "core/text_test.h"

static void who_answered_is_known_until_somebody_else_does(void **state)
{
	static struct answerers s;
	static const struct hash_key key = { 0 };
	struct arena arena;
	arena_init(&arena, 1u << 20);
	struct question www = text_question(&arena, "www.example", RR_A);
	struct question same = text_question(&arena, "WWW.example", RR_A);
	struct question other = text_question(&arena, "www.example", RR_AAAA);
	struct addr a = { .family = ADDR_4, .port = 53, .ip = { 192, 0, 2, 1 } }, b = a, c = a;
	b.ip[3] = 2;
	c.port = 54;
	assert_false(answerer_is(&s, &key, &www, &a));
	answerer_note(&s, &key, &www, &a, false);
	assert_true(answerer_is(&s, &key, &same, &a));
	assert_false(answerer_is(&s, &key, &www, &b));
	assert_false(answerer_is(&s, &key, &www, &c));
	assert_false(answerer_is(&s, &key, &other, &a));
	answerer_note(&s, &key, &www, &b, true);
	assert_true(answerer_is(&s, &key, &www, &a));
	assert_true(answerer_is(&s, &key, &www, &b));
	for (unsigned i = 0; i < 10; i++) {
		c.ip[3] = (uint8_t)(10 + i);
		answerer_note(&s, &key, &www, &c, true);   /* no more than DOUBTS_MAX are kept */
	}
	assert_false(answerer_is(&s, &key, &www, &c));
	answerer_note(&s, &key, &www, &b, false);
	assert_false(answerer_is(&s, &key, &www, &a));
	assert_true(answerer_is(&s, &key, &www, &b));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_answered_is_known_until_somebody_else_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
