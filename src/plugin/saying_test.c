#include "plugin/block_each_test.h"

static void any_gets_one_hinfo(void **state)
{
	block_add(&b, &plugin_any, "any");
	block_expect(&b, "www.Example.org", RR_ANY,
	             "NOERROR\nwww.Example.org. 8482 IN HINFO \"ANY obsoleted\" \"See RFC 8482\"");
	block_expect(&b, "www.example.org", RR_A, NULL);
}

static void whoami_tells_address_and_port(void **state)
{
	block_add(&b, &plugin_whoami, "whoami");
	block_expect(&b, "example.org", RR_TXT, "NOERROR aa\n++ example.org. 0 IN A 10.244.0.5\n"
	             "++ _udp.example.org. 0 IN SRV 0 0 41202 .");
	b.client.proto = PROTO_TCP;
	b.client.from = (struct addr){ .family = ADDR_6, .port = 7, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 9 } };
	block_expect(&b, "example.org", RR_A, "NOERROR aa\n++ example.org. 0 IN AAAA 2001:db8::9\n"
	             "++ _tcp.example.org. 0 IN SRV 0 0 7 .");
}

#define SOA " 604800 IN SOA localhost. root.localhost. 1 0 0 0 604800"

static void local_answers_what_is_local(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		const char *want;
	} rows[] = {
		{ "localhost", RR_A, "NOERROR\nlocalhost. 604800 IN A 127.0.0.1" },
		{ "LocalHost", RR_AAAA, "NOERROR\nLocalHost. 604800 IN AAAA ::1" },
		{ "db.localhost", RR_A, "NOERROR\ndb.localhost. 604800 IN A 127.0.0.1" },
		{ "localhost", RR_MX, "NOERROR\n+ localhost." SOA },
		{ "localhost.example.org", RR_A, "NOERROR\nlocalhost.example.org. 604800 IN A 127.0.0.1" },
		{ "localhost.example.org", RR_MX, "NOERROR\n+ localhost.example.org." SOA },
		{ "localhosta.example.org", RR_A, NULL },
		{ "1.0.0.127.in-addr.arpa", RR_PTR, "NOERROR\n1.0.0.127.in-addr.arpa. 604800 IN PTR localhost." },
		{ "1.0.0.127.in-addr.arpa", RR_A, "NOERROR\n+ 127.in-addr.arpa." SOA },
		{ "2.0.0.127.in-addr.arpa", RR_PTR, "NXDOMAIN\n+ 127.in-addr.arpa." SOA },
		{ "127.in-addr.arpa", RR_SOA, "NOERROR\n127.in-addr.arpa." SOA },
		{ "255.in-addr.arpa", RR_NS, "NOERROR\n255.in-addr.arpa. 604800 IN NS localhost." },
		{ "1.in-addr.arpa", RR_PTR, NULL },
		{ "example.org", RR_A, NULL },
	};
	struct link *l = block_add(&b, &plugin_local, "local");
	for (unsigned i = 0; i < COUNT(rows); i++)
		block_expect(&b, rows[i].name, rows[i].type, rows[i].want);
	struct samples s;
	uint8_t *page = arena_alloc(&b.arena, 4096);
	struct buf to = buf_on(page, 4096);
	samples_init(&s, &b.arena);
	plugin_local.samples(l, NULL, &s);
	samples_text(&s, &to);
	assert_non_null(strstr(buf_cstr(&to), "\ncoredns_local_localhost_requests_total 4\n"));
}

static void local_leaves_prefixes_alone_where_told(void **state)
{
	block_add(&b, &plugin_local, "local\nlocalhost_prefix off");
	block_expect(&b, "localhost.example.org", RR_A, NULL);
	block_expect(&b, "localhost", RR_A, "NOERROR\nlocalhost. 604800 IN A 127.0.0.1");
	block_say(&b, &plugin_local, NULL, "local\nlocalhost_prefix maybe");
	assert_non_null(strstr(block_wrong(&b), "expected 'on' or 'off'"));
}

