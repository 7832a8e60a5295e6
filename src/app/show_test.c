#include "app/show.h"
#include "core/text_test.h"

static struct arena arena;

static int set_up(void **state)
{
	arena_init(&arena, (size_t)8 << 20);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(&arena);
	return 0;
}

static struct msg sample(void)
{
	struct question q = text_question(&arena, "www.example", RR_TXT);
	struct msg m = text_msg(&arena, &q, "www.example. 60 IN TXT \"a \\\"b\\\" \\\\ \\195\\164\"\n",
	                        "example. 5 IN SOA ns.example. who.example. 1 2 3 4 5\n");
	m.id = 7;
	m.rcode = RCODE_NXDOMAIN;
	m.edns = (struct edns){ .present = true, .udp_size = 1232, .nede = 1 };
	m.edns.ede[0] = (struct ede){ 6, span_text("bad \x1b[31m \"sig\" \xc3\xa4 \xff \xc2\x9b") };
	return m;
}

static const char *shown(void (*show)(const struct msg *, const struct show_source *, struct buf *))
{
	struct addr server = { .family = ADDR_4, .port = 53, .ip = { 192, 0, 2, 1 } };
	struct show_source from = { &server, "UDP", 1500 };
	struct msg m = sample();
	char *p = arena_alloc(&arena, 65536);
	struct buf b = buf_on(p, 65536);
	show(&m, &from, &b);
	assert_true(buf_ok(&b));
	return buf_cstr(&b);
}

static void text_for_people(void **state)
{
	assert_string_equal(shown(show_text),
	                    ";; status: NXDOMAIN, flags: qr ra, id: 7\n"
	                    ";; EDNS: version 0, UDP up to 1232 bytes\n"
	                    ";; EDE: 6 (DNSSEC Bogus): bad ?[31m \"sig\" \xc3\xa4 \xff \xc2?\n"
	                    "\n;; QUESTION\n;www.example. IN TXT\n"
	                    "\n;; ANSWER\nwww.example. 60 IN TXT \"a \\\"b\\\" \\\\ \\195\\164\"\n"
	                    "\n;; AUTHORITY\nexample. 5 IN SOA ns.example. who.example. 1 2 3 4 5\n"
	                    "\n;; from 192.0.2.1@53 over UDP, 1.500 ms, 0 bytes\n");
}

/* What is quoted in DNS is quoted once more in JSON (RFC8259 7). */
static void rfc8259_7_json(void **state)
{
	assert_string_equal(shown(show_json),
	                    "{\"status\":\"NXDOMAIN\",\"flags\":[\"qr\",\"ra\"],\"id\":7,"
	                    "\"ede\":[{\"code\":6,\"name\":\"DNSSEC Bogus\","
	                    "\"text\":\"bad \\u001b[31m \\\"sig\\\" \xc3\xa4 \\ufffd \xc2\x9b\"}],"
	                    "\"question\":{\"name\":\"www.example.\",\"class\":\"IN\",\"type\":\"TXT\"},"
	                    "\"answer\":[{\"name\":\"www.example.\",\"ttl\":60,\"class\":\"IN\",\"type\":\"TXT\","
	                    "\"data\":\"\\\"a \\\\\\\"b\\\\\\\" \\\\\\\\ \\\\195\\\\164\\\"\"}],"
	                    "\"authority\":[{\"name\":\"example.\",\"ttl\":5,\"class\":\"IN\",\"type\":\"SOA\","
	                    "\"data\":\"ns.example. who.example. 1 2 3 4 5\"}],\"additional\":[],"
	                    "\"server\":\"192.0.2.1@53\",\"over\":\"UDP\",\"ms\":1.500,\"bytes\":0}\n");
}

static void no_room_is_harmless(void **state)
{
	struct addr server = { .family = ADDR_4 };
	struct show_source from = { &server, "UDP", 0 };
	struct msg m = sample();
	for (size_t cap = 1; cap < 700; cap++) {
		uint8_t *p = arena_alloc(&arena, cap);
		struct buf b = buf_on(p, cap);
		show_json(&m, &from, &b);
		assert_true(b.n <= cap);
		b = buf_on(p, cap);
		show_text(&m, &from, &b);
		assert_true(b.n <= cap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(text_for_people), T(rfc8259_7_json), T(no_room_is_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
