/* Two endpoints joined in memory: who is believed, who is not, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/heap.h"
#include "proto/tls_inside.h"
#include "proto/tls_testca.h"

#define YEAR (365 * 86400L)
#define PUMPS_MAX 100000u

struct world {
	struct tls_testca ca, stranger;
	struct tls_store *store;
	char why_text[256];
	struct buf why;
};

static struct world world;

static int set_up(void **state)
{
	(void)state;
	tls_testca_init(&world.ca, "Test CA");
	tls_testca_init(&world.stranger, "Some \"other\" CA\n");
	world.why = buf_on(world.why_text, sizeof(world.why_text));
	world.store = tls_store_parse(tls_testca_pem(&world.ca), &world.why);
	assert_non_null(world.store);
	assert_int_equal(tls_store_count(world.store), 1);
	assert_int_equal(world.why.n, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_store_free(world.store);
	tls_testca_fini(&world.ca);
	tls_testca_fini(&world.stranger);
	assert_int_equal(heap_blocks(), 0);
	return 0;
}

static struct tls_context *server_with(const struct tls_testca *ca, const char *san, long from, long until)
{
	struct tls_testleaf leaf;
	tls_testca_leaf(ca, san, from, until, &leaf);
	struct tls_server_conf conf = { .certificate = tls_testca_span(leaf.certificate),
	                                .key = tls_testca_span(leaf.key), .alpn = "dot" };
	struct tls_context *c = tls_server_context(&conf, &world.why);
	tls_testca_drop(&leaf);
	assert_non_null(c);
	return c;
}

static struct tls_context *client_with(struct tls_store *store, const char *alpn)
{
	struct tls_client_conf conf = { .store = store, .alpn = alpn };
	struct tls_context *c = tls_client_context(&conf, &world.why);
	assert_non_null(c);
	return c;
}

/* Move at most `step` bytes from one to the other. Returns whether there was something. */
static bool move(struct tls *from, struct tls *to, size_t step)
{
	uint8_t piece[4096];
	struct span s = tls_output(from);
	size_t n = MIN(MIN(s.n, step), sizeof(piece));
	if (n == 0)
		return false;
	memcpy(piece, s.p, n);
	tls_sent(from, n);
	tls_feed(to, span_of(piece, n));
	assert_int_equal(tls_keep(to), OK);
	memset(piece, 0xee, sizeof(piece));   /* nobody may look at it any more */
	return true;
}

static void pump(struct tls *a, struct tls *b, size_t step)
{
	bool busy = true;
	for (unsigned i = 0; busy && i < PUMPS_MAX; i++) {
		busy = move(a, b, step);
		busy = move(b, a, step) || busy;
	}
	assert_false(busy);
}

static void say(struct tls *from, struct tls *to, const char *text, size_t step)
{
	char got[256];
	assert_int_equal(tls_write(from, span_text(text)), OK);
	pump(from, to, step);
	assert_true(tls_waits(to));
	size_t n = tls_read(to, got, sizeof(got));
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, n);
	assert_int_equal(tls_read(to, got, sizeof(got)), 0);
	assert_false(tls_waits(to));
}

/* One meeting: what became of it, with the text that a person reads. */
struct meeting {
	const char *label;
	bool stranger;             /* the server's certificate is from a CA nobody knows */
	const char *san;
	long from, until;
	bool store;
	const char *name;
	enum tls_fault fault;
	const char *text;          /* how it begins */
};

