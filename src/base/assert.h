/* ASSERT: on in release, and only for what our own code established. A byte from a network or a file
 * must never be able to reach one; for those there is enum err. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/attr.h"

#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))

/* Print the expression and its place on stderr, then abort. */
NORETURN COLD void assert_failed(const char *expr, const char *file, int line);

#endif
