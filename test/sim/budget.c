/* budget: a question's budget is spent to its last unit on each path there is, and never beyond (attacks E6, E7). For
 * each row the scenario is played with 1, 2, 3... units until its answer is what it should be. With fewer the question
 * fails, and what was spent is what there was: attempts are charged before they start, and nothing gives them back. The
 * last unit goes to what the row names: that path, and no other, was paid with it.
 *   budget DIR */
#include <stdio.h>
#include <string.h>

#include "sim/player.h"

#define UNITS_MAX 64u

enum unit { PACKETS, VERIFIES, QUESTIONS };

static const char *const units[] = { [PACKETS] = "packets", [VERIFIES] = "verifies", [QUESTIONS] = "questions" };

struct row {
	const char *path, *file;
	enum unit unit;
	const char *last;      /* PACKETS: begins so, as a trace has it */
};

static const struct row rows[] = {
	{ "another server, looked up",   "budget-server",  PACKETS, "www.two.com. A to 192.0.2.4" },
	{ "the same again, no answer",   "budget-retry",   PACKETS, "www.one.com. A to 192.0.2.2" },
	{ "over TCP, cut short",         "budget-tcp",     PACKETS, "www.one.com. A to 192.0.2.2" },
	{ "an alias",                    "budget-alias",   PACKETS, "c.two.com. A to 192.0.2.3" },
	{ "parts of the name",           "budget-parts",   PACKETS, "a.b.c.d.one.com. A to 192.0.2.2" },
	{ "a DS",                        "budget-ds",      PACKETS, "signed.net. DS to 192.0.2.53" },
	{ "a denial",                    "budget-denial",  PACKETS, "signed.net. DNSKEY to 192.0.2.53" },
	{ "what could not be proved",    "budget-doubt",   PACKETS, "www.signed.net. A to 192.0.2.54" },
	{ "an alias: questions",         "budget-alias",   QUESTIONS, NULL },
	{ "another server: questions",   "budget-server",  QUESTIONS, NULL },
	{ "a DS: signatures",            "budget-ds",      VERIFIES, NULL },
	{ "a denial: signatures",        "budget-denial",  VERIFIES, NULL },
	{ "not proved: signatures",      "budget-doubt",   VERIFIES, NULL },
};

/* Servers that never say anything of use: what one question sends is bounded all the same. */
static const struct {
	const char *what, *file;
	unsigned most;
} bounds[] = {
	{ "thirteen servers, all forged",    "bound-bogus",    8 },
	{ "thirteen servers, none for EDNS", "bound-formerr",  10 },
	{ "ten names of the same addresses", "bound-overlap",  8 },
};

static struct purse play(const char *dir, const struct row *row, uint32_t n, enum played *ret)
{
	char file[512], room[RPL_WHY];
	struct buf why = buf_on(room, sizeof(room));
	struct purse purse = { .packets = row->unit == PACKETS ? n : 0, .verifies = row->unit == VERIFIES ? n : 0,
		                    .questions = row->unit == QUESTIONS ? n : 0 };
	const struct play_how how = { .append = "", .seed = 1, .purse = &purse };
	(void)snprintf(file, sizeof(file), "%s/%s.rpl", dir, row->file);
	*ret = play_file(file, &how, &why);
	if (n == UNITS_MAX && *ret != PLAYED_PASS)
		printf("%s: %s\n", row->file, buf_cstr(&why));
	return purse;
}

static bool wrong(const struct row *row, uint32_t n, const struct purse *got, const char *what)
{
	printf("%s: with %u %s %u were sent and %u signatures checked, the last question %s: %s\n", row->path, n,
	       units[row->unit], got->sent, got->verified, got->last, what);
	return false;
}

static bool check(const char *dir, const struct row *row)
{
	for (uint32_t n = 1; n <= UNITS_MAX; n++) {
		enum played result;
		struct purse got = play(dir, row, n, &result);
		unsigned spent = row->unit == PACKETS ? got.sent : row->unit == VERIFIES ? got.verified : 0;
		if (spent > n)
			return wrong(row, n, &got, "more than there was");
		if (result == PLAYED_PASS && row->unit != QUESTIONS && spent < n)
			return wrong(row, n, &got, "the last unit was not spent");
		if (result == PLAYED_PASS && row->last != NULL && strncmp(got.last, row->last, strlen(row->last)) != 0)
			return wrong(row, n, &got, "the last unit went elsewhere");
		if (result == PLAYED_PASS && n == 1)
			return wrong(row, n, &got, "one unit pays for no path");
		if (result == PLAYED_PASS) {
			printf("%-28s %2u %s\n", row->path, n, units[row->unit]);
			return true;
		}
		if (row->unit == PACKETS && spent < n)
			return wrong(row, n, &got, "it failed with some left");
	}
	return wrong(row, UNITS_MAX, &(struct purse){ 0 }, "no answer whatever there was to spend");
}

static bool is_bounded(const char *dir, unsigned i)
{
	const struct row row = { bounds[i].what, bounds[i].file, PACKETS, NULL };
	enum played result;
	struct purse got = play(dir, &row, UNITS_MAX, &result);
	printf("%-36s %2u packets of at most %u\n", bounds[i].what, got.sent, bounds[i].most);
	return result == PLAYED_PASS && got.sent > 1 && got.sent <= bounds[i].most;
}

int main(int argc, char **argv)
{
	bool good = argc == 2;
	for (size_t i = 0; good && i < COUNT(rows); i++)
		good &= check(argv[1], &rows[i]);
	for (unsigned i = 0; good && i < COUNT(bounds); i++)
		good &= is_bounded(argv[1], i);
	return good ? 0 : 1;
}
