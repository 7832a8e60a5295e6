#include "conf/corefile_voice.h"

#include <string.h>

#define SYNTAX "Syntax error: "

/* Without what was expected, which is no part of CoreDNS's lines. */
static int text_bytes(const char *text)
{
	const char *expected = strstr(text, "; expected ");
	return (int)(expected == NULL ? strlen(text) : (size_t)(expected - text));
}

static const char *line_text(struct arena *a, const struct diag_line *l, enum corefile_stage stage, const char *plugin)
{
	bool own = stage == STAGE_PLUGIN || stage == STAGE_DATA, warning = l->level == DIAG_WARNING;
	bool syntax = strncmp(l->text, SYNTAX, strlen(SYNTAX)) == 0;
	const char *mark = own ? "plugin/" : "", *name = own ? plugin : "", *end = own ? ": " : "";
	int n = text_bytes(l->text);
	if (warning && stage == STAGE_DATA && l->line > 0)
		return arena_printf(a, "%s%s%s%s:%u: %s", mark, name, end, l->file, l->line, l->text);
	if (warning || stage == STAGE_PLAIN || l->line == 0)
		return arena_printf(a, "%s%s%s%.*s", mark, name, end, n, l->text);
	return arena_printf(a, "%s%s%s%s:%u - %s%.*s", mark, name, end, l->file, l->line,
	                    syntax ? "" : "Error during parsing: ", n, l->text);
}

void corefile_voice(struct diag *d, struct diag_line **at, enum corefile_stage stage, const char *plugin)
{
	for (struct diag_line *l = *at; l != NULL; l = l->next) {
		const char *text = line_text(d->arena, l, stage, plugin);
		if (text != NULL)
			l->text = text;
	}
}
