#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/rng.h"
#include "base/store.h"

#define MB ((size_t)1 << 20)

static struct span num(uint32_t *v)
{
	return span_of(v, sizeof(*v));
}

static uint32_t value_of(struct span s)
{
	uint32_t v;
	assert_int_equal(s.n, sizeof(v));
	memcpy(&v, s.p, sizeof(v));
	return v;
}

/* A plain sorted array with the same verbs, slow and obvious. */
#define MODEL_MAX 2000u
#define MODEL_KEY_MAX 12u

struct model {
	struct model_row {
		uint8_t key[MODEL_KEY_MAX];
		size_t n;
		uint32_t value;
	} rows[MODEL_MAX];
	size_t n;
};

static int order(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, MIN(a.n, b.n));
	return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static struct span model_key(const struct model *m, size_t i)
{
	return span_of(m->rows[i].key, m->rows[i].n);
}

/* The place of the first row not below `key`. */
static size_t model_find(const struct model *m, struct span key)
{
	size_t i = 0;
	while (i < m->n && order(model_key(m, i), key) < 0)
		i++;
	return i;
}

static bool model_has(const struct model *m, struct span key)
{
	size_t i = model_find(m, key);
	return i < m->n && span_eq(model_key(m, i), key);
}

static void model_put(struct model *m, struct span key, uint32_t value)
{
	size_t i = model_find(m, key);
	if (!model_has(m, key)) {
		assert_true(m->n < MODEL_MAX);
		memmove(&m->rows[i + 1], &m->rows[i], (m->n - i) * sizeof(m->rows[0]));
		m->n++;
		memcpy(m->rows[i].key, key.p, key.n);
		m->rows[i].n = key.n;
	}
	m->rows[i].value = value;
}

static void model_remove(struct model *m, struct span key)
{
	size_t i = model_find(m, key);
	memmove(&m->rows[i], &m->rows[i + 1], (m->n - i - 1) * sizeof(m->rows[0]));
	m->n--;
}

static void same_row(bool got, const struct store_row *row, const struct model *m, size_t i, bool has)
{
	assert_int_equal(got, has);
	if (!has)
		return;
	assert_true(span_eq(row->key, model_key(m, i)));
	assert_int_equal(value_of(row->value), m->rows[i].value);
}

static void compare_at(struct store_view v, const struct model *m, struct span key)
{
	size_t at = model_find(m, key);
	bool has = model_has(m, key);
	struct span value;
	assert_int_equal(store_get(v, key, &value), has);
	if (has)
		assert_int_equal(value_of(value), m->rows[at].value);
	struct store_row row;
	same_row(store_after(v, key, &row), &row, m, at + has, at + has < m->n);
	same_row(store_before(v, key, &row), &row, m, at - 1, at > 0);
	size_t best = SIZE_MAX;
	for (size_t n = 0; n <= key.n; n++)
		if (model_has(m, span_of(key.p, n)))
			best = model_find(m, span_of(key.p, n));
	same_row(store_closest(v, key, &row), &row, m, best, best != SIZE_MAX);
}

static void compare(struct store_view v, const struct model *m)
{
	struct store_row row;
	same_row(store_first(v, &row), &row, m, 0, m->n > 0);
	same_row(store_last(v, &row), &row, m, m->n - 1, m->n > 0);
	bool more = store_first(v, &row);
	for (size_t i = 0; i < m->n; i++) {
		same_row(more, &row, m, i, true);
		more = store_after(v, row.key, &row);
	}
	assert_false(more);
}

static struct span key_random(struct rng *r, uint8_t *to)
{
	static const uint8_t alphabet[] = { 0, 1, 'a', 'b', 'z', '-', '/', '9', 'A', '_', 0x7b, 0xa8, 0xd5, 0xff };
	size_t n = rng_below(r, 6);
	for (size_t i = 0; i < n; i++)
		to[i] = alphabet[rng_below(r, COUNT(alphabet))];
	return span_of(to, n);
}

