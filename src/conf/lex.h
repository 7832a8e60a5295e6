/* lex: the tokens of unbound.conf as Unbound's own lexer cuts them: a keyword with its colon, then as many values as
 * that keyword takes. Which of both comes next is the caller's knowledge, so there is a function for each. */
#ifndef CONF_LEX_H
#define CONF_LEX_H

#include "base/span.h"

struct lex {
	struct span text;
	size_t at;
	uint32_t line;         /* from 1 */
	size_t line_start;
};

enum lex_kind {
	LEX_END,
	LEX_WORD,       /* text: a keyword (without colon) or a value (without quotes) */
	LEX_BARE,       /* a word where a keyword should stand, and no colon behind it */
	LEX_STRAY,      /* one character that belongs to nothing */
	LEX_NEWLINE,    /* a quoted value that its line ends before its quote */
	LEX_UNENDED,    /* a quoted value that the file ends before its quote */
};

struct lex_token {
	enum lex_kind kind;
	struct span text;
	uint32_t line, column;
	uint8_t quote;         /* ' or ", 0 for an unquoted value */
};

void lex_init(struct lex *l, struct span text);
/* Where a keyword may stand. LEX_WORD has moved behind the colon; the caller gives it back with lex_colon_stray when it
 * does not know the word, as Unbound then finds the colon to be stray. */
struct lex_token lex_keyword(struct lex *l);
void lex_colon_stray(struct lex *l);
/* Where a value must stand. */
struct lex_token lex_value(struct lex *l);

#endif