static const struct meeting meetings[] = {
	{ "name fits", false, "DNS:one.example", -60, YEAR, true, "one.example", TLS_FAULT_NONE, "" },
	{ "name with a dot at its end", false, "DNS:one.example", -60, YEAR, true, "one.example.", TLS_FAULT_NONE, "" },
	{ "wildcard", false, "DNS:*.dns.example", -60, YEAR, true, "one.dns.example", TLS_FAULT_NONE, "" },
	{ "wildcard two labels deep", false, "DNS:*.dns.example", -60, YEAR, true, "a.one.dns.example", TLS_FAULT_AUTH,
	  "certificate verify failed: hostname mismatch" },
	{ "partial wildcard", false, "DNS:o*.dns.example", -60, YEAR, true, "one.dns.example", TLS_FAULT_AUTH,
	  "certificate verify failed: hostname mismatch; certificate is for o*.dns.example, expected one.dns.example" },
	{ "wrong name", false, "DNS:two.example,IP:192.0.2.7", -60, YEAR, true, "one.example", TLS_FAULT_AUTH,
	  "certificate verify failed: hostname mismatch; certificate is for two.example, 192.0.2.7, "
	  "expected one.example" },
	{ "many wrong names", false, "DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example", -60, YEAR, true,
	  "one.example", TLS_FAULT_AUTH,
	  "certificate verify failed: hostname mismatch; certificate is for a.example, b.example, c.example and 1 "
	  "more, expected one.example" },
	{ "the subject counts only without SAN", false, "DNS:two.example", -60, YEAR, true, "leaf.test", TLS_FAULT_AUTH,
	  "certificate verify failed: hostname mismatch" },
	{ "no SAN at all", false, NULL, -60, YEAR, true, "leaf.test", TLS_FAULT_NONE, "" },
	{ "address fits", false, "IP:192.0.2.1,IP:2001:db8::1", -60, YEAR, true, "2001:db8::1", TLS_FAULT_NONE, "" },
	{ "wrong address", false, "IP:192.0.2.1", -60, YEAR, true, "192.0.2.2", TLS_FAULT_AUTH,
	  "certificate verify failed: address mismatch; certificate is for 192.0.2.1, expected 192.0.2.2" },
	{ "address as a name", false, "DNS:192.0.2.1", -60, YEAR, true, "192.0.2.1", TLS_FAULT_AUTH,
	  "certificate verify failed: address mismatch" },
	{ "unknown CA", true, "DNS:one.example", -60, YEAR, true, "one.example", TLS_FAULT_AUTH,
	  "certificate verify failed: unknown CA; issued by Some ?other? CA?" },
	{ "expired", false, "DNS:one.example", -YEAR, -60, true, "one.example", TLS_FAULT_AUTH,
	  "certificate verify failed: certificate has expired by this machine's clock (20" },
	{ "not yet", false, "DNS:one.example", 3600, YEAR, true, "one.example", TLS_FAULT_AUTH,
	  "certificate verify failed: certificate is not yet valid by this machine's clock (20" },
	{ "chain alone, any name", false, "DNS:two.example", -60, YEAR, true, NULL, TLS_FAULT_NONE, "" },
	{ "chain alone, unknown CA", true, "DNS:two.example", -60, YEAR, true, "", TLS_FAULT_AUTH,
	  "certificate verify failed: unknown CA" },
	{ "name without a bundle", false, "DNS:one.example", -60, YEAR, false, "one.example", TLS_FAULT_AUTH,
	  "no CA certificates to check the name with" },
	{ "neither", true, "DNS:two.example", -YEAR, -60, false, NULL, TLS_FAULT_NONE, "" },
};

static void meet(const struct meeting *m, size_t step)
{
	struct tls_context *sc = server_with(m->stranger ? &world.stranger : &world.ca, m->san, m->from, m->until);
	struct tls_context *cc = client_with(m->store ? world.store : NULL, "dot");
	struct tls *server = tls_server_new(sc);
	struct tls *client = tls_client_new(cc, m->name, NULL);
	pump(client, server, step);
	if (tls_fault(client) != m->fault || strncmp(tls_text(client), m->text, strlen(m->text)) != 0)
		fail_msg("%s: fault %d, %s", m->label, tls_fault(client), tls_text(client));
	if (m->fault == TLS_FAULT_NONE) {
		assert_int_equal(tls_state(client), TLS_OPEN);
		assert_int_equal(tls_state(server), TLS_OPEN);
		assert_string_equal(tls_version(client), "TLSv1.3");
		say(client, server, "question", step);
		say(server, client, "answer", step);
	} else {
		assert_int_equal(tls_state(client), TLS_FAILED);
		assert_int_equal(tls_write(client, span_text("x")), ERR_REFUSED);
		/* The server is told by an alert, and says so; a client that did not begin says nothing. */
		if (client->ssl != NULL)
			assert_int_equal(tls_state(server), TLS_FAILED);
	}
	tls_free(client);
	tls_free(server);
	tls_context_free(cc);
	tls_context_free(sc);
}

static void who_is_believed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(meetings); i++)
		meet(&meetings[i], 4096);
}