static void change_random(struct store *s, struct model *m, struct rng *r)
{
	uint8_t bytes[MODEL_KEY_MAX];
	struct span key = key_random(r, bytes);
	uint32_t v = (uint32_t)rng_u64(r);
	if (m->n > 0 && rng_below(r, 4) == 0)
		key = model_key(m, rng_below(r, (uint32_t)m->n));
	if (m->n + 1 < MODEL_MAX && rng_below(r, 100) < (m->n < 300 ? 65u : 40u)) {
		assert_int_equal(store_put(s, key, num(&v)), OK);
		model_put(m, key, v);
		return;
	}
	bool has = model_has(m, key);
	assert_int_equal(store_remove(s, key), has ? OK : ERR_NOTFOUND);
	if (has)
		model_remove(m, key);
}

/* Random batches, some forgotten, against the model; views of both the pending and the published tree. */
static void random_changes(void **state)
{
	struct model *now = calloc(1, sizeof(*now)), *published = calloc(1, sizeof(*published));
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct rng r;
		struct store s;
		rng_seed_number(&r, seed);
		store_init(&s, MB, 1);
		size_t empty = store_stat(&s).nodes;
		now->n = published->n = 0;
		for (int batch = 0; batch < 250; batch++) {
			store_turn(&s, 0);
			for (uint32_t n = rng_below(&r, 30); n > 0; n--)
				change_random(&s, now, &r);
			uint8_t bytes[MODEL_KEY_MAX];
			for (int i = 0; i < 20; i++) {
				compare_at(store_pending(&s), now, key_random(&r, bytes));
				compare_at(store_view(&s), published, key_random(&r, bytes));
			}
			compare(store_pending(&s), now);
			compare(store_view(&s), published);
			if (rng_below(&r, 4) == 0) {
				store_abort(&s);
				*now = *published;
			} else {
				store_commit(&s);
				*published = *now;
			}
			assert_int_equal(store_stat(&s).keys, now->n);
		}
		compare(store_view(&s), now);
		while (now->n > 0) {
			assert_int_equal(store_remove(&s, model_key(now, now->n / 2)), OK);
			model_remove(now, model_key(now, now->n / 2));
		}
		store_park(&s, 0);
		store_commit(&s);
		compare(store_view(&s), now);
		assert_int_equal(store_stat(&s).retired, 0);
		assert_true(store_stat(&s).nodes <= empty + 5);
		store_fini(&s);
	}
	free(now);
	free(published);
}

/* Every byte takes its place in the order, alone and behind another. */
static void every_byte_in_order(void **state)
{
	struct store s;
	store_init(&s, 16 * MB, 1);
	for (uint32_t i = 0; i < 65536; i++) {
		uint32_t mixed = (i * 40503u) & 0xffff;
		uint8_t key[2];
		put_u16(key, (uint16_t)mixed);
		assert_int_equal(store_put(&s, span_of(key, 2), num(&mixed)), OK);
		if (mixed % 256 == 0)
			assert_int_equal(store_put(&s, span_of(key, 1), num(&mixed)), OK);
	}
	store_commit(&s);
	struct store_row row;
	bool more = store_first(store_view(&s), &row);
	for (uint32_t i = 0; i < 65536; i++) {
		for (size_t n = i % 256 == 0 ? 1 : 2; n <= 2; n++) {
			assert_true(more);
			assert_int_equal(row.key.n, n);
			assert_int_equal(value_of(row.value), i);
			more = store_after(store_view(&s), row.key, &row);
		}
	}
	assert_false(more);
	store_fini(&s);
}

static void put_text(struct store *s, const char *key, uint32_t v)
{
	assert_int_equal(store_put(s, span_text(key), num(&v)), OK);
}

static uint32_t get_text(struct store_view v, const char *key)
{
	struct span value;
	return store_get(v, span_text(key), &value) ? value_of(value) : 0;
}

