/* value: typed values of options from text by Unbound's rules, and back. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"
#include "conf/unbound.h"

/* Where an error about a value is said, and in whose words. */
struct value_place {
	struct diag *diag;
	enum voice voice;
	const char *file, *option;
	uint32_t line, column;
};

/* Text into the field of `self` that the row names; not for OPT_CUSTOM. returns false when the error has been said and
 * the field is as it was. */
bool value_set(const struct opt *row, void *self, const char *text, struct arena *a, const struct value_place *at);
/* The same by the rules of a Corefile: numbers are digits alone, times as 1m30s (OPT_SECS: or seconds), on and off. */
bool value_set_corefile(const struct opt *row, void *self, const char *text, struct arena *a,
                        const struct value_place *at);
/* A default as it stands in a row, where times may have a unit: "1d", "500ms". False: the row is wrong. */
bool value_default(const struct opt *row, void *self, const char *text, struct arena *a);
/* The field as text that value_set would take. */
void value_text(const struct opt *row, const void *self, struct buf *to);
/* The field as text that value_set_corefile would take. */
void value_text_corefile(const struct opt *row, const void *self, struct buf *to);
/* Quoted when it must be, so that it reads back as the same value. */
void value_quote(const char *text, struct buf *to);

/* C's atoi, as Unbound reads numbers: "12h" is 12. *ret_rest is what was not read.
 * returns false when there is no number at all */
bool number_read(const char *text, int64_t *ret, const char **ret_rest);
/* "4m", "4 MB". */
bool size_read(const char *text, uint64_t *ret);
/* Several words in one value, by blanks: the next one, or n == 0 at the end. */
struct span value_word(const char **at);

#endif
