#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/zonefile.h"

/* All items of a file, a line each: "LINE record" | "LINE:COLUMN what" | "LINE include FILE ORIGIN". */
static void assert_items(const char *text, const char *wanted)
{
	static uint8_t out[16384];
	struct buf b = buf_on(out, sizeof(out));
	struct arena a;
	struct zonefile_item item;
	uint8_t store[NAME_MAX_BYTES];
	struct zonefile_conf conf = { .class = CLASS_IN };
	arena_init(&a, 1 << 20);
	assert_int_equal(name_from_text(span_text("example."), NULL, store, &conf.origin), OK);
	struct zonefile *z = zonefile_new(&a, span_text(text), &conf);
	assert_non_null(z);
	for (zonefile_next(z, &item); item.kind != ZF_END; zonefile_next(z, &item)) {
		buf_uint(&b, item.line);
		if (item.kind == ZF_ERROR) {
			buf_printf(&b, ":%u %s", item.column, item.what);
		} else if (item.kind == ZF_INCLUDE) {
			buf_text(&b, " include ");
			buf_span_put(&b, item.include);
			buf_u8(&b, ' ');
			name_text(item.include_origin, &b);
		} else {
			buf_u8(&b, ' ');
			assert_int_equal(rr_text(&item.rr, &b), OK);
		}
		buf_u8(&b, '\n');
	}
	assert_string_equal(buf_cstr(&b), wanted);
	arena_free(&a);
}

static void ordinary_file(void **state)
{
	(void)state;
	assert_items("; a comment\n"
	             "$TTL 1h\r\n"
	             "@ IN SOA ns1 host ( 1 ; the serial\n"
	             "\t3600 900\n"
	             "\t1w 300 )\n"
	             "\n"
	             "\tNS\tns1 ; trailing\n"
	             "ns1 5 IN A 192.0.2.1\n"
	             "    IN 6 AAAA 2001:db8::1\n"
	             "   ; nothing\n"
	             "$ORIGIN sub\n"
	             "ns1 TXT (\"a;(b\" \n c)\n"
	             "w.example. CNAME @\n"
	             "x TYPE65280 \\# 2 0102",
	             "3 example. 3600 IN SOA ns1.example. host.example. 1 3600 900 604800 300\n"
	             "7 example. 3600 IN NS ns1.example.\n"
	             "8 ns1.example. 5 IN A 192.0.2.1\n"
	             "9 ns1.example. 6 IN AAAA 2001:db8::1\n"
	             "12 ns1.sub.example. 3600 IN TXT \"a;(b\" \"c\"\n"
	             "14 w.example. 3600 IN CNAME sub.example.\n"
	             "15 x.sub.example. 3600 IN TYPE65280 \\# 2 0102\n");
	assert_items("", "");
	assert_items("\n\n ; x", "");
}

/* $TTL wins; without it the latest TTL stated, or a SOA's minimum (RFC1035 5.1, RFC2308 4). */
static void ttls(void **state)
{
	(void)state;
	assert_items("a A 1.1.1.1\na 5 A 1.1.1.2\na A 1.1.1.3\n$TTL 9\na 7 A 1.1.1.4\na A 1.1.1.5\n",
	             "1:12 the record has no TTL; expected one, or $TTL before it\n"
	             "2 a.example. 5 IN A 1.1.1.2\n"
	             "3 a.example. 5 IN A 1.1.1.3\n"
	             "5 a.example. 7 IN A 1.1.1.4\n"
	             "6 a.example. 9 IN A 1.1.1.5\n");
	assert_items("@ SOA a b 1 2 3 4 77\n NS a.\n", "1 example. 77 IN SOA a.example. b.example. 1 2 3 4 77\n"
	                                               "2 example. 77 IN NS a.\n");
}

static void classes(void **state)
{
	(void)state;
	assert_items("a 1 CH TXT x\nb TXT y\n", "1 a.example. 1 CH TXT \"x\"\n2 b.example. 1 CH TXT \"y\"\n");
}

static void errors_tell_place_and_go_on(void **state)
{
	(void)state;
	assert_items(" A 1.2.3.4\n"
	             "$TTL 60\n"
	             "x AX 1.2.3.4\n"
	             "y   A 1.2.3\n"
	             "y A\n"
	             "y A 1.2.3.4 5\n"
	             "z 99999999999 A 1.2.3.4\n"
	             "$FOO 1\n"
	             "\"quo A 1.2.3.4\n"
	             "y A ( 1.2.3.4\n  x )\n"
	             "y ANY x\n"
	             "a..b A 1.2.3.4\n"
	             "y A )\n"
	             "$TTL 1x\n"
	             "$ORIGIN\n"
	             "y\n"
	             "y A 1.2.3.4\n"
	             "y TXT ( \"open\"\n"
	             "y A 1.2.3.4\n",
	             "1:1 the first record has no owner; expected a domain name at the line's start\n"
	             "3:3 unknown record type 'AX'; expected a type such as A or AAAA\n"
	             "4:7 wrong address '1.2.3' in A; expected an IPv4 address\n"
	             "5:4 A lacks its address; expected an IPv4 address\n"
	             "6:13 unexpected '5' behind the data of A; expected the end of the line\n"
	             "7:3 TTL '99999999999' is out of range; expected at most 2147483647 seconds\n"
	             "8:1 unknown directive '$FOO'; expected $ORIGIN, $TTL, $INCLUDE or $GENERATE\n"
	             "9:1 unbalanced quote or parenthesis; expected its partner\n"
	             "11:3 unexpected 'x' behind the data of A; expected the end of the line\n"
	             "12:3 type ANY is for questions only; expected a type such as A or AAAA\n"
	             "13:1 wrong owner name 'a..b'; expected a domain name\n"
	             "14:5 wrong address ')' in A; expected an IPv4 address\n"
	             "15:6 wrong $TTL '1x'; expected one time such as 3600 or 1h\n"
	             "16:8 wrong $ORIGIN ''; expected one domain name\n"
	             "17:2 the record ends early; expected [TTL] [CLASS] TYPE and data\n"
	             "18 y.example. 60 IN A 1.2.3.4\n"
	             "19:7 a parenthesis is never closed; expected ')' before the end of the file\n");
}

