/* words: the words of master-file text (RFC1035 5.1). Blanks part them; quotes hold blanks; parentheses let a record
 * go over several lines; a semicolon starts a comment. Everything that reads presentation form reads it through
 * here, so a record in a zone file and one in a configuration cannot be understood differently. */
#ifndef WIRE_WORDS_H
#define WIRE_WORDS_H

#include "base/err.h"
#include "base/span.h"

struct words {
	const uint8_t *start, *at, *end;
	const uint8_t *mark;         /* where the latest word began, for error messages */
	const uint8_t *line_start;
	uint32_t line;               /* from 1 */
	bool open;                   /* inside parentheses */
	const uint8_t *opened, *opened_line_start;   /* where they opened */
	uint32_t opened_line;
};

struct word {
	struct span text;   /* escapes still in it; p == NULL when the record has no more words */
	bool quoted;
};

void words_init(struct words *w, struct span text);
/* The next word of the record, which ends at a newline outside of parentheses. returns OK | ERR_SYNTAX for a quote or
 * parenthesis without its partner; mark and line then stand at it */
enum err word_next(struct words *w, struct word *ret) MUST_CHECK;
/* As word_next, but a quote behind '=' belongs to the word: key="a value" (RFC9460 2.1). */
enum err word_next_pair(struct words *w, struct word *ret) MUST_CHECK;
/* Move behind the record's end, whatever still stands before it. */
void words_skip(struct words *w);
/* Of the mark: bytes from the start of the text; bytes from the start of its line, from 1. */
size_t words_offset(const struct words *w);
uint32_t words_column(const struct words *w);

/* One character of s at *at, "\DDD" and "\X" undone; moves *at. */
enum err unescape(struct span s, size_t *at, uint8_t *ret) MUST_CHECK;
/* Decimal digits alone, at most max. returns OK | ERR_SYNTAX | ERR_RANGE */
enum err number_from_text(struct span s, uint32_t max, uint32_t *ret) MUST_CHECK;
/* Seconds, plain or as 1w2d3h4m5s in any case, at most 2^31-1 (RFC2181 8). */
enum err ttl_from_text(struct span s, uint32_t *ret) MUST_CHECK;
/* Equal but for ASCII case. */
bool span_is_fold(struct span a, const char *s);

#endif
