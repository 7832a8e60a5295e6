#include "core/autotrust.h"

#include "core/signed_test.h"

#define KSKS 4u
#define TEXT_MAX_BYTES 65536u

static struct arena arena;
static struct diag diag;
static struct verifier *verifier;
static struct effort effort;
static struct rng rng;
static struct signer *ksk[KSKS], *zsk;
static struct autotrust trust;
static struct autotrust_conf conf;
static uint32_t wall;

static int set_up(void **state)
{
	arena_init(&arena, 32u << 20);
	diag_init(&diag, &arena);
	verifier = test_verifier();
	rng_seed_number(&rng, 1);
	for (unsigned i = 0; i < KSKS; i++)
		ksk[i] = signer_new(&arena, "example", (uint8_t)(10 + i), 257);
	zsk = signer_new(&arena, "example", 20, 256);
	wall = WALL;
	conf = autotrust_usual;
	trust = (struct autotrust){ .zone = zsk->zone, .arena = &arena, .nkeys = 1, .succeeded = WALL - DAY,
	                            .keys = { { .rdata = signer_key(ksk[0]), .state = AUTO_VALID } } };
	return 0;
}

static int tear_down(void **state)
{
	verifier_free(verifier);
	arena_free(&arena);
	return 0;
}

static struct signer *revoked(const struct signer *s)
{
	struct signer *r = arena_dup(&arena, s, sizeof(*s));
	put_u16(r->rdata, 257 | DNSKEY_REVOKED);
	r->tag = dnskey_tag(signer_key(r));
	return r;
}

/* A probe that finds `keys`, signed by those of them that are in `by`. NULL ends a list. */
static struct ruling probe(const struct signer *const *keys, const struct signer *const *by)
{
	struct msg m = { .flags = FLAG_QR };
	struct msg_rrsets sets = { 0 };
	struct validator v = { verifier, &validate_usual, &effort, &arena, wall };
	effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
	for (; keys != NULL && *keys != NULL; keys++)
		add_dnskey(&arena, &m, zsk->zone, signer_key(*keys));
	for (; keys != NULL && *by != NULL; by++)
		sign_last(&arena, &m, *by, (struct twist){ .inception = wall - DAY, .expiration = wall + 20 * DAY });
	if (keys != NULL)
		assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
	struct autotrust_turn turn = { &conf, wall, &rng };
	autotrust_begin(&trust, &turn);
	return autotrust_probe(&trust, &turn, &v, keys != NULL ? &sets.list[0] : NULL);
}

#define LIST(...) ((const struct signer *const[]){ __VA_ARGS__, NULL })

static int state_of(const struct signer *s)
{
	for (unsigned i = 0; i < trust.nkeys; i++)
		if (memcmp(trust.keys[i].rdata.p + 4, s->rdata + 4, 32) == 0)
			return (int)trust.keys[i].state;
	return -1;
}

static bool vouches(const struct signer *s)
{
	struct trust t;
	autotrust_trust(&trust, &t);
	for (unsigned i = 0; i < t.nkeys; i++)
		if (span_eq(t.keys[i], signer_key(s)))
			return true;
	return false;
}

static void a_new_key_waits_for_its_time(void **state)
{
	assert_int_equal(probe(LIST(ksk[0], ksk[1], zsk), LIST(ksk[0])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);
	assert_int_equal(state_of(zsk), -1);   /* no SEP bit: no anchor */
	wall += 29 * DAY;
	probe(LIST(ksk[0], ksk[1], zsk), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);
	assert_false(vouches(ksk[1]));
	wall += DAY + 1;
	probe(LIST(ksk[0], ksk[1], zsk), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_VALID);
	assert_true(vouches(ksk[1]));
	/* the old one leaves */
	probe(LIST(ksk[1], zsk), LIST(ksk[1]));
	assert_int_equal(state_of(ksk[0]), AUTO_MISSING);
	assert_true(vouches(ksk[0]));
	wall += 366 * DAY + 1;
	probe(LIST(ksk[1], zsk), LIST(ksk[1]));
	assert_int_equal(state_of(ksk[0]), -1);
	assert_true(vouches(ksk[1]));
}

static void a_key_seen_for_less_is_forgotten(void **state)
{
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	wall += 29 * DAY;
	probe(LIST(ksk[0]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), -1);
	wall += 2 * DAY;
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);   /* C13: its time begins anew */
}