/* An answer of several addresses, and of what else there is to say of them. */
static enum verdict answer(const struct link *l, struct query *q)
{
	struct msg m = text_msg(&b.arena, &q->question, l->self, "example.org. 300 IN NS ns.example.org.");
	text_add(&b.arena, &m, SEC_ADDITIONAL, "ns.example.org. 300 IN A 192.0.2.53");
	m.flags = FLAG_QR | FLAG_AA;
	assert_int_equal(packed_make(&q->arena, &q->question, &m, &pack_as_is, &q->answer), OK);
	return ANSWERED;
}

static const struct steps answering = { .request = answer };

static void below(const char *records)
{
	b.chain.links[b.chain.n] = (struct link){ .steps = &answering, .name = "below", .self = records };
	b.plugins[b.chain.n++] = &plugin_any;
}

#define ONE "example.org. 300 IN A 192.0.2.1"
#define REST "\n+ example.org. 300 IN NS ns.example.org.\n++ ns.example.org. 300 IN A 192.0.2.53"

static void minimal_leaves_out_what_was_not_asked_for(void **state)
{
	block_add(&b, &plugin_minimal, "minimal");
	below(ONE);
	assert_string_equal(block_slow(&b, "example.org", RR_A), "NOERROR aa\n" ONE);
	b.chain.links[1].self = "";
	assert_string_equal(block_slow(&b, "example.org", RR_A), "NOERROR aa" REST);   /* a referral is all there */
}

static void header_sets_and_clears(void **state)
{
	void *self = block_say(&b, &plugin_header, NULL,
	                       "header\nresponse set ra\nresponse clear aa rd\nquery clear rd");
	block_join(&b, &plugin_header, self, NULL);
	below(ONE);
	assert_string_equal(block_slow(&b, "example.org", RR_A), "NOERROR\n" ONE REST);
	assert_int_equal(b.msg.flags, FLAG_QR | FLAG_RA);
	assert_true(b.chain.conf.replies.no_recursion);
	assert_string_equal(block_wrong(&b), "");
	block_say(&b, &plugin_header, NULL, "header\nresponse toggle ra\nresponse set qr\nresponse set\nquery set aa");
	assert_string_equal(block_wrong(&b), "unknown flag action=toggle; expected set or clear\n"
	                    "unknown flag qr; expected aa, ra or rd\n"
	                    "Wrong argument count or unexpected line ending after 'set'; "
	                    "expected at least 2 behind response\n"
	                    "header query: aa and ra mean nothing in a question; they are not sent");
}

static void nsid_is_told_to_who_asks(void **state)
{
	block_add(&b, &plugin_nsid, "nsid edge one");
	below(ONE);
	b.client.edns.present = true;
	b.client.edns.nsid = true;
	block_slow(&b, "example.org", RR_A);
	assert_true(span_is(b.msg.edns.nsid_data, "edge one"));
	b.client.edns.nsid = false;
	block_slow(&b, "example.org", RR_A);
	assert_false(b.msg.edns.nsid);
}

static void bufsize_bounds_datagrams(void **state)
{
	char records[4096];
	struct buf to = buf_on(records, sizeof(records));
	for (unsigned i = 1; i < 40; i++)
		buf_printf(&to, "%sexample.org. 300 IN A 192.0.2.%u", i == 1 ? "" : "\n", i);
	block_add(&b, &plugin_bufsize, "bufsize 600");
	below(buf_cstr(&to));
	b.client.edns.present = true;
	b.client.size_max = 1232;
	block_slow(&b, "example.org", RR_A);
	assert_true(b.msg.flags & FLAG_TC);
	b.client.proto = PROTO_TCP;
	block_slow(&b, "example.org", RR_A);
	assert_false(b.msg.flags & FLAG_TC);
	assert_int_equal(b.chain.conf.edns_size, 600);
	assert_string_equal(block_wrong(&b), "");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const wrong[] = { "bufsize 511", "bufsize 4097", "bufsize x" };
		block_say(&b, &plugin_bufsize, NULL, wrong[i]);
		assert_non_null(strstr(block_wrong(&b), "expected 512 to 4096"));
	}
}

