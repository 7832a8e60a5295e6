/* replay: runs one fuzzer without libFuzzer, so that every compiler and every `make check` runs it. A fixed seed makes
 * a fixed sequence of inputs (files of the corpus, mutated; or random bytes), cut off after a second, so a failure on
 * one machine is the same failure on the next. The input that kills the program is left in a file, and a file given
 * as an argument is run alone.
 * usage  replay_NAME [--name NAME] [--corpus DIR] [--ms N] [--seed N] [FILE...] */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 65536u     /* the largest DNS message */
#define SEEDS_MAX 256u       /* corpus files read */
#define INPUTS_MAX 2000000u  /* runs, should the clock stand still */
#define BATCH 16u            /* runs between two looks at the clock */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* There under the sanitizers only. */
void __sanitizer_set_death_callback(void (*f)(void)) __attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t len;
};

static struct {
	const char *name, *corpus;
	uint64_t seed, state;
	long ms;
	struct input seeds[SEEDS_MAX];
	size_t nseeds;
	struct input now;    /* what runs at this moment, for the death callback */
	uint64_t runs;
} run = { .name = "input", .seed = 1, .ms = 1000 };

/* splitmix64: small, seeded, good enough to mutate with. */
static uint64_t roll(void)
{
	uint64_t z = run.state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(size_t n)
{
	return n == 0 ? 0 : (size_t)(roll() % n);
}

static void keep_input(void)
{
	char path[256];
	int len = snprintf(path, sizeof(path), "crash-%s.bin", run.name);
	int fd = len > 0 && (size_t)len < sizeof(path) ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
	if (fd >= 0 && write(fd, run.now.bytes, run.now.len) == (ssize_t)run.now.len)
		fprintf(stderr, "\nSEED=%" PRIu64 " run %" PRIu64 ": %zu bytes kept in %s\n", run.seed, run.runs,
		        run.now.len, path);
	if (fd >= 0)
		close(fd);
}

static void on_signal(int number)
{
	signal(number, SIG_DFL);
	keep_input();
	raise(number);
}

/* The fuzzer gets a copy of exactly the input's size, so that a read past the end is seen. */
static void run_one(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	if (copy == NULL)
		exit(3);
	if (len > 0)
		memcpy(copy, bytes, len);
	run.now = (struct input){ copy, len };
	run.runs++;
	LLVMFuzzerTestOneInput(copy, len);
	run.now = (struct input){ 0 };
	free(copy);
}

static size_t read_file(const char *path, uint8_t *to)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	size_t len = fread(to, 1, INPUT_MAX, f);
	fclose(f);
	return len;
}

static void add_seed(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	size_t len = read_file(path, bytes);
	uint8_t *kept = malloc(len == 0 ? 1 : len);
	if (kept == NULL)
		exit(3);
	if (len > 0)
		memcpy(kept, bytes, len);
	run.seeds[run.nseeds++] = (struct input){ kept, len };
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The corpus in the order of its names: a directory's own order differs from machine to machine. */
static void read_corpus(void)
{
	struct dirent **entries;
	int n = run.corpus == NULL ? -1 : scandir(run.corpus, &entries, visible, alphasort);
	for (int i = 0; i < n; i++) {
		char path[1024];
		if (run.nseeds < SEEDS_MAX &&
		    snprintf(path, sizeof(path), "%s/%s", run.corpus, entries[i]->d_name) < (int)sizeof(path))
			add_seed(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static size_t insert(uint8_t *b, size_t len, const uint8_t *what, size_t n)
{
	size_t at = below(len + 1);
	if (n > INPUT_MAX - len)
		n = INPUT_MAX - len;
	memmove(b + at + n, b + at, len - at);
	memmove(b + at, what, n);
	return len + n;
}

static size_t cut(uint8_t *b, size_t len)
{
	size_t at = below(len), n = 1 + below(len - at);
	memmove(b + at, b + at + n, len - at - n);
	return len - n;
}

/* One change: the kinds that parsers fall over. */
static size_t mutate(uint8_t *b, size_t len)
{
	static const uint8_t odd[] = { 0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff, '"', '\\', '\n', '(' };
	uint8_t fresh[16];
	uint64_t r = roll();
	memcpy(fresh, &r, 8);
	memcpy(fresh + 8, &r, 8);
	if (len == 0)
		return insert(b, len, fresh, 1 + below(16));
	switch (below(8)) {
	case 0: b[below(len)] ^= (uint8_t)(1u << below(8)); return len;
	case 1: b[below(len)] = odd[below(sizeof(odd))]; return len;
	case 2: b[below(len)] += (uint8_t)(below(9) - 4); return len;
	case 3: return insert(b, len, fresh, 1 + below(16));
	case 4: return cut(b, len);
	case 5: return below(len + 1);
	case 6: {
		uint8_t piece[64];
		size_t at = below(len), n = 1 + below(len - at);
		n = n > sizeof(piece) ? sizeof(piece) : n;
		memcpy(piece, b + at, n);
		return insert(b, len, piece, n);
	}
	default:
		if (run.nseeds > 0) {
			const struct input *other = &run.seeds[below(run.nseeds)];
			size_t at = below(other->len + 1);
			return insert(b, below(len + 1), other->bytes + at, other->len - at);
		}
		b[below(len)] = (uint8_t)roll();
		return len;
	}
}

static void run_next(void)
{
	static uint8_t b[INPUT_MAX];
	size_t len = 0;
	if (run.nseeds > 0 && below(8) != 0) {
		const struct input *s = &run.seeds[below(run.nseeds)];
		len = s->len;
		if (len > 0)
			memcpy(b, s->bytes, len);
	} else {
		len = below(below(16) == 0 ? 4096 : 128);
		for (size_t i = 0; i < len; i++)
			b[i] = (uint8_t)(roll() >> 24);
	}
	for (size_t n = 1 + below(6); n-- > 0;)
		len = mutate(b, len);
	run_one(b, len);
}

static long ms_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int read_arguments(int argc, char **argv)
{
	int i = 1;
	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--name") == 0)
			run.name = argv[i + 1];
		else if (strcmp(argv[i], "--corpus") == 0)
			run.corpus = argv[i + 1];
		else if (strcmp(argv[i], "--ms") == 0)
			run.ms = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			run.seed = strtoull(argv[i + 1], NULL, 10);
		else
			exit(2);
	}
	return i;
}

int main(int argc, char **argv)
{
	int files = read_arguments(argc, argv);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_input);
	else
		signal(SIGSEGV, on_signal);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	run.state = run.seed;
	for (int i = files; i < argc; i++) {
		static uint8_t bytes[INPUT_MAX];
		run_one(bytes, read_file(argv[i], bytes));
	}
	if (files < argc)
		return 0;
	read_corpus();
	for (size_t i = 0; i < run.nseeds; i++)
		run_one(run.seeds[i].bytes, run.seeds[i].len);
	for (long end = ms_now() + run.ms; ms_now() < end && run.runs < INPUTS_MAX;) {
		alarm(20);    /* one batch that takes this long hangs: its input is kept */
		for (unsigned i = 0; i < BATCH; i++)
			run_next();
	}
	printf("%s: %" PRIu64 " inputs, %zu from the corpus, SEED=%" PRIu64 "\n", run.name, run.runs, run.nseeds,
	       run.seed);
	for (size_t i = 0; i < run.nseeds; i++)
		free(run.seeds[i].bytes);
	return 0;
}
