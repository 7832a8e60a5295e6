/* What the store costs: a million names, two threads that look up, first alone and then while a writer commits 2,000
 * changes a second. Prints ns of a thread's own CPU time per lookup, bytes per node and per name, nodes copied per
 * change, and what one random read of memory costs in the same minute, because shared machines drift. Names are of two
 * kinds: delegations of one zone, and the service records of a cluster.
 *
 * usage: bench_store [NAMES [SECONDS]] */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/heap.h"
#include "base/rng.h"
#include "base/store.h"

#define READERS 2u
#define CHANGES_PER_SECOND 2000u
#define TICK_CHANGES 10u        /* commits of one change each, between two sleeps of 5 ms */
#define LOOKUPS_PER_TURN 64u    /* as many as a worker takes datagrams at once */
#define KEY_BYTES 64u
#define BUDGET ((size_t)1 << 30)

struct bench {
	struct store store;
	uint8_t (*keys)[KEY_BYTES];   /* [0] its length */
	uint32_t names;
	_Atomic bool stop;
};

struct reader {
	struct bench *bench;
	uint32_t me;
	uint64_t lookups, missing, cpu_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct span key_of(const struct bench *b, uint32_t i)
{
	return span_of(b->keys[i] + 1, b->keys[i][0]);
}

/* Labels from the root down, each closed by a NUL. */
static void key_delegation(struct rng *r, uint8_t *key)
{
	uint8_t *to = key + 1;
	memcpy(to, "example", 8);
	to += 8;
	for (uint32_t n = 5 + rng_below(r, 10); n > 0; n--)
		*to++ = (uint8_t)"etaoinsrhldcumfpgwybvkxjqz0123456789-"[rng_below(r, 1 + rng_below(r, 37))];
	*to++ = 0;
	key[0] = (uint8_t)(to - key - 1);
}

static void key_service(struct rng *r, uint8_t *key, uint32_t i)
{
	int n = snprintf((char *)key + 1, KEY_BYTES - 1, "local%ccluster%csvc%cteam-%u%capp-%u-%05x%c", 0, 0, 0,
	                 i / 1000, 0, i % 1000, rng_below(r, 1u << 20), 0);
	key[0] = (uint8_t)n;
}

static void load(struct bench *b, bool cluster)
{
	struct rng r;
	rng_seed_number(&r, 1);
	uint8_t value[16] = { 0 };
	for (uint32_t i = 0; i < b->names; i++) {
		struct span old;
		do {
			if (cluster)
				key_service(&r, b->keys[i], i);
			else
				key_delegation(&r, b->keys[i]);
		} while (store_get(store_pending(&b->store), key_of(b, i), &old));
		enum err e = store_put(&b->store, key_of(b, i), span_of(value, sizeof(value)));
		ASSERT(e == OK);
	}
	store_commit(&b->store);
}

static void *reader_main(void *arg)
{
	struct reader *reader = arg;
	struct bench *b = reader->bench;
	struct rng r;
	rng_seed_number(&r, 100 + reader->me);
	uint32_t pick[LOOKUPS_PER_TURN];
	while (!atomic_load_explicit(&b->stop, memory_order_relaxed)) {
		for (uint32_t i = 0; i < LOOKUPS_PER_TURN; i++)
			pick[i] = rng_below(&r, b->names);
		uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		store_turn(&b->store, reader->me);
		struct store_view v = store_view(&b->store);
		for (uint32_t i = 0; i < LOOKUPS_PER_TURN; i++) {
			struct span value;
			reader->missing += !store_get(v, key_of(b, pick[i]), &value);
		}
		reader->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - from;
		reader->lookups += LOOKUPS_PER_TURN;
	}
	store_park(&b->store, reader->me);
	return NULL;
}

/* ns of one read that waits for the one before it, all over memory as large as the store. */
static double read_ns(size_t bytes)
{
	uint32_t n = (uint32_t)(bytes / sizeof(uint32_t)), reads = 2000000, at = 0;
	uint32_t *cells = heap_pages((size_t)n * sizeof(*cells));
	struct rng r;
	rng_seed_number(&r, 3);
	for (uint32_t i = 0; i < n; i++)
		cells[i] = rng_below(&r, n);
	uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (uint32_t i = 0; i < reads; i++)
		at = (cells[at] + i) % n;
	double took = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - from);
	heap_pages_free(cells, (size_t)n * sizeof(*cells));
	return (took + (at == n)) / reads;   /* at is never n; the loop must not be taken for useless */
}

