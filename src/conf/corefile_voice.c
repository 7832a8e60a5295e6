#include "conf/corefile_voice.h"

#include <string.h>

#define SYNTAX "Syntax error: "

void corefile_voice(struct diag *d, struct diag_line **at, enum corefile_stage stage, const char *plugin)
{
	for (struct diag_line *l = *at; l != NULL; l = l->next) {
		const char *expected = strstr(l->text, "; expected "), *text = l->text;
		int n = (int)(expected == NULL ? strlen(text) : (size_t)(expected - text));
		if (l->level == DIAG_WARNING || stage == STAGE_PLAIN || l->line == 0) {
			bool own = stage == STAGE_PLUGIN;
			l->text = arena_printf(d->arena, "%s%s%s%.*s", own ? "plugin/" : "", own ? plugin : "",
			                       own ? ": " : "", n, text);
		} else {
			bool syntax = strncmp(text, SYNTAX, strlen(SYNTAX)) == 0;
			l->text = arena_printf(d->arena, "%s%s%s%s:%u - %s%.*s", stage == STAGE_PLUGIN ? "plugin/" : "",
			                       stage == STAGE_PLUGIN ? plugin : "", stage == STAGE_PLUGIN ? ": " : "",
			                       l->file, l->line, syntax ? "" : "Error during parsing: ", n, text);
		}
		if (l->text == NULL)
			l->text = text;
	}
}