static void includes(void **state)
{
	(void)state;
	assert_items("$INCLUDE \"a b.zone\"\n$INCLUDE keys/K.key sub ; x\n$INCLUDE\n$INCLUDE a b c\n",
	             "1 include a b.zone example.\n"
	             "2 include keys/K.key sub.example.\n"
	             "3:9 wrong $INCLUDE at ''; expected FILE [ORIGIN]\n"
	             "4:14 wrong $INCLUDE at 'c'; expected FILE [ORIGIN]\n");
}

static void generate(void **state)
{
	(void)state;
	assert_items("$TTL 1\n"
	             "$GENERATE 1-3/2 h$ A 10.0.0.$\n"
	             "$GENERATE 9-10 ${0,3,d} 5 IN CNAME h${-9}.x$$y.${1,2,X}.\n"
	             "$GENERATE 1-1 m$ MX \"10 mail$\"\n"
	             "$GENERATE 1-1 t$ TXT \"\\\"a $ b\\\" $\"\n"
	             "$GENERATE 18-18 ${0,8,n}ip6.${0,3,n} PTR ${0,0,o}\\$.\n"
	             " A 1.2.3.4\n",
	             "2 h1.example. 1 IN A 10.0.0.1\n"
	             "2 h3.example. 1 IN A 10.0.0.3\n"
	             "3 009.example. 5 IN CNAME h0.x\\$y.0A.\n"
	             "3 010.example. 5 IN CNAME h1.x\\$y.0B.\n"
	             "4 m1.example. 1 IN MX 10 mail1.example.\n"
	             "5 t1.example. 1 IN TXT \"a 1 b\" \"1\"\n"
	             "6 2.1.0.0.ip6.2.1.example. 1 IN PTR 22\\$.\n"
	             "7 2.1.0.0.ip6.2.1.example. 1 IN A 1.2.3.4\n");
	assert_items("$TTL 1\n"
	             "$GENERATE 0-65536 h$ A 10.0.0.1\n"
	             "$GENERATE 2-1 h$ A 10.0.0.1\n"
	             "$GENERATE 1-2/0 h$ A 10.0.0.1\n"
	             "$GENERATE 1-300 h$ A 10.0.0.${255}\n"
	             "$GENERATE 1-2 h${-2} A 10.0.0.1\n"
	             "$GENERATE 1-2 h${1,2,q} A 10.0.0.1\n"
	             "$GENERATE 1-2 h$ FOO 10.0.0.1\n"
	             "$GENERATE 1-2 h$ A\n",
	             "2:11 range '0-65536' is too long; expected at most 65536 records\n"
	             "3:11 wrong $GENERATE at '2-1'; expected START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA\n"
	             "4:11 wrong $GENERATE at '1-2/0'; expected START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA\n"
	             "5:1 $GENERATE gives no record for number 1 (syntax error); expected a name and data\n"
	             "6:1 $GENERATE gives no record for number 1 (out of range); expected a name and data\n"
	             "7:1 $GENERATE gives no record for number 1 (syntax error); expected a name and data\n"
	             "8:18 unknown record type 'FOO'; expected a type such as A or AAAA\n"
	             "9:19 wrong $GENERATE at ''; expected START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE DATA\n");
}

static void state_for_an_include(void **state)
{
	(void)state;
	struct arena a;
	struct zonefile_item item;
	struct zonefile_conf conf = { .class = CLASS_IN };
	arena_init(&a, 1 << 20);
	struct zonefile *z = zonefile_new(&a, span_text("$ORIGIN net.\n$TTL 42\n$INCLUDE x\n"), &conf);
	zonefile_next(z, &item);
	assert_int_equal(item.kind, ZF_INCLUDE);
	conf = zonefile_state(z);
	assert_int_equal(conf.ttl, 42);
	assert_true(conf.ttl_known && conf.class == CLASS_IN && conf.origin.labels == 1);
	arena_free(&a);
	arena_init(&a, 100);
	assert_null(zonefile_new(&a, span_text(""), &conf));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_file), cmocka_unit_test(ttls), cmocka_unit_test(classes),
		cmocka_unit_test(errors_tell_place_and_go_on), cmocka_unit_test(includes), cmocka_unit_test(generate),
		cmocka_unit_test(state_for_an_include),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
