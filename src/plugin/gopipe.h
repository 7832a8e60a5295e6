/* gopipe: what stands in one action of Go's text/template: pipelines of constants, fields, variables and calls. It
 * reads between `at` and `end` of the text and leaves `at` behind what it took; blocks and the text around are
 * gotext's. What is wrong is noted in m.wrong, the first one counts. */
#ifndef PLUGIN_GOPIPE_H
#define PLUGIN_GOPIPE_H

#include "plugin/formula.h"

#define GOTEXT_BLANKS " \t\r\n"

struct gopipe_variable {
	struct span name;
	int slot;
};

struct gopipe {
	struct formula_making m;
	struct span text;
	size_t at, end;                    /* in the action, where it ends */
	struct gopipe_variable scope[FORMULA_SLOTS_MAX];
	unsigned nscope;
	int slots;
	bool root_dot;                     /* the dot is what is known of the question */
};

/* A pipeline up to the end of the action, or the bracket that ends it. NULL: something is wrong. */
struct node *gopipe_read(struct gopipe *p);

/* A new variable in the scope at hand: its slot, -1: too many. */
int gopipe_declare(struct gopipe *p, struct span name, size_t at);
/* "$x" at hand, followed by := or =; *ret_declares says which. n 0: it is not that. Nothing is taken then. */
struct span gopipe_assigned(struct gopipe *p, bool *ret_declares);

/* ---- tokens ---- */

/* The byte at hand, 0 behind the end. */
static inline uint8_t gopipe_here(const struct gopipe *p)
{
	return p->at < p->end ? p->text.p[p->at] : 0;
}
static inline bool gopipe_is_blank(uint8_t c)
{
	return c != 0 && strchr(GOTEXT_BLANKS, c) != NULL;
}
void gopipe_blanks(struct gopipe *p);
/* The word at hand, n 0 none; it is not taken. */
struct span gopipe_word(const struct gopipe *p);
/* Take it if it is there; a word with the blanks behind it. */
bool gopipe_take_word(struct gopipe *p, const char *what);
bool gopipe_take(struct gopipe *p, const char *what);
/* Something else stands here. Returns NULL, for who returns nodes. */
void *gopipe_expected(struct gopipe *p, const char *what);

#endif
