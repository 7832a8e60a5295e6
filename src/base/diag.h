/* diag: what is wrong with a file a person wrote, and where. Collected, so that one run tells everything. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/arena.h"

enum diag_level { DIAG_WARNING, DIAG_ERROR };

struct diag_line {
	struct diag_line *next;
	enum diag_level level;
	const char *file;        /* in the diag's arena */
	uint32_t line, column;   /* from 1; 0 unknown */
	const char *text;        /* "what is wrong; what was expected" */
};

#define DIAG_LINES_MAX 1000u   /* a file that is not a configuration at all should not fill memory */

struct diag {
	struct arena *arena;
	struct diag_line *first, **last;
	uint32_t errors, warnings;
};

void diag_init(struct diag *d, struct arena *arena);
void diag_error(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *fmt, ...) PRINTF(5, 6);
void diag_warning(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *fmt, ...)
	PRINTF(5, 6);

#endif
