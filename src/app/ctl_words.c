#include "app/ctl_words.h"

#define SECONDS_MAX (7 * 24 * 3600u)   /* RFC7646 2: seldom longer than a day, never for good */

#define TIME_EXPECTED "seconds, or a number with s, m, h or d, up to 7d"

const struct ctl_row ctl_rows[CTL_COUNT] = {
#define CTL(id, word, follows, arguments, what, theirs) { word, follows, arguments, what, theirs },
#include "app/ctl.def"
#undef CTL
};

/* The next word of a line; n 0 at its end. */
static struct span next_word(struct span *line)
{
	while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = span_from(*line, 1);
	size_t n = 0;
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t')
		n++;
	struct span word = span_of(line->p, n);
	*line = span_from(*line, n);
	return word;
}

static bool is_word(struct span word, const char *text)
{
	return span_eq(word, span_text(text));
}

/* What was said, fit to be said back. */
static void quote(struct span word, struct buf *why)
{
	buf_u8(why, '\'');
	for (size_t i = 0; i < word.n && i < 80; i++)
		buf_u8(why, word.p[i] < 0x20 || word.p[i] >= 0x7f ? '?' : word.p[i]);
	buf_u8(why, '\'');
}

static enum err complain(struct buf *why, const char *what, struct span word, const char *expected)
{
	buf_text(why, what);
	if (word.n > 0)
		quote(word, why);
	buf_printf(why, "; expected %s", expected);
	return ERR_SYNTAX;
}

/* "3600", "90m", "12h", "1d". */
static bool seconds_read(struct span word, uint32_t *ret)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 24 * 3600 } };
	uint64_t v = 0, each = 1;
	size_t digits = 0;
	while (digits < word.n && digits < 7 && word.p[digits] >= '0' && word.p[digits] <= '9')
		v = v * 10 + (word.p[digits++] - '0');
	bool known = digits == word.n;
	for (size_t i = 0; digits + 1 == word.n && i < COUNT(units); i++) {
		if (word.p[digits] == units[i].unit) {
			each = units[i].seconds;
			known = true;
		}
	}
	if (digits == 0 || !known || v * each == 0 || v * each > SECONDS_MAX)
		return false;
	*ret = (uint32_t)(v * each);
	return true;
}

static enum err flag_read(struct span word, unsigned follows, struct ctl_request *r, struct buf *why)
{
	const struct {
		const char *word;
		unsigned follows;
		bool *is;
	} flags[] = { { "--json", 0, &r->json }, { "--below", CTL_BELOW, &r->below },
		      { "--remove", CTL_REMOVE, &r->remove } };
	for (size_t i = 0; i < COUNT(flags); i++) {
		if (!is_word(word, flags[i].word) || (follows & flags[i].follows) != flags[i].follows)
			continue;
		*flags[i].is = true;
		return OK;
	}
	return complain(why, "unknown option ", word, "one that 'signet help ctl' lists for this command");
}

static enum err command_read(struct span word, struct ctl_request *r, struct buf *why)
{
	for (unsigned i = 0; i < CTL_COUNT; i++) {
		if (is_word(word, ctl_rows[i].word)) {
			r->id = (enum ctl_id)i;
			return OK;
		}
	}
	return complain(why, word.n == 0 ? "no command" : "unknown command ", word, "one that 'signet help ctl' lists");
}

static enum err argument_read(struct span word, unsigned nth, struct ctl_request *r, struct buf *why)
{
	unsigned follows = ctl_rows[r->id].follows;
	if (nth == 0 && follows & (CTL_NAME | CTL_NAME_NEEDED)) {
		if (name_from_text(word, NULL, r->store, &r->name) == OK)
			return OK;
		return complain(why, "no domain name: ", word, "a name such as example.com");
	}
	if (nth == 1 && follows & CTL_TIME && !r->remove) {
		if (seconds_read(word, &r->seconds))
			return OK;
		return complain(why, "no time: ", word, TIME_EXPECTED);
	}
	return complain(why, "one word too many: ", word, "what 'signet help ctl' shows");
}

enum err ctl_parse(struct span line, struct ctl_request *ret, struct buf *why)
{
	struct span words[CTL_WORDS_MAX], word, rest = line;
	unsigned n = 0, nth = 0;
	*ret = (struct ctl_request){ 0 };
	while ((word = next_word(&rest)).n > 0) {
		if (n == CTL_WORDS_MAX)
			return complain(why, "too many words", (struct span){ 0 }, "a command with its arguments");
		words[n++] = word;
	}
	/* The command first, whatever flags stand before it. */
	unsigned at = 0;
	while (at < n && is_word(words[at], "--json"))
		at++;
	TRY(command_read(at < n ? words[at] : (struct span){ 0 }, ret, why));
	const struct ctl_row *row = &ctl_rows[ret->id];
	for (unsigned i = 0; i < n; i++) {
		if (i != at && words[i].n > 1 && words[i].p[0] == '-')
			TRY(flag_read(words[i], row->follows, ret, why));
	}
	for (unsigned i = 0; i < n; i++) {
		if (i != at && !(words[i].n > 1 && words[i].p[0] == '-'))
			TRY(argument_read(words[i], nth++, ret, why));
	}
	bool named = ret->name.len > 0;
	if (!named && (row->follows & CTL_NAME_NEEDED || ret->below || ret->remove))
		return complain(why, "no name", (struct span){ 0 }, "a name such as example.com, or . for the root");
	if (named && row->follows & CTL_TIME && !ret->remove && ret->seconds == 0)
		return complain(why, "no time", (struct span){ 0 }, TIME_EXPECTED);
	return OK;
}