#define THREE ONE "\nexample.org. 300 IN A 192.0.2.2\nexample.org. 300 IN A 198.51.100.3"

/* How often each of the addresses comes first in 600 answers. */
static void count_first(unsigned n[4])
{
	memset(n, 0, 4 * sizeof(n[0]));
	for (unsigned i = 0; i < 600; i++) {
		uint8_t bytes[1232];
		struct buf out = buf_on(bytes, sizeof(bytes));
		struct question q = text_question(&b.arena, "example.org", RR_A);
		struct msg m = text_msg(&b.arena, &q, THREE, "");
		const struct packed *p;
		b.client.question = q;
		assert_int_equal(packed_make(&b.arena, &q, &m, &pack_as_is, &p), OK);
		struct reply_form form = { 10, NO_TTL_CAP, (uint32_t)rng_u64(&b.engine->rng) };
		assert_int_equal(reply_write(&b.reply, &b.client, p, form, &out), OK);
		assert_int_equal(msg_parse(&b.arena, buf_span(&out), &m), OK);
		assert_int_equal(m.nrrs, 3);
		unsigned sum = 0;
		for (unsigned k = 0; k < 3; k++) {
			sum += m.rrs[k].rdata.p[3];
			assert_int_equal(m.rrs[k].ttl, 290);
		}
		assert_int_equal(sum, 6);
		n[m.rrs[0].rdata.p[3]]++;
	}
}

static void loadbalance_shuffles(void **state)
{
	unsigned n[4];
	block_add(&b, &plugin_loadbalance, "loadbalance");
	count_first(n);
	for (unsigned i = 1; i <= 3; i++)
		assert_in_range(n[i], 140, 260);
}

static void loadbalance_weighs(void **state)
{
	unsigned n[4];
	void *self = block_say(&b, &plugin_loadbalance, NULL, "loadbalance weighted w\nreload 10s");
	block_join(&b, &plugin_loadbalance, self, "# weights\nEXAMPLE.org\n192.0.2.1 1\n192.0.2.2 98\n");
	count_first(n);
	assert_true(n[2] > 560);
	struct file_want want;
	assert_true(plugin_loadbalance.file_want(self, 0, &want));
	assert_int_equal(want.every, 10000);
	assert_string_equal(block_wrong(&b), "");
	struct span file = span_text("192.0.2.1 3\nexample.org\nx y\n192.0.2.1 0\n");
	plugin_loadbalance.file_take(self, 0, file, &b.arena, &b.diag);
	assert_string_equal(block_wrong(&b), "missing domain name\nwrong IP address\nwrong weight value");
}

static void loadbalance_prefers(void **state)
{
	unsigned n[4];
	block_add(&b, &plugin_loadbalance, "loadbalance round_robin\nprefer 198.51.100.0/24");
	count_first(n);
	assert_int_equal(n[3], 600);
	block_say(&b, &plugin_loadbalance, NULL, "loadbalance\nreload 3s\nprefer 10.0.0.0");
	block_say(&b, &plugin_loadbalance, NULL, "loadbalance fairly");
	assert_string_equal(block_wrong(&b), "unknown property 'reload'; expected it with weighted alone\n"
	                    "invalid CIDR '10.0.0.0'; expected ADDRESS/BITS\n"
	                    "unknown policy: fairly; expected round_robin or weighted FILE");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(any_gets_one_hinfo), TEST(whoami_tells_address_and_port), TEST(local_answers_what_is_local),
		TEST(local_leaves_prefixes_alone_where_told), TEST(minimal_leaves_out_what_was_not_asked_for),
		TEST(header_sets_and_clears), TEST(nsid_is_told_to_who_asks), TEST(bufsize_bounds_datagrams),
		TEST(loadbalance_shuffles), TEST(loadbalance_weighs), TEST(loadbalance_prefers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
