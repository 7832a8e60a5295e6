/* A Corefile's view: which of the questions for its zones a server block is for. Several in a block must all agree. */
#include <string.h>

#include "conf/tables.h"

#define NAME_MAX_LETTERS 63u   /* of a view: it is a label of numbers */

static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t n = strlen(text);
	return n > 0 && n <= NAME_MAX_LETTERS && strspn(text, letters) == n;
}

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct viewing *v = self;
	(void)a;
	if (d->nargs != 1) {
		count_wrong(d, "the name of the view", diag);
		return;
	}
	if (!is_name(d->args[0].text))
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "'%.200s' is no name of a view; expected letters, digits, '-', '_' and '.', at most %u",
		           d->args[0].text, NAME_MAX_LETTERS);
	if (d->inside == NULL)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "view %.200s says no questions; expected { expr EXPRESSION }", d->args[0].text);
	if (v->at == NULL) {
		v->at = d;
		v->name = d->args[0].text;
	}
}

static void expr_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct viewing *v = self;
	struct expr_words words = { .want = DATUM_BOOL };
	if (d->nargs == 0) {
		count_wrong(d, "an expression", diag);
		return;
	}
	if (v->n == VIEW_CONDITIONS_MAX) {
		diag_error(diag, d->file, d->word.line, d->word.column, "more than %u conditions",
		           VIEW_CONDITIONS_MAX);
		return;
	}
	v->conditions[v->n++] = expr_words(d, &words, a, diag);
}

static const struct opt opts[] = {
	{ { "expr", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = expr_parse, .repeats = true,
	  .doc = "EXPRESSION: questions that the server block is for." },
};

const struct settings view_settings = {
	.name = "view", .doc = "which of the questions for its zones a server block is for",
	.corefile = { "view", DIRECTIVE_ADDS, head },
	.size = sizeof(struct viewing), .opts = opts, .nopts = COUNT(opts),
};
