/* arguments: what the heads and lines of a Corefile's plugins have in common: how many words there may be, and what
 * kind. Errors are said in the words that people search for. */
#ifndef PLUGIN_ARGUMENTS_H
#define PLUGIN_ARGUMENTS_H

#include "plugin/opt.h"

/* False: there are more (fewer), and that has been said. */
bool arguments_at_most(const struct directive *d, unsigned most, struct diag *diag);
bool arguments_at_least(const struct directive *d, unsigned least, struct diag *diag);
/* Exactly: neither more nor fewer. */
bool arguments_are(const struct directive *d, unsigned n, struct diag *diag);
/* Digits and no more, of a number up to `max`. */
bool arguments_number(const char *text, uint64_t max, uint64_t *ret);
/* `ttl SECONDS`, up to `max`; what is wrong is said and *ret stays. */
void arguments_ttl(const struct directive *d, uint32_t max, uint32_t *ret, struct diag *diag);

#endif
