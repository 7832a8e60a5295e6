#include "core/sample.h"

#include "core/text_test.h"

static const double bounds[] = { 0.5, 1 };
static const struct family hits = { "x_hits_total", "Hits.", SAMPLE_COUNTER, NULL, 0 };
static const struct family news = { "x_news", "News.", SAMPLE_LEAST, NULL, 0 };
static const struct family size = { "x_size", "Sizes.", SAMPLE_HISTOGRAM, bounds, COUNT(bounds) };

/* Families stand together whatever the order in which their samples came. */
static void page_test(void **state)
{
	struct arena a;
	struct samples s;
	char text[2048];
	struct buf b = buf_on(text, sizeof(text));
	static const uint64_t buckets[] = { 2, 0, 1 };
	(void)state;
	arena_init(&a, 1 << 16);
	samples_init(&s, &a);
	sample_add(&s, &hits, 3, "server=\"a\"", "");
	sample_histogram(&s, &size, (struct histogram){ buckets, 4.5 }, "server=\"a\"", NULL);
	sample_add(&s, &hits, 4, "server=\"b\"", "type=\"denial\"");
	sample_add(&s, &hits, 5, NULL, NULL);
	samples_text(&s, &b);
	assert_string_equal(buf_cstr(&b),
	                    "# HELP x_hits_total Hits.\n# TYPE x_hits_total counter\n"
	                    "x_hits_total{server=\"a\"} 3\nx_hits_total{server=\"b\",type=\"denial\"} 4\n"
	                    "x_hits_total 5\n"
	                    "# HELP x_size Sizes.\n# TYPE x_size histogram\n"
	                    "x_size_bucket{server=\"a\",le=\"0.5\"} 2\nx_size_bucket{server=\"a\",le=\"1\"} 2\n"
	                    "x_size_bucket{server=\"a\",le=\"+Inf\"} 3\n"
	                    "x_size_sum{server=\"a\"} 4.5\nx_size_count{server=\"a\"} 3\n");
	arena_free(&a);
}

/* Two say the same of one thing. */
static void twice_test(void **state)
{
	struct arena a;
	struct samples s;
	char text[512];
	struct buf b = buf_on(text, sizeof(text));
	(void)state;
	arena_init(&a, 1 << 16);
	samples_init(&s, &a);
	for (unsigned i = 1; i <= 3; i++) {
		sample_add(&s, &hits, i, NULL, NULL);
		sample_add(&s, &news, 10 - i, NULL, NULL);
	}
	samples_text(&s, &b);
	assert_string_equal(buf_cstr(&b), "# HELP x_hits_total Hits.\n# TYPE x_hits_total counter\nx_hits_total 6\n"
	                    "# HELP x_news News.\n# TYPE x_news gauge\nx_news 7\n");
	arena_free(&a);
}

/* No room: what does not fit is left out, and what fits is whole. */
static void full_test(void **state)
{
	struct arena a;
	struct samples s;
	(void)state;
	arena_init(&a, 4096);
	samples_init(&s, &a);
	for (unsigned i = 0; i < 10000; i++)
		sample_add(&s, &hits, i, "a=\"1\"", NULL);
	for (unsigned i = 0; i < s.n; i++)
		assert_string_equal(s.list[i].labels, "a=\"1\"");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_test), cmocka_unit_test(twice_test), cmocka_unit_test(full_test),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
