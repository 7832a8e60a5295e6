#include "base/diag.h"

#include <stdarg.h>

#include "base/buf.h"

#define TEXT_MAX 1024u

void diag_init(struct diag *d, struct arena *arena)
{
	*d = (struct diag){ .arena = arena };
	d->last = &d->first;
}

/* `at` says what and where, its file still the caller's. */
static void add(struct diag *d, struct diag_line at, const char *fmt, va_list ap)
{
	uint32_t *count = at.level == DIAG_ERROR ? &d->errors : &d->warnings;
	if ((*count)++ >= DIAG_LINES_MAX)
		return;
	char text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	buf_vprintf(&b, fmt, ap);
	struct diag_line *l = ARENA_NEW(d->arena, struct diag_line);
	if (l == NULL)
		return;
	*l = at;
	l->file = at.file == NULL ? "-" : arena_text(d->arena, span_text(at.file));
	l->text = arena_text(d->arena, span_text(buf_cstr(&b)));
	if (l->file == NULL || l->text == NULL)
		return;
	*d->last = l;
	d->last = &l->next;
}

void diag_error(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(d, (struct diag_line){ NULL, DIAG_ERROR, file, line, column, NULL }, fmt, ap);
	va_end(ap);
}

void diag_warning(struct diag *d, const char *file, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(d, (struct diag_line){ NULL, DIAG_WARNING, file, line, column, NULL }, fmt, ap);
	va_end(ap);
}