/* A view stays what it was as long as its reader's turn lasts; a parked reader holds nothing back. */
static void views_last_a_turn(void **state)
{
	struct store s;
	store_init(&s, MB, 3);
	put_text(&s, "a", 1);
	put_text(&s, "b", 2);
	store_commit(&s);
	store_turn(&s, 0);
	store_turn(&s, 1);
	struct store_view old = store_view(&s);
	for (uint32_t i = 10; i < 100; i++) {
		put_text(&s, "a", i);
		store_commit(&s);
		assert_int_equal(get_text(old, "a"), 1);
		assert_int_equal(get_text(store_view(&s), "a"), i);
	}
	assert_int_equal(store_stat(&s).retired, 90 * 2);
	store_turn(&s, 1);
	store_commit(&s);
	assert_int_equal(store_stat(&s).retired, 90 * 2);
	assert_int_equal(get_text(old, "a"), 1);
	store_turn(&s, 0);
	store_commit(&s);
	assert_int_equal(store_stat(&s).retired, 0);
	put_text(&s, "a", 7);
	store_commit(&s);
	store_park(&s, 0);
	store_commit(&s);
	assert_int_equal(store_stat(&s).retired, 2);
	store_park(&s, 1);
	store_commit(&s);
	assert_int_equal(store_stat(&s).retired, 0);
	store_fini(&s);
}

/* A batch copies a branch once, however many changes lie below it. */
static void batch_copies_once(void **state)
{
	struct store s;
	store_init(&s, 4 * MB, 1);
	for (uint32_t i = 0; i < 10000; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%05u", i);
		put_text(&s, key, i + 1);
	}
	store_commit(&s);
	assert_int_equal(store_stat(&s).copied, 0);
	for (uint32_t i = 0; i < 10; i++) {
		char key[16];
		snprintf(key, sizeof(key), "0000%u", i);
		put_text(&s, key, i + 100);
	}
	assert_int_equal(store_stat(&s).copied, 4);
	store_commit(&s);
	store_fini(&s);
}

static uint32_t fill(struct store *s, uint32_t batch, size_t value)
{
	static const uint8_t blob[STORE_VALUE_MAX];
	uint32_t n = 0;
	for (;; n++) {
		char key[16];
		snprintf(key, sizeof(key), "%08u", n * 7919u % 10000000u);
		enum err e = store_put(s, span_text(key), span_of(blob, value));
		if (e != OK) {
			assert_int_equal(e, ERR_SPACE);
			break;
		}
		if (n % batch == batch - 1)
			store_commit(s);
	}
	store_commit(s);
	return n;
}

/* Full: what was there stays, changes are refused, everything can be taken out again, and the room is all there. */
static void full_and_empty_again(void **state)
{
	static const size_t sizes[] = { 0, 4, 100, 1500, 3000, 20000 };
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct store s;
		store_init(&s, MB, 1);
		uint32_t first = 0;
		for (int round = 0; round < 3; round++) {
			store_turn(&s, 0);
			uint32_t n = fill(&s, 10, sizes[i]);
			assert_true(store_stat(&s).bytes <= store_stat(&s).bytes_max);
			assert_int_equal(store_stat(&s).keys, n);
			struct store_row row;
			uint32_t seen = 0;
			for (bool more = store_first(store_view(&s), &row); more; seen++)
				more = store_after(store_view(&s), row.key, &row);
			assert_int_equal(seen, n);
			first = round == 0 ? n : first;
			/* Refilled to nearly as much: pages are not lost to the sizes of the round before. */
			assert_true(n + 64 >= first || n * 20 >= first * 19);
			for (uint32_t k = 0; k < n; k++) {
				char key[16];
				snprintf(key, sizeof(key), "%08u", k * 7919u % 10000000u);
				assert_int_equal(store_remove(&s, span_text(key)), OK);
				if (k % 10 == 9)
					store_commit(&s);
				store_turn(&s, 0);
			}
			store_commit(&s);
			store_turn(&s, 0);
			store_commit(&s);
			assert_int_equal(store_stat(&s).keys, 0);
			assert_int_equal(store_stat(&s).retired, 0);
			assert_true(store_stat(&s).bytes <= 10 * SLAB_PAGE);
		}
		store_fini(&s);
	}
}

