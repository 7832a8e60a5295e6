#include "core/record.h"

#include "core/text_test.h"

static struct arena arena;
static const struct record_style usual = { .ident = "unbound", .pid = 2813 };

static struct client client(const char *name, uint16_t type)
{
	struct question q = text_question(&arena, name, type);
	struct client c = text_client(&q);
	assert_int_equal(addr_parse(span_text("127.0.0.1"), 55974, &c.from), OK);
	assert_int_equal(addr_parse(span_text("::1"), 53, &c.to), OK);
	return c;
}

/* The line of the oldest record, without its newline. */
static const char *line(struct record_ring *r, const struct record_style *style)
{
	static char text[RECORD_LINE_MAX + 1];
	struct buf b = buf_on(text, sizeof(text));
	size_t n;
	const struct record *rec = ring_peek(&r->ring, &n);
	assert_non_null(rec);
	record_line(rec, style, 0, &b);
	ring_done(&r->ring);
	assert_true(b.n > 0 && text[b.n - 1] == '\n');
	text[b.n - 1] = 0;
	return text;
}

static void lines_are_unbounds(void **state)
{
	struct record_ring r = { 0 };
	struct wall at = { .sec = 1795304181, .usec = 123456 };
	struct record_style style = usual;
	ring_init(&r.ring, 65536);
	struct client c = client("host.example", RR_A);
	record_query(&r, at, &c);
	assert_string_equal(line(&r, &style), "[1795304181] unbound[2813:0] info: 127.0.0.1 host.example. A IN");
	style.tag = true;
	record_query(&r, at, &c);
	assert_string_equal(line(&r, &style), "[1795304181] unbound[2813:0] query: 127.0.0.1 host.example. A IN");
	struct record_reply reply = { RCODE_NOERROR, false, 159, 299 };
	record_reply(&r, at, &c, &reply);
	assert_string_equal(line(&r, &style),
	                    "[1795304181] unbound[2813:0] reply: 127.0.0.1 host.example. A IN NOERROR 0.000299 0 159");
	reply = (struct record_reply){ RCODE_NXDOMAIN, true, 40, 12000001 };
	style.destaddr = true;
	record_reply(&r, at, &c, &reply);
	assert_string_equal(line(&r, &style),
	                    "[1795304181] unbound[2813:0] reply: 127.0.0.1 host.example. A IN NXDOMAIN "
	                    "12.000001 1 40 on udp ::1 53");
	record_text(&r, RECORD_LOCAL_ACTION, at, &c, "example. always_nxdomain");
	assert_string_equal(line(&r, &style),
	                    "[1795304181] unbound[2813:0] info: example. always_nxdomain 127.0.0.1@55974 "
	                    "host.example. A IN");
	record_text(&r, RECORD_SERVFAIL, at, &c, "upstream server timeout");
	assert_string_equal(line(&r, &style),
	                    "[1795304181] unbound[2813:0] error: SERVFAIL <host.example. A IN>: "
	                    "upstream server timeout");
	record_text(&r, RECORD_TEXT, at, NULL, "warning: a\nb");
	assert_string_equal(line(&r, &style), "[1795304181] unbound[2813:0] warning: a?b");
	c.question.name.len = 0;
	reply.rcode = RCODE_FORMERR;
	record_reply(&r, at, &c, &reply);
	assert_string_equal(line(&r, &style), "[1795304181] unbound[2813:0] reply: 127.0.0.1 - - - FORMERR - - -");
	ring_fini(&r.ring);
}

static void names_cannot_lie(void **state)
{
	struct record_ring r = { 0 };
	ring_init(&r.ring, 65536);
	struct client c = client("a\\010b\\.c.X-_*9.example", 65280);
	c.question.class = 9;
	record_query(&r, (struct wall){ 0 }, &c);
	assert_string_equal(line(&r, &usual),
	                    "[0] unbound[2813:0] info: 127.0.0.1 a?b?c.X-_*9.example. TYPE65280 CLASS9");
	c = client(".", RR_NS);
	record_query(&r, (struct wall){ 0 }, &c);
	assert_string_equal(line(&r, &usual), "[0] unbound[2813:0] info: 127.0.0.1 . NS IN");
	ring_fini(&r.ring);
}

static void times(void **state)
{
	static const struct {
		int64_t sec;
		int32_t offset;
		const char *ascii, *iso;
	} rows[] = {
		{ 1795304709, 0, "Nov 21 23:45:09", "2026-11-21T23:45:09.123+00:00" },
		{ 1795304709, 5400, "Nov 22 01:15:09", "2026-11-22T01:15:09.123+01:30" },
		{ 951782400, -3600, "Feb 28 23:00:00", "2000-02-28T23:00:00.123-01:00" },
		{ 951868799, 0, "Feb 29 23:59:59", "2000-02-29T23:59:59.123+00:00" },
		{ 0, 0, "Jan 01 00:00:00", "1970-01-01T00:00:00.123+00:00" },
	};
	struct record_ring r = { 0 };
	ring_init(&r.ring, 65536);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct record_style style = { .ident = "u", .time_ascii = true, .utc_offset = rows[i].offset };
		for (unsigned iso = 0; iso < 2; iso++) {
			char want[128];
			style.time_iso = iso;
			snprintf(want, sizeof(want), "%s u[0:0] info: x", iso ? rows[i].iso : rows[i].ascii);
			record_text(&r, RECORD_TEXT, (struct wall){ rows[i].sec, 123456 }, NULL, "x");
			assert_string_equal(line(&r, &style), want);
		}
	}
	ring_fini(&r.ring);
}

/* The longest of everything fits, and a full ring loses and counts. */
static void bounds(void **state)
{
	struct record_ring r = { 0 };
	char text[2000], name[1100] = { 0 }, ident[300];
	memset(text, 'x', sizeof(text) - 1);
	memset(ident, 'i', sizeof(ident) - 1);
	text[sizeof(text) - 1] = ident[sizeof(ident) - 1] = 0;
	for (unsigned i = 0; i < 127; i++)
		strcat(name, "\\255.");
	ring_init(&r.ring, 8192);
	struct client c = client(name, 65280);
	c.question.class = 65280;
	assert_int_equal(addr_parse(span_text("1111:1111:1111:1111:1111:1111:1111:1111"), 65535, &c.from), OK);
	struct record_style style = { .ident = ident, .pid = UINT32_MAX, .time_ascii = true,
		                      .time_iso = true, .tag = true };
	record_text(&r, RECORD_LOCAL_ACTION, (struct wall){ 0 }, &c, text);
	assert_true(strlen(line(&r, &style)) > 128 + 254 + RECORD_TEXT_MAX);
	for (unsigned i = 0; i < 100; i++)
		record_query(&r, (struct wall){ 0 }, &c);
	assert_true(atomic_load(&r.lost) > 50 && atomic_load(&r.lost) < 100);
	ring_fini(&r.ring);
}

static int set_up(void **state)
{
	arena_init(&arena, 1u << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_unbounds),
		cmocka_unit_test(names_cannot_lie),
		cmocka_unit_test(times),
		cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