static void one_sighting_is_not_enough(void **state)
{
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	trust.keys[1].count = 0;
	wall += 31 * DAY;
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_VALID);
}

static void a_new_key_must_be_vouched_for(void **state)
{
	assert_int_equal(probe(LIST(ksk[0], ksk[1]), LIST(ksk[1])).security, SECURITY_BOGUS);
	assert_int_equal(state_of(ksk[1]), -1);
	assert_int_equal(trust.failed, 1);
	assert_int_equal(probe(NULL, NULL).security, SECURITY_BOGUS);
	assert_int_equal(trust.failed, 1);                /* nothing came: that says nothing of the keys */
	assert_int_equal(state_of(ksk[0]), AUTO_VALID);   /* an answer that proves nothing changes nothing */
	assert_int_equal(probe(LIST(ksk[0]), LIST(ksk[0])).security, SECURITY_SECURE);
	assert_int_equal(trust.failed, 0);
}

static void revocation_is_at_once(void **state)
{
	trust.keys[trust.nkeys++] = (struct autokey){ .rdata = signer_key(ksk[1]), .state = AUTO_VALID };
	struct signer *gone = revoked(ksk[0]);
	/* not signed by itself: somebody else's claim */
	assert_int_equal(probe(LIST(gone, ksk[1]), LIST(ksk[1])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[0]), AUTO_MISSING);
	assert_int_equal(probe(LIST(gone, ksk[1]), LIST(gone, ksk[1])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[0]), AUTO_REVOKED);
	assert_false(vouches(ksk[0]));
	/* it does not come back, and being seen again it is not forgotten either */
	wall += 20 * DAY;
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0], ksk[1]));
	assert_int_equal(state_of(ksk[0]), AUTO_REVOKED);
	wall += 20 * DAY;
	probe(LIST(ksk[1]), LIST(ksk[1]));
	assert_int_equal(state_of(ksk[0]), AUTO_REVOKED);
	wall += 10 * DAY + 1;
	probe(LIST(ksk[1]), LIST(ksk[1]));
	assert_int_equal(state_of(ksk[0]), -1);
}

/* A key that has left the set may sign it still. */
static void a_missing_key_vouches(void **state)
{
	trust.keys[trust.nkeys++] = (struct autokey){ .rdata = signer_key(ksk[1]), .state = AUTO_VALID };
	assert_int_equal(probe(LIST(zsk), LIST(ksk[1])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[0]), AUTO_MISSING);
	assert_int_equal(state_of(ksk[1]), AUTO_MISSING);
	assert_int_equal(probe(LIST(zsk, ksk[2]), LIST(zsk, ksk[2])).security, SECURITY_BOGUS);
}

static void a_pending_key_can_be_revoked(void **state)
{
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	struct signer *gone = revoked(ksk[1]);
	probe(LIST(ksk[0], gone), LIST(ksk[0], gone));
	assert_int_equal(state_of(ksk[1]), -1);
}

static char *text_of_trust(void)
{
	struct buf b = buf_on(arena_alloc(&arena, TEXT_MAX_BYTES), TEXT_MAX_BYTES);
	autotrust_write(&trust, &b);
	assert_true(buf_ok(&b));
	return buf_cstr(&b);
}

