/* corefile_lex: the tokens of a Corefile. They are parted by white space; a line's end matters, so a token says whether
 * it is the first of its line. {$NAME} and {%NAME%} stand for what the environment has, which is not cut again. */
#ifndef CONF_COREFILE_LEX_H
#define CONF_COREFILE_LEX_H

#include "base/diag.h"
#include "conf/source.h"

#define TOKEN_BYTES_MAX 65536u   /* of one token, the environment's part in it included */

struct corefile_token {
	const char *text, *file;
	uint32_t line, column;   /* from 1 */
	bool first;              /* of its line */
	bool plain;              /* written as it is, without quotes: may be a brace that counts */
};

struct corefile_tokens {
	struct corefile_token *list;
	unsigned n;
};

/* What is wrong with the text is in diag; the tokens before it are still good.
 * returns OK | ERR_LIMIT out of memory */
enum err corefile_lex(const struct source *s, const char *file, struct span text, struct diag *diag,
                      struct corefile_tokens *ret) MUST_CHECK;

/* Bytes of the white space that s begins with; 0: it begins with something else. */
size_t corefile_space(struct span s);

#endif
