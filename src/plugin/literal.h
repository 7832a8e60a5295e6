/* literal: constants as the languages of a Corefile write them (plugin/expr, plugin/gotext), read into nodes. */
#ifndef PLUGIN_LITERAL_H
#define PLUGIN_LITERAL_H

#include "plugin/formula.h"

/* A constant's node; NULL: too many, or the arena is full, and that is noted. */
struct node *literal_node(struct formula_making *m, struct datum v, size_t at) MUST_CHECK;
/* A text between the quotes '', "" or ``, the first of which stands at *at, which is left behind the second. Outside ``
 * a backslash takes what is behind it as it is, n and t for their blanks; known: only these may stand there, NULL: any.
 * The text lies in m's arena. False: it has no end, and that is noted. */
bool literal_text(struct formula_making *m, struct span text, size_t *at, const char *known, struct span *ret)
	MUST_CHECK;

#endif
