/* duration: spans of time as Go's programs write them, of which Corefiles are full: "300ms", "1.5h", "2h45m". */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"

/* A number without a unit is none, save 0; what is finer than a millisecond is cut off, but is at least one when it was
 * not nothing. May be negative. returns OK | ERR_SYNTAX | ERR_RANGE more than a hundred years; ret untouched then */
enum err duration_parse(struct span text, msec *ret) MUST_CHECK;

#endif
