#include "core/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char page[65536];

static struct client client_of(enum proto proto, uint8_t family, uint16_t type, bool dnssec)
{
	return (struct client){ .proto = proto, .from.family = family, .question.type = type,
		                .edns = { .present = dnssec, .dnssec_ok = dnssec } };
}

static const char *text_of(const struct tally *const *list, unsigned n)
{
	struct arena a;
	struct samples s;
	struct buf b = buf_on(page, sizeof(page));
	arena_init(&a, 1u << 20);
	samples_init(&s, &a);
	tally_samples(list, n, "server=\"dns://:53\",zone=\".\",view=\"\"", &s);
	samples_text(&s, &b);
	arena_free(&a);
	return buf_cstr(&b);
}

#define HAS(text, line) assert_non_null(strstr(text, line))
#define L "{server=\"dns://:53\",zone=\".\",view=\"\""

static void two_workers_are_one_series(void **state)
{
	static struct tally one, two;
	const struct tally *list[] = { &one, &two };
	struct client udp = client_of(PROTO_UDP, ADDR_4, RR_A, true), dot = client_of(PROTO_DOT, ADDR_6, 999, false);
	static const char cache[] = "cache";
	(void)state;
	tally_request(&one, &udp, 40);
	tally_request(&two, &udp, 101);
	tally_request(&two, &dot, 40);
	tally_response(&one, &udp, &(struct tally_reply){ RCODE_NOERROR, cache, 300 });
	tally_response(&two, &udp, &(struct tally_reply){ RCODE_NOERROR, cache, 70000 });
	tally_response(&two, &dot, &(struct tally_reply){ RCODE_SERVFAIL, "", 40 });
	tally_status(&one, 200, 2);
	tally_status(&two, 200, 1);
	tally_status(&two, 418, 1);
	tally_time(&one, 250, 2);
	tally_time(&two, 9000000, 1);
	const char *t = text_of(list, 2);
	HAS(t, "coredns_dns_requests_total" L ",proto=\"udp\",family=\"1\",type=\"A\"} 2\n");
	HAS(t, "coredns_dns_requests_total" L ",proto=\"tcp\",family=\"2\",type=\"other\"} 1\n");
	HAS(t, "coredns_dns_do_requests_total" L "} 2\n");
	HAS(t, "coredns_dns_https_responses_total" L ",status=\"200\"} 3\n");
	HAS(t, "coredns_dns_https_responses_total" L ",status=\"500\"} 1\n");
	HAS(t, "coredns_dns_responses_total" L ",rcode=\"NOERROR\",plugin=\"cache\"} 2\n");
	HAS(t, "coredns_dns_responses_total" L ",rcode=\"SERVFAIL\",plugin=\"\"} 1\n");
	HAS(t, "coredns_dns_request_size_bytes_bucket" L ",proto=\"udp\",le=\"100\"} 1\n");
	HAS(t, "coredns_dns_request_size_bytes_sum" L ",proto=\"udp\"} 141\n");
	HAS(t, "coredns_dns_response_size_bytes_bucket" L ",proto=\"udp\",le=\"64000\"} 1\n");
	HAS(t, "coredns_dns_response_size_bytes_count" L ",proto=\"udp\"} 2\n");
	HAS(t, "coredns_dns_request_duration_seconds_bucket" L ",le=\"0.00025\"} 2\n");
	HAS(t, "coredns_dns_request_duration_seconds_bucket" L ",le=\"8.192\"} 2\n");
	HAS(t, "coredns_dns_request_duration_seconds_count" L "} 3\n");
}

static void more_pairs_than_places(void **state)
{
	static struct tally t;
	static const char a[] = "a", b[] = "b", c[] = "c", d[] = "d";
	const char *plugins[] = { a, b, c, d };
	const struct tally *list[] = { &t };
	struct client udp = client_of(PROTO_UDP, ADDR_4, RR_A, false);
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		tally_response(&t, &udp, &(struct tally_reply){ i / 4, plugins[i % 4], 0 });
	uint64_t n = 0;
	for (unsigned i = 0; i < TALLY_RESPONSES; i++)
		n += t.responses[i].n;
	assert_int_equal(n, 100);
	HAS(text_of(list, 1), "rcode=\"NOERROR\",plugin=\"d\"} 1\n");
}

static void nothing_asked_nothing_told(void **state)
{
	static struct tally t;
	const struct tally *list[] = { &t };
	(void)state;
	assert_string_equal(text_of(list, 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(two_workers_are_one_series),
		                            cmocka_unit_test(more_pairs_than_places),
		                            cmocka_unit_test(nothing_asked_nothing_told) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