static void limits(void **state)
{
	static const uint8_t blob[STORE_VALUE_MAX + 1];
	struct store s;
	store_init(&s, 4 * MB, 1);
	struct span value;
	assert_int_equal(store_put(&s, span_of(blob, STORE_KEY_MAX + 1), span_of(blob, 0)), ERR_LIMIT);
	assert_int_equal(store_put(&s, span_of(blob, 1), span_of(blob, sizeof(blob))), ERR_LIMIT);
	assert_int_equal(store_remove(&s, span_of(blob, 1)), ERR_NOTFOUND);
	/* The deepest tree there can be: every prefix of the longest key. */
	for (size_t n = 0; n <= STORE_KEY_MAX; n++)
		assert_int_equal(store_put(&s, span_of(blob, n), span_of(blob, n)), OK);
	assert_int_equal(store_put(&s, span_of(blob, 1), span_of(blob, STORE_VALUE_MAX)), OK);
	store_commit(&s);
	assert_true(store_get(store_view(&s), span_of(blob, 1), &value));
	assert_int_equal(value.n, STORE_VALUE_MAX);
	assert_int_equal((uintptr_t)value.p % 8, 0);
	for (size_t n = 0; n <= STORE_KEY_MAX; n++) {
		assert_int_equal(store_remove(&s, span_of(blob, STORE_KEY_MAX - n)), OK);
		store_commit(&s);
	}
	struct store_row row;
	assert_false(store_first(store_view(&s), &row));
	store_fini(&s);
}

/* Canonical order of RFC4034 6.1 with the key its header speaks of. */
static void rfc4034_6_1_order(void **state)
{
	/* example. a.example. yljkjljk.a.example. Z.a.example. zABC.a.EXAMPLE. z.example. \001.z.example. *.z.example.
	 * \200.z.example., each as labels from the root, folded; a byte below 2 would be written as two. */
	static const struct {
		const char *key;
		size_t n;
	} rows[] = {
		{ "example\0", 8 },
		{ "example\0a\0", 10 },
		{ "example\0a\0yljkjljk\0", 19 },
		{ "example\0a\0z\0", 12 },
		{ "example\0a\0zabc\0", 15 },
		{ "example\0z\0", 10 },
		{ "example\0z\0\1\2\0", 13 },
		{ "example\0z\0*\0", 12 },
		{ "example\0z\0\200\0", 12 },
	};
	struct store s;
	store_init(&s, MB, 1);
	for (uint32_t i = 0; i < COUNT(rows); i++) {
		uint32_t k = (i * 4 + 2) % COUNT(rows);
		assert_int_equal(store_put(&s, span_of(rows[k].key, rows[k].n), num(&k)), OK);
	}
	store_commit(&s);
	struct store_view v = store_view(&s);
	struct store_row row;
	bool more = store_first(v, &row);
	for (uint32_t i = 0; i < COUNT(rows); i++) {
		assert_true(more);
		assert_int_equal(value_of(row.value), i);
		more = store_after(v, row.key, &row);
	}
	/* The closest encloser of x.y.a.example is a.example, of aa.example is example; zABC.a is before aa. */
	assert_true(store_closest(v, span_of("example\0a\0y\0x\0", 14), &row));
	assert_int_equal(value_of(row.value), 1);
	assert_true(store_closest(v, span_of("example\0aa\0", 11), &row));
	assert_int_equal(value_of(row.value), 0);
	assert_true(store_before(v, span_of("example\0aa\0", 11), &row));
	assert_int_equal(value_of(row.value), 4);
	assert_false(store_closest(v, span_of("exampl\0", 7), &row));
	store_fini(&s);
}