static void all_keys_revoked_is_the_end(void **state)
{
	struct signer *gone = revoked(ksk[0]);
	struct trust t;
	assert_int_equal(probe(LIST(gone), LIST(gone)).security, SECURITY_INSECURE);
	assert_true(trust.revoked);
	autotrust_trust(&trust, &t);
	assert_int_equal(t.nkeys + t.nds, 0);
	assert_non_null(strstr(text_of_trust(), "\n;;REVOKED\n"));
	struct autotrust again;
	assert_int_equal(autotrust_read(&arena, span_text(text_of_trust()), "f", &diag, &again), OK);
	assert_true(again.revoked);
	/* nothing that comes later revives it */
	probe(LIST(ksk[0]), LIST(ksk[0]));
	assert_true(trust.revoked);
}

static void seeds_grow_into_keys(void **state)
{
	uint8_t ds[4 + DIGEST_MAX];
	put_u16(ds, ksk[1]->tag);
	ds[2] = ALG_ED25519;
	ds[3] = DIGEST_SHA256;
	verifier_digest(verifier, DIGEST_SHA256, span_of(zsk->zone.wire, zsk->zone.len), signer_key(ksk[1]), ds + 4);
	trust.nkeys = 0;
	trust.succeeded = 0;
	trust.nds = 1;
	trust.ds[0] = span_of(ds, 36);
	assert_int_equal(probe(LIST(ksk[0]), LIST(ksk[0])).security, SECURITY_BOGUS);
	assert_int_equal(trust.nds, 1);
	assert_false(trust.unsaved);   /* seeds stay as their writer made them */
	assert_int_equal(probe(LIST(ksk[0], ksk[1]), LIST(ksk[0], ksk[1])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[1]), AUTO_VALID);
	assert_int_equal(state_of(ksk[0]), AUTO_ADDPEND);
	assert_int_equal(trust.nds, 0);
	assert_true(trust.unsaved);
	assert_true(trust.keys[1].changed == wall);
}

/* Somebody put the zone's signing key there: the keys that sign beside it take its place, but for once alone. */
static void a_seed_without_the_sep_bit_hands_over(void **state)
{
	trust.succeeded = 0;
	trust.keys[0] = (struct autokey){ .rdata = signer_key(zsk), .state = AUTO_VALID };
	assert_int_equal(probe(LIST(ksk[0], ksk[1], zsk), LIST(ksk[0], zsk)).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[0]), AUTO_VALID);
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);   /* it did not sign */
	assert_int_equal(state_of(zsk), -1);
	probe(LIST(ksk[0], ksk[2], zsk), LIST(ksk[0], ksk[2], zsk));
	assert_int_equal(state_of(ksk[2]), AUTO_ADDPEND);
}

static void a_key_grows_up_by_time_alone(void **state)
{
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	wall += 10 * DAY;
	probe(LIST(ksk[0], ksk[1]), LIST(ksk[0]));
	wall += 20 * DAY;
	probe(NULL, NULL);
	assert_int_equal(state_of(ksk[1]), AUTO_ADDPEND);
	wall += 1;
	assert_int_equal(probe(LIST(ksk[1]), LIST(ksk[1])).security, SECURITY_SECURE);
	assert_int_equal(state_of(ksk[1]), AUTO_VALID);
	assert_int_equal(state_of(ksk[0]), AUTO_MISSING);
}

static void what_cannot_verify_is_no_candidate(void **state)
{
	struct signer *odd = arena_dup(&arena, ksk[1], sizeof(*odd));
	odd->rdata[3] = 200;
	assert_int_equal(probe(LIST(ksk[0], odd), LIST(ksk[0])).security, SECURITY_SECURE);
	assert_int_equal(trust.nkeys, 1);
}