static void byte_by_byte(void **state)
{
	(void)state;
	meet(&meetings[0], 1);
	meet(&meetings[4], 1);
	meet(&meetings[0], 7);
}

/* A pair that has shaken hands. */
struct pair {
	struct tls_context *cc, *sc;
	struct tls *client, *server;
};

static void pair_meet(struct pair *p, const char *name, struct tls_sessions *sessions)
{
	p->server = tls_server_new(p->sc);
	p->client = tls_client_new(p->cc, name, sessions);
	pump(p->client, p->server, 4096);
	assert_int_equal(tls_state(p->client), TLS_OPEN);
	assert_int_equal(tls_state(p->server), TLS_OPEN);
}

static void pair_part(struct pair *p, struct tls_sessions *sessions)
{
	char nothing[16];
	assert_int_equal(tls_read(p->client, nothing, sizeof(nothing)), 0);
	if (sessions != NULL)
		tls_sessions_take(p->client, sessions);
	tls_free(p->client);
	tls_free(p->server);
}

static void pair_init(struct pair *p)
{
	*p = (struct pair){ .cc = client_with(world.store, "dot"),
	                    .sc = server_with(&world.ca, "DNS:one.example,DNS:two.example", -60, YEAR) };
}

static void pair_fini(struct pair *p)
{
	tls_context_free(p->cc);
	tls_context_free(p->sc);
}

static void sessions_are_resumed(void **state)
{
	struct pair p;
	struct tls_sessions s;
	(void)state;
	pair_init(&p);
	tls_sessions_init(&s);
	pair_meet(&p, "one.example", &s);
	assert_false(tls_resumed(p.client));
	pair_part(&p, &s);
	assert_int_equal(s.n, 1);
	pair_meet(&p, "one.example", &s);
	assert_true(tls_resumed(p.client));
	assert_true(tls_resumed(p.server));
	assert_int_equal(s.n, 0);   /* each ticket once */
	say(p.client, p.server, "again", 4096);
	pair_part(&p, &s);
	assert_int_equal(s.n, 1);
	/* A session of one name proves nothing of another, even at the same server. */
	pair_meet(&p, "two.example", &s);
	assert_false(tls_resumed(p.client));
	pair_part(&p, &s);
	assert_string_equal(s.name, "two.example");
	assert_int_equal(s.n, 1);
	/* Nor does one made without any proof. */
	struct tls_context *checked = p.cc;
	p.cc = client_with(NULL, "dot");
	tls_sessions_fini(&s);
	pair_meet(&p, NULL, &s);
	pair_part(&p, &s);
	assert_int_equal(s.n, 1);
	tls_context_trust(p.cc, world.store);
	pair_meet(&p, NULL, &s);
	assert_false(tls_resumed(p.client));
	pair_part(&p, NULL);
	tls_context_free(checked);
	tls_sessions_fini(&s);
	pair_fini(&p);
}

static void sessions_are_bounded(void **state)
{
	struct pair p;
	struct tls_sessions s;
	(void)state;
	pair_init(&p);
	tls_sessions_init(&s);
	for (unsigned i = 0; i < 2 * TLS_SESSIONS_MAX; i++) {
		pair_meet(&p, "one.example", NULL);
		pair_part(&p, &s);
	}
	assert_int_equal(s.n, TLS_SESSIONS_MAX);
	tls_sessions_fini(&s);
	pair_fini(&p);
}