/* Threads: one writer, two readers, a view of any moment is consistent. Each batch gives the same number to all keys of
 * a group, so a reader that sees two numbers in one view saw half a batch, or memory used again too early. */
#define GROUPS 64u
#define MEMBERS 4u
#define BATCHES 4000u
#define READERS 2u

struct shared {
	struct store store;
	_Atomic bool over;
	_Atomic uint32_t next_reader, broken, views;
};

static struct span member_key(char *to, size_t cap, uint32_t group, uint32_t member)
{
	snprintf(to, cap, "g%u.m%u.example", group, member);
	return span_text(to);
}

static void *reader_main(void *arg)
{
	struct shared *sh = arg;
	uint32_t me = atomic_fetch_add(&sh->next_reader, 1);
	struct rng r;
	rng_seed_number(&r, me);
	for (uint32_t turns = 0; !atomic_load(&sh->over) || turns < 100; turns++) {
		if (turns % 16 == 15)
			store_park(&sh->store, me);
		store_turn(&sh->store, me);
		struct store_view v = store_view(&sh->store);
		uint32_t group = rng_below(&r, GROUPS), first = 0;
		for (uint32_t i = 0; i < MEMBERS; i++) {
			char key[32];
			struct span value;
			uint32_t got = 0;
			if (store_get(v, member_key(key, sizeof(key), group, i), &value) && value.n >= sizeof(got))
				memcpy(&got, value.p, sizeof(got));
			if (i == 0)
				first = got;
			if (got != first)
				atomic_fetch_add(&sh->broken, 1);
		}
		struct store_row row;
		uint8_t sum = 0;
		for (bool more = store_first(v, &row); more && turns % 64 == 0; more = store_after(v, row.key, &row))
			sum += row.value.p[0];
		atomic_fetch_add(&sh->views, 1 + (sum & 0));
	}
	store_park(&sh->store, me);
	return NULL;
}

static void threads(void **state)
{
	struct shared *sh = calloc(1, sizeof(*sh));
	struct rng r;
	rng_seed_number(&r, 9);
	store_init(&sh->store, STORE_BYTES_MIN, READERS);
	pthread_t readers[READERS];
	for (uint32_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, reader_main, sh), 0);
	uint32_t full = 0;
	for (uint32_t batch = 1; batch <= BATCHES; batch++) {
		uint32_t group = rng_below(&r, GROUPS), away = rng_below(&r, 4) == 0;
		enum err e = OK;
		for (uint32_t i = 0; i < MEMBERS && e == OK; i++) {
			char text[32];
			uint32_t value[8] = { batch, batch, batch };
			struct span key = member_key(text, sizeof(text), group, i);
			size_t n = sizeof(value[0]) * (1 + rng_below(&r, COUNT(value)));
			e = away ? store_remove(&sh->store, key) : store_put(&sh->store, key, span_of(value, n));
			if (e == ERR_NOTFOUND)
				e = OK;
		}
		if (e == OK)
			store_commit(&sh->store);
		else
			store_abort(&sh->store);
		full += e != OK;
	}
	atomic_store(&sh->over, true);
	for (uint32_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	store_commit(&sh->store);
	assert_int_equal(store_stat(&sh->store).retired, 0);
	assert_int_equal(atomic_load(&sh->broken), 0);
	assert_true(atomic_load(&sh->views) >= READERS * 100);
	assert_true(full < BATCHES);
	store_fini(&sh->store);
	free(sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes),
		cmocka_unit_test(every_byte_in_order),
		cmocka_unit_test(views_last_a_turn),
		cmocka_unit_test(batch_copies_once),
		cmocka_unit_test(full_and_empty_again),
		cmocka_unit_test(limits),
		cmocka_unit_test(rfc4034_6_1_order),
		cmocka_unit_test(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
