/* rpl_macro: what stands between ${ and } in a scenario: ${time}, ${timeout}, ${ctime T}, ${range LOW X HIGH}, sums,
 * products and variables; and the files that scenarios compare after it is expanded. */
#ifndef SIM_RPL_MACRO_H
#define SIM_RPL_MACRO_H

#include "base/buf.h"
#include "base/span.h"

#define RPL_VARS_MAX 64u
#define RPL_WORD_MAX 64u

struct rpl_var {
	char name[RPL_WORD_MAX], value[RPL_WORD_MAX];
};

struct rpl_macros {
	int64_t time, timeout;        /* wall seconds now; seconds to the next probe, 0 none */
	unsigned n;
	struct rpl_var vars[RPL_VARS_MAX];
};

/* text with all its macros done. False: why says what is wrong, or what is out of its range. */
bool rpl_expand(const struct rpl_macros *m, struct span text, struct buf *to, struct buf *why);
/* "name = text". */
bool rpl_assign(struct rpl_macros *m, struct span text, struct buf *why);
/* Is a file what a scenario expects, line by line? White space is folded, empty lines and dates do not count. */
bool rpl_file_is(const struct rpl_macros *m, struct span want, struct span got, struct buf *why);

#endif
