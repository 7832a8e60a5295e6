/* corefile: the server blocks of a Corefile, snippets and imports expanded, as directives. What a directive means is
 * corefile_lower's matter; here it is only known what a block, a line and its braces are. */
#ifndef CONF_COREFILE_H
#define CONF_COREFILE_H

#include "conf/unbound.h"

#define SNIPPETS_EXPANDED_MAX 10000u   /* the bounds of CoreDNS; its imports within imports end at the same number */
#define FILES_EXPANDED_MAX 100000u
#define IMPORT_TOKENS_MAX 4000000u     /* in all: snippets that import each other grow as a power */
#define BRACES_MAX 16u                 /* braces within braces */
#define KEYS_MAX 4096u                 /* of one block */

struct corefile_block {
	const struct word *keys;
	unsigned nkeys;
	const char *file;                  /* where its first key stands */
	struct directive *first;
	struct corefile_block *next;
};

struct corefile {
	struct corefile_block *first;
	const char **files;                /* all that were read, the main one first */
	struct span *texts;                /* what is in them */
	unsigned nfiles;
	const char **patterns;             /* of imports that name files by one */
	unsigned npatterns;
};

/* Of the main file, whose text has been read; r->words is not used. Errors in the text are in diag; the first one ends
 * the reading. returns OK | ERR_LIMIT */
enum err corefile_from_text(const struct reading *r, const char *file, struct span text,
                            struct corefile *ret) MUST_CHECK;
/* The blocks as text that reads back as the same: no comments, one form. */
void corefile_text(const struct corefile *c, struct buf *to);

/* An argument, in quotes only where it needs them: not all that can be written without has a form with. A line with
 * what is in its braces, so deep in. */
void corefile_word(const char *text, struct buf *to);
void corefile_line(const struct directive *d, unsigned depth, struct buf *to);

/* Does this look like a Corefile rather than an unbound.conf? By its name, or by its first line. */
bool corefile_is(const char *file, struct span text);

#endif