static void what_is_revoked_is_known_by_its_ds_too(void **state)
{
	uint8_t ds[36] = { 0 };
	struct trust builtin = { .nds = 1, .ds = { { ds, sizeof(ds) } } };
	put_u16(ds, ksk[0]->tag);
	ds[2] = ALG_ED25519;
	assert_false(autotrust_has_revoked(&trust, RR_DS, builtin.ds[0]));
	trust.keys[trust.nkeys++] = (struct autokey){ .rdata = signer_key(ksk[1]), .state = AUTO_VALID };
	struct signer *gone = revoked(ksk[0]);
	probe(LIST(gone, ksk[1]), LIST(gone, ksk[1]));
	assert_true(autotrust_has_revoked(&trust, RR_DS, builtin.ds[0]));
	assert_true(autotrust_has_revoked(&trust, RR_DNSKEY, signer_key(ksk[0])));
	assert_false(autotrust_has_revoked(&trust, RR_DNSKEY, signer_key(ksk[1])));
	assert_int_equal(autotrust_vouch(&trust, &builtin), OK);
	assert_int_equal(trust.nds, 0);
	put_u16(ds, ksk[1]->tag);
	assert_int_equal(autotrust_vouch(&trust, &builtin), OK);
	assert_int_equal(autotrust_vouch(&trust, &builtin), OK);
	assert_int_equal(trust.nds, 1);
}

static void probes_are_planned(void **state)
{
	probe(LIST(ksk[0]), LIST(ksk[0]));   /* TTL 3600 */
	assert_int_equal(trust.interval, HOUR);
	assert_int_equal(trust.retry, HOUR);
	assert_in_range(trust.next_probe - wall, HOUR - HOUR / 10, HOUR);
	trust.interval = trust.retry = 0;
	wall += 19 * DAY;
	struct autotrust before;
	assert_int_equal(autotrust_copy(&arena, &trust, &before), OK);
	probe(NULL, NULL);
	assert_in_range(trust.next_probe - wall, HOUR - HOUR / 10, HOUR);
	assert_false(autotrust_differs(&trust, &before));
	probe(LIST(revoked(ksk[0])), LIST(revoked(ksk[0])));
	assert_true(autotrust_differs(&trust, &before));
}

/* --- the file --- */

static const char file[] =
	"; autotrust trust anchor file\n"
	";;id: . 1\n"
	";;last_queried: 1795304231 ;;Sat Nov 21 23:37:11 2026\n"
	";;last_success: 1795304231 ;;Sat Nov 21 23:37:11 2026\n"
	";;next_probe_time: 1795307509 ;;Sun Nov 22 00:31:49 2026\n"
	";;query_failed: 0\n"
	";;query_interval: 43200\n"
	";;retry_time: 8640\n"
	".\t86400\tIN\tDNSKEY\t257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4= ;{id = 3613 (ksk), size = 256b} "
	";;state=2 [  VALID  ] ;;count=0 ;;lastchange=1795304231 ;;Sat Nov 21 23:37:11 2026\n"
	".\t86400\tIN\tDNSKEY\t257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs= ;{id = 35217 (ksk), size = 256b} "
	";;state=1 [ ADDPEND ] ;;count=5 ;;lastchange=1795304232 ;;Sat Nov 21 23:37:12 2026\n";

static void the_file_comes_back_as_it_was(void **state)
{
	enum err e = autotrust_read(&arena, span_text(file), "root.key", &diag, &trust);
	if (e != OK)
		fail_msg("%u: %s", diag.first->line, diag.first->text);
	assert_int_equal(trust.queried, 1795304231);
	assert_int_equal(trust.interval, 43200);
	assert_int_equal(trust.keys[1].count, 5);
	/* the newest key comes first: what was read is turned round, and twice is as it was */
	struct autotrust again;
	assert_int_equal(autotrust_read(&arena, span_text(text_of_trust()), "f", &diag, &again), OK);
	trust = again;
	assert_string_equal(text_of_trust(), file);
}

/* Files of old have keys with states and no header. */
static void states_need_no_header(void **state)
{
	const char *keys = strstr(file, ".\t86400");
	assert_int_equal(autotrust_read(&arena, span_text(keys), "root.key", &diag, &trust), OK);
	assert_int_equal(trust.nkeys, 2);
	assert_int_equal(trust.zone.len, 1);
	assert_int_equal(trust.keys[0].changed, 1795304231);
	assert_int_equal(trust.keys[1].state, AUTO_ADDPEND);
	assert_int_equal(trust.queried, 0);
}