static void old_version_and_its_sessions(void **state)
{
	struct pair p;
	struct tls_sessions s;
	(void)state;
	pair_init(&p);
	tls_sessions_init(&s);
	SSL_CTX_set_max_proto_version(p.sc->ssl, TLS1_2_VERSION);
	pair_meet(&p, "one.example", &s);
	assert_string_equal(tls_version(p.client), "TLSv1.2");
	pair_part(&p, &s);
	for (unsigned i = 0; i < 3; i++) {
		pair_meet(&p, "one.example", &s);
		assert_true(tls_resumed(p.client));
		pair_part(&p, &s);
	}
	tls_sessions_fini(&s);
	SSL_CTX_set_min_proto_version(p.sc->ssl, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(p.sc->ssl, TLS1_1_VERSION);
	p.server = tls_server_new(p.sc);
	p.client = tls_client_new(p.cc, "one.example", NULL);
	pump(p.client, p.server, 4096);
	assert_int_equal(tls_state(p.client), TLS_FAILED);
	assert_int_equal(tls_fault(p.client), TLS_FAULT_PROTOCOL);
	tls_free(p.client);
	tls_free(p.server);
	pair_fini(&p);
}

static void ticket_keys_are_shared(void **state)
{
	uint8_t key[TLS_TICKET_KEY];
	struct pair p;
	struct tls_sessions s;
	(void)state;
	memset(key, 7, sizeof(key));
	pair_init(&p);
	tls_sessions_init(&s);
	tls_context_rekey(p.sc, span_of(key, sizeof(key)));
	pair_meet(&p, "one.example", &s);
	pair_part(&p, &s);
	tls_context_free(p.sc);
	p.sc = server_with(&world.ca, "DNS:one.example", -60, YEAR);   /* another worker */
	tls_context_rekey(p.sc, span_of(key, sizeof(key)));
	pair_meet(&p, "one.example", &s);
	assert_true(tls_resumed(p.client));
	pair_part(&p, &s);
	key[0]++;
	tls_context_rekey(p.sc, span_of(key, sizeof(key)));
	pair_meet(&p, "one.example", &s);
	assert_false(tls_resumed(p.client));
	pair_part(&p, NULL);
	tls_sessions_fini(&s);
	pair_fini(&p);
}

static void goodbye_and_cut(void **state)
{
	struct pair p;
	char got[16];
	(void)state;
	pair_init(&p);
	pair_meet(&p, "one.example", NULL);
	assert_int_equal(tls_write(p.server, span_text("last")), OK);
	tls_close(p.server);
	assert_int_equal(tls_state(p.server), TLS_CLOSED);
	pump(p.client, p.server, 4096);
	assert_int_equal(tls_state(p.client), TLS_OPEN);   /* what came before the goodbye is read first */
	assert_int_equal(tls_read(p.client, got, sizeof(got)), 4);
	assert_int_equal(tls_state(p.client), TLS_CLOSED);
	assert_int_equal(tls_fault(p.client), TLS_FAULT_NONE);
	pair_part(&p, NULL);
	pair_meet(&p, "one.example", NULL);
	tls_end(p.client);
	assert_int_equal(tls_state(p.client), TLS_CLOSED);
	pair_part(&p, NULL);
	p.server = tls_server_new(p.sc);
	p.client = tls_client_new(p.cc, "one.example", NULL);
	tls_end(p.client);
	assert_int_equal(tls_state(p.client), TLS_FAILED);
	assert_string_equal(tls_text(p.client), "connection closed during the TLS handshake");
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void not_tls_at_all(void **state)
{
	struct pair p;
	(void)state;
	pair_init(&p);
	p.server = tls_server_new(p.sc);
	p.client = tls_client_new(p.cc, "one.example", NULL);
	tls_feed(p.client, span_text("HTTP/1.1 400 Bad Request\r\n\r\n"));
	assert_int_equal(tls_state(p.client), TLS_FAILED);
	assert_int_equal(tls_fault(p.client), TLS_FAULT_PROTOCOL);
	assert_true(strncmp(tls_text(p.client), "TLS handshake: ", 15) == 0);
	tls_feed(p.client, span_text("more"));
	assert_int_equal(tls_keep(p.client), OK);
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void another_protocol_is_refused(void **state)
{
	struct pair p;
	(void)state;
	pair_init(&p);
	tls_context_free(p.cc);
	p.cc = client_with(world.store, "h2");
	p.server = tls_server_new(p.sc);
	p.client = tls_client_new(p.cc, "one.example", NULL);
	pump(p.client, p.server, 4096);
	assert_int_equal(tls_state(p.client), TLS_FAILED);
	assert_int_equal(tls_state(p.server), TLS_FAILED);
	pair_part(&p, NULL);
	tls_context_free(p.cc);
	p.cc = client_with(world.store, NULL);
	pair_meet(&p, "one.example", NULL);
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void a_peer_that_does_not_read(void **state)
{
	static uint8_t much[65536];
	struct pair p;
	unsigned n = 0;
	(void)state;
	pair_init(&p);
	pair_meet(&p, "one.example", NULL);
	while (n < 100 && tls_write(p.server, span_of(much, sizeof(much))) == OK)
		n++;
	assert_int_equal(n, TLS_OUT_MAX / sizeof(much) - 1);
	assert_true(tls_output(p.server).n <= TLS_OUT_MAX);
	assert_int_equal(tls_state(p.server), TLS_OPEN);
	/* And it is whole when it reads after all, in small pieces that leave some of it waiting. */
	size_t got = 0;
	for (unsigned i = 0; i < PUMPS_MAX && got < n * sizeof(much); i++) {
		uint8_t some[700];
		move(p.server, p.client, 4096);
		while (tls_waits(p.client))
			got += tls_read(p.client, some, sizeof(some));
	}
	assert_int_equal(got, n * sizeof(much));
	tls_rest(p.server);
	assert_int_equal(tls_output(p.server).n, 0);
	assert_null(p.server->out.p);
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void fed_without_reading(void **state)
{
	static uint8_t junk[65536];
	struct pair p;
	(void)state;
	pair_init(&p);
	pair_meet(&p, "one.example", NULL);
	enum err e = OK;
	unsigned n = 0;
	for (; e == OK && n < 100; n++) {
		tls_feed(p.client, span_of(junk, sizeof(junk)));
		e = tls_keep(p.client);
	}
	assert_int_equal(e, ERR_LIMIT);
	assert_true(n <= TLS_IN_MAX / sizeof(junk) + 1);
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void records_without_data(void **state)
{
	struct pair p;
	char got[16];
	(void)state;
	pair_init(&p);
	pair_meet(&p, "one.example", NULL);
	/* Key updates are work for nothing: some are fine, a flood is not. */
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(SSL_key_update(p.server->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p.server->ssl), 1);
	}
	say(p.server, p.client, "still here", 4096);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(SSL_key_update(p.server->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p.server->ssl), 1);
	}
	pump(p.client, p.server, 4096);
	assert_int_equal(tls_read(p.client, got, sizeof(got)), 0);
	assert_int_equal(tls_fault(p.client), TLS_FAULT_LIMIT);
	pair_part(&p, NULL);
	pair_fini(&p);
}

static void bad_files(void **state)
{
	struct tls_testleaf a, b;
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	(void)state;
	assert_null(tls_store_parse(span_text("nothing of the kind"), &why));
	assert_string_equal(buf_cstr(&why), "no certificate in it");
	why = buf_on(text, sizeof(text));
	assert_null(tls_store_load("/nonexistent/ca.pem", &why));
	assert_non_null(strstr(buf_cstr(&why), "/nonexistent/ca.pem: no such file"));
	tls_testca_leaf(&world.ca, "DNS:a.example", -60, YEAR, &a);
	tls_testca_leaf(&world.ca, "DNS:b.example", -60, YEAR, &b);
	struct tls_server_conf conf = { .certificate = tls_testca_span(a.certificate), .key = tls_testca_span(b.key) };
	why = buf_on(text, sizeof(text));
	assert_null(tls_server_context(&conf, &why));
	assert_non_null(strstr(buf_cstr(&why), "key"));
	conf.certificate = span_text("rubbish");
	why = buf_on(text, sizeof(text));
	assert_null(tls_server_context(&conf, &why));
	assert_non_null(strstr(buf_cstr(&why), "certificate"));
	tls_testca_drop(&a);
	tls_testca_drop(&b);
}

static void a_library_of_its_own(void **state)
{
	struct pair p;
	struct crypto_lib *lib = crypto_lib_new(&world.why);
	(void)state;
	assert_non_null(lib);
	pair_init(&p);
	tls_context_free(p.cc);
	struct tls_client_conf conf = { .lib = lib, .store = world.store, .alpn = "dot" };
	p.cc = tls_client_context(&conf, &world.why);
	assert_non_null(p.cc);
	pair_meet(&p, "one.example", NULL);
	say(p.client, p.server, "hello", 4096);
	pair_part(&p, NULL);
	pair_fini(&p);
	crypto_lib_free(lib);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_believed),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(sessions_are_bounded),
		cmocka_unit_test(old_version_and_its_sessions),
		cmocka_unit_test(ticket_keys_are_shared),
		cmocka_unit_test(goodbye_and_cut),
		cmocka_unit_test(not_tls_at_all),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(a_peer_that_does_not_read),
		cmocka_unit_test(fed_without_reading),
		cmocka_unit_test(records_without_data),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(a_library_of_its_own),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