/* One change, one commit: a value replaced, or a name taken out and put back by the next. */
static void change(struct bench *b, struct rng *r, uint32_t *gone)
{
	uint8_t value[16] = { 1 };
	enum err e;
	if (*gone != UINT32_MAX) {
		e = store_put(&b->store, key_of(b, *gone), span_of(value, sizeof(value)));
		*gone = UINT32_MAX;
	} else if (rng_below(r, 3) == 0) {
		*gone = rng_below(r, b->names);
		e = store_remove(&b->store, key_of(b, *gone));
	} else {
		e = store_put(&b->store, key_of(b, rng_below(r, b->names)), span_of(value, sizeof(value)));
	}
	ASSERT(e == OK);
	store_commit(&b->store);
}

/* The mean CPU time of a lookup over `seconds`, with `changes` a second. */
static void play(struct bench *b, const char *what, uint32_t seconds, uint32_t changes)
{
	struct reader readers[READERS] = { 0 };
	pthread_t threads[READERS];
	atomic_store(&b->stop, false);
	for (uint32_t i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .bench = b, .me = i };
		int rc = pthread_create(&threads[i], NULL, reader_main, &readers[i]);
		ASSERT(rc == 0);
	}
	struct rng r;
	rng_seed_number(&r, 2);
	uint64_t start = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t copied = store_stat(&b->store).copied;
	uint32_t made = 0, gone = UINT32_MAX, ticks = seconds * CHANGES_PER_SECOND / TICK_CHANGES;
	size_t waiting = 0;
	for (uint32_t tick = 0; tick < ticks; tick++) {
		for (uint32_t i = 0; i < TICK_CHANGES && changes > 0; i++, made++)
			change(b, &r, &gone);
		waiting = MAX(waiting, store_stat(&b->store).retired);
		uint64_t due = start + (uint64_t)(tick + 1) * TICK_CHANGES * 1000000000u / CHANGES_PER_SECOND;
		uint64_t at = clock_ns(CLOCK_MONOTONIC);
		if (due > at)
			usleep((useconds_t)((due - at) / 1000));
	}
	double took = (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	atomic_store(&b->stop, true);
	uint64_t lookups = 0, ns = 0, missing = 0;
	for (uint32_t i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		lookups += readers[i].lookups;
		ns += readers[i].cpu_ns;
		missing += readers[i].missing;
	}
	printf("  %-14s %6.0f ns per lookup, %.2f M lookups/s, %llu missed", what, (double)ns / (double)lookups,
	       (double)lookups / took / 1e6, (unsigned long long)missing);
	if (made > 0)
		printf("; %.0f changes/s, %.2f nodes copied and %.1f us CPU each, at most %zu waiting", made / took,
		       (double)(store_stat(&b->store).copied - copied) / made, (double)cpu / made / 1e3, waiting);
	printf("\n");
	if (gone != UINT32_MAX)
		change(b, &r, &gone);
}

static void run(bool cluster, uint32_t names, uint32_t seconds)
{
	struct bench *b = heap_new(sizeof(*b));
	b->names = names;
	b->keys = heap_pages((size_t)names * KEY_BYTES);
	store_init(&b->store, BUDGET, READERS);
	uint64_t from = clock_ns(CLOCK_MONOTONIC);
	load(b, cluster);
	double took = (double)(clock_ns(CLOCK_MONOTONIC) - from);
	size_t key_bytes = 0;
	for (uint32_t i = 0; i < names; i++)
		key_bytes += b->keys[i][0];
	struct store_stat st = store_stat(&b->store);
	printf("%s: %u names, keys of %.1f bytes, values of 16; loaded in one commit, %.0f ns a name\n",
	       cluster ? "cluster services" : "delegations of a zone", names, (double)key_bytes / names, took / names);
	printf("  %.1f bytes per node (%.2f nodes a name), %.1f bytes per name, %.1f of them key and value\n",
	       (double)st.bytes_nodes / (double)st.nodes, (double)st.nodes / names, (double)st.bytes / names,
	       (double)key_bytes / names + 16);
	printf("  one random read of %zu MB: %.0f ns\n", st.bytes >> 20, read_ns(st.bytes));
	play(b, "idle", seconds, 0);
	play(b, "while changing", seconds, CHANGES_PER_SECOND);
	play(b, "idle again", seconds, 0);
	store_fini(&b->store);
	heap_pages_free(b->keys, (size_t)names * KEY_BYTES);
	heap_free(b);
}

int main(int argc, char **argv)
{
	long names = argc > 1 ? atol(argv[1]) : 1000000, seconds = argc > 2 ? atol(argv[2]) : 5;
	if (names < 1 || names > 4000000 || seconds < 1 || seconds > 600) {
		fprintf(stderr, "usage: bench_store [NAMES [SECONDS]]\n");
		return 2;
	}
	run(false, (uint32_t)names, (uint32_t)seconds);
	run(true, (uint32_t)names, (uint32_t)seconds);
	return 0;
}
