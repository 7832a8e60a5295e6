/* replay: plays scenarios in the .rpl format against the engine, in this process and without real time.
 *   replay [--json] [--trace] [--quiet] [--append LINE] [--seed N] FILE...
 * A line a file: PASS, FAIL or SKIP, its name, milliseconds, and of a failure the first difference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/player.h"

static const char *const results[] = { [PLAYED_PASS] = "PASS", [PLAYED_FAIL] = "FAIL", [PLAYED_SKIP] = "SKIP" };

static double milliseconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static void put_json(const char *s)
{
	putchar('"');
	for (; *s != 0; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			printf(c == '"' || c == '\\' ? "\\%c" : "%c", c);
	}
	putchar('"');
}

static void tell_json(const char *file, enum played result, double ms, const char *why)
{
	printf("{\"file\":");
	put_json(file);
	printf(",\"result\":\"%s\",\"ms\":%.2f,\"reason\":", results[result], ms);
	put_json(why);
	putchar('}');
}

int main(int argc, char **argv)
{
	bool json = false, quiet = false;
	char lines[2048] = "";
	struct buf more = buf_on(lines, sizeof(lines));
	struct play_how how = { .append = lines, .seed = 1 };
	unsigned counts[3] = { 0 }, n = 0;
	int i = 1;
	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		json |= strcmp(argv[i], "--json") == 0;
		how.trace |= strcmp(argv[i], "--trace") == 0;
		quiet |= strcmp(argv[i], "--quiet") == 0;
		if (strcmp(argv[i], "--append") == 0 && i + 1 < argc)
			buf_printf(&more, "%s\n", argv[++i]);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			how.seed = strtoull(argv[++i], NULL, 10);
	}
	buf_cstr(&more);
	how.trace &= !json;
	if (i == argc) {
		fprintf(stderr, "usage: replay [--json] [--trace] [--quiet] [--append LINE] [--seed N] FILE.rpl...\n");
		return 2;
	}
	double begun = milliseconds();
	for (; i < argc; i++) {
		char room[RPL_WHY];
		struct buf why = buf_on(room, sizeof(room));
		double from = milliseconds();
		enum played result = play_file(argv[i], &how, &why);
		double ms = milliseconds() - from;
		counts[result]++;
		const char *text = buf_cstr(&why);
		if (json) {
			fputs(n++ == 0 ? "[" : ",\n", stdout);
			tell_json(argv[i], result, ms, text);
		} else if (!quiet || result == PLAYED_FAIL) {
			printf("%s %s (%.1f ms)%s%s\n", results[result], argv[i], ms, *text != 0 ? ": " : "", text);
		}
	}
	if (json)
		printf("]\n");
	else
		printf("%u passed, %u failed, %u skipped in %.0f ms\n", counts[PLAYED_PASS], counts[PLAYED_FAIL],
		       counts[PLAYED_SKIP], milliseconds() - begun);
	return counts[PLAYED_FAIL] == 0 ? 0 : 1;
}
