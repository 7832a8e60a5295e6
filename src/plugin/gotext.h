/* gotext: the part of Go's text/template that a Corefile's template needs: text, {{ pipelines }}, variables, if, with,
 * range, and the functions of plugin/formula. What is outside (define, block, template, calls of methods) is refused
 * when it is read, by its place. */
#ifndef PLUGIN_GOTEXT_H
#define PLUGIN_GOTEXT_H

#include "plugin/formula.h"

/* What is done, one after the other; an empty text is NULL too. ret_wrong->why is empty when nothing is wrong. */
const struct node *gotext_read(struct arena *a, struct span text, struct formula_wrong *ret_wrong) MUST_CHECK;

#endif