static void files_are_read_with_care(void **state)
{
	static const struct { const char *what, *from, *to; enum err err; } cases[] = {
		{ "as it is", "", "", OK },
		{ "no state", ";;state=2 ", "", ERR_SYNTAX },
		{ "a state that is none", ";;state=2", ";;state=6", ERR_SYNTAX },
		{ "a large number", "lastchange=1795304231", "lastchange=99999999999999999999999", ERR_SYNTAX },
		{ "another zone", "\n.\t86400", "\nx.\t86400", ERR_SYNTAX },
		{ "a key that is none", "l02W", "l0*W", ERR_SYNTAX },
		{ "a record of another type", ";;retry_time: 8640\n", ". 1 IN A 192.0.2.1 ;;state=2\n", ERR_SYNTAX },
		{ "a number that is none", "query_interval: 43200", "query_interval: x", ERR_SYNTAX },
		{ "an unknown comment", ";;retry_time", ";;something", OK },
		{ "an interval that is too large", "query_interval: 43200", "query_interval: 4320000000000",
		  ERR_SYNTAX },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *at = strstr(file, cases[i].from);
		assert_non_null(at);
		char *text = arena_printf(&arena, "%.*s%s%s", (int)(at - file), file, cases[i].to,
		                          at + strlen(cases[i].from));
		diag_init(&diag, &arena);
		if (autotrust_read(&arena, span_text(text), "f", &diag, &trust) != cases[i].err)
			fail_msg("%s", cases[i].what);
	}
	assert_int_equal(autotrust_read(&arena, span_text(""), "f", &diag, &trust), ERR_NOTFOUND);
}

/* C13: a long line is one line, so what stands in its tail is no state. */
static void long_lines_are_one_line(void **state)
{
	size_t n = 64 * 1024;
	char *fill = arena_alloc(&arena, n + 1);
	memset(fill, 'x', n);
	char *text = arena_printf(&arena, "; %s\n%s;%s\n", fill, file, fill);
	assert_int_equal(autotrust_read(&arena, span_text(text), "f", &diag, &trust), OK);
	assert_int_equal(trust.nkeys, 2);
	const char *end = strstr(file, ";;state=1");
	text = arena_printf(&arena, "%.*s%s%s", (int)(end - file), file, fill, end);
	assert_int_equal(autotrust_read(&arena, span_text(text), "f", &diag, &trust), OK);
	assert_int_equal(trust.keys[1].state, AUTO_ADDPEND);
	uint8_t *large = arena_alloc(&arena, AUTOTRUST_FILE_MAX + 1);
	assert_int_equal(autotrust_read(&arena, span_of(large, AUTOTRUST_FILE_MAX + 1), "f", &diag, &trust), ERR_LIMIT);
}

static void seeds_are_plain_records(void **state)
{
	static const char seeds[] = "; seed\n. IN DS 20326 8 2 ( E06D44B80B8F1D39A95C0B0D7C65D084\n"
		" 58E880409BBC683457104237C7F8EC8D )\n. 1 IN DNSKEY 257 3 8 AwEAAQAB\n";
	static const char two_zones[] = ". DNSKEY 257 3 8 AwEAAQAB\nx. DNSKEY 257 3 8 AwEAAQAB\n";
	assert_int_equal(autotrust_read(&arena, span_text(seeds), "f", &diag, &trust), OK);
	assert_int_equal(trust.nds, 1);
	assert_int_equal(trust.nkeys, 1);
	assert_int_equal(trust.keys[0].state, AUTO_VALID);
	assert_int_equal(trust.queried, 0);
	assert_int_equal(autotrust_read(&arena, span_text(two_zones), "f", &diag, &trust), ERR_SYNTAX);
}

