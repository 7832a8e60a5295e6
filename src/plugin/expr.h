/* expr: conditions on questions, in the part of the language of CoreDNS's views that has a meaning here: texts, whole
 * numbers, yes and no, lists of constants; || && ! == != < <= > >= in matches contains startsWith endsWith + - * %
 * ?: and the functions of plugin/formula. What is outside is refused when it is read, by its place. */
#ifndef PLUGIN_EXPR_H
#define PLUGIN_EXPR_H

#include "plugin/formula.h"
#include "plugin/opt.h"

struct expr_source {
	struct span text;
	const struct named_datum *vars;   /* names that mean what was worked out before */
	unsigned nvars;
};

/* NULL: it is none, and *ret_wrong says why. */
const struct node *expr_read(struct arena *a, const struct expr_source *s, struct formula_wrong *ret_wrong) MUST_CHECK;
/* The words of d from `first` on, as one expression that comes to `want` (DATUM_ANY: whatever). NULL: that has been
 * said. */
struct expr_words {
	unsigned first;
	enum datum_kind want;
	const struct named_datum *vars;
	unsigned nvars;
};
const struct node *expr_words(const struct directive *d, const struct expr_words *w, struct arena *a,
                              struct diag *diag) MUST_CHECK;
/* Does the condition hold? What cannot be worked out does not. */
bool expr_holds(const struct node *n, const struct formula_data *d);

#endif
