/* template: texts with places to fill in. `@word@` within a line becomes the word's value; a line whose word has no
 * value is left out. A word that stands for a text of many lines is filled in line by line, each indented as the word
 * was. */
#ifndef APP_TEMPLATE_H
#define APP_TEMPLATE_H

#include <stdio.h>

#include "base/attr.h"
#include "base/span.h"

#define TEMPLATE_DEPTH_MAX 3u    /* texts within texts: a Corefile within a ConfigMap, a pod within a Deployment */

struct template_word {
	const char *name;
	struct span value;           /* p NULL: none */
	bool lines;                  /* it is a text of many lines */
	bool filled;                 /* which has places of its own; somebody else's text has not */
};

/* Every line of the text into `to`, with `indent` spaces before each that is not empty.
 * returns false: a place names no word, or texts lie deeper than TEMPLATE_DEPTH_MAX */
bool template_write(FILE *to, struct span text, const struct template_word *words, size_t nwords, unsigned indent)
	MUST_CHECK;

#endif