static void hold_downs_are_as_configured(void **state)
{
	conf = (struct autotrust_conf){ .add_holddown = 5, .del_holddown = 7, .keep_missing = 9 };
	probe(LIST(ksk[0], ksk[1], ksk[2]), LIST(ksk[0]));
	probe(LIST(ksk[0], ksk[1], ksk[2]), LIST(ksk[0]));
	wall += 6;
	probe(LIST(ksk[0], ksk[1], ksk[2]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), AUTO_VALID);
	struct signer *gone = revoked(ksk[1]);
	probe(LIST(ksk[0], gone), LIST(ksk[0], gone));
	assert_int_equal(state_of(ksk[1]), AUTO_REVOKED);
	assert_int_equal(state_of(ksk[2]), AUTO_MISSING);
	wall += 8;
	probe(LIST(ksk[0]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[1]), -1);
	assert_int_equal(state_of(ksk[2]), AUTO_MISSING);
	conf.keep_missing = 0;   /* for ever */
	wall += 1000 * DAY;
	probe(LIST(ksk[0]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[2]), AUTO_MISSING);
	conf.keep_missing = 9;
	probe(LIST(ksk[0]), LIST(ksk[0]));
	assert_int_equal(state_of(ksk[2]), -1);
}

static void small_intervals_want_a_permit(void **state)
{
	for (unsigned permitted = 0; permitted < 2; permitted++) {
		struct msg m = { .flags = FLAG_QR };
		struct msg_rrsets sets = { 0 };
		struct validator v = { verifier, &validate_usual, &effort, &arena, wall };
		conf.permit_small = permitted == 1;
		effort = (struct effort){ EFFORT_VERIFIES, EFFORT_BLOCKS };
		add_dnskey(&arena, &m, zsk->zone, signer_key(ksk[0]));
		m.rrs[0].ttl = 10;
		sign_last(&arena, &m, ksk[0], (struct twist){ .inception = wall - DAY, .expiration = wall + DAY });
		assert_int_equal(rrsets_of(&arena, &m, 3, &sets), OK);
		struct autotrust_turn turn = { &conf, wall, &rng };
		autotrust_probe(&trust, &turn, &v, &sets.list[0]);
		assert_int_equal(trust.interval, permitted ? 5 : HOUR);
	}
}

/* A year and a half of the root's own roll, a probe a day. */
static void the_roll_of_a_root(void **state)
{
	unsigned changes = 0;
	for (unsigned day = 0; day < 560; day++, wall += DAY) {
		struct autotrust before = trust;
		struct signer *old = day >= 330 ? revoked(ksk[0]) : ksk[0];
		const struct signer *keys[4] = { zsk }, *by[3] = { 0 };
		unsigned n = 1, m = 0;
		if (day < 400)
			keys[n++] = old;
		if (day >= 100)
			keys[n++] = ksk[1];
		by[m++] = day < 300 ? ksk[0] : ksk[1];
		if (day >= 330 && day < 400)
			by[m++] = old;
		assert_int_equal(probe(keys, by).security, SECURITY_SECURE);
		changes += autotrust_differs(&trust, &before);
		assert_int_equal(state_of(ksk[1]), day < 100 ? -1 : day <= 130 ? AUTO_ADDPEND : AUTO_VALID);
	}
	assert_int_equal(state_of(ksk[0]), -1);
	assert_int_equal(changes, 2);   /* one came, one went */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_new_key_waits_for_its_time), T(a_key_seen_for_less_is_forgotten), T(one_sighting_is_not_enough),
		T(a_new_key_must_be_vouched_for), T(revocation_is_at_once), T(a_missing_key_vouches),
		T(a_pending_key_can_be_revoked),
		T(all_keys_revoked_is_the_end), T(seeds_grow_into_keys), T(a_seed_without_the_sep_bit_hands_over),
		T(a_key_grows_up_by_time_alone), T(what_cannot_verify_is_no_candidate),
		T(what_is_revoked_is_known_by_its_ds_too), T(probes_are_planned), T(states_need_no_header),
		T(hold_downs_are_as_configured), T(small_intervals_want_a_permit),
		T(the_file_comes_back_as_it_was), T(files_are_read_with_care), T(long_lines_are_one_line),
		T(seeds_are_plain_records), T(the_roll_of_a_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
