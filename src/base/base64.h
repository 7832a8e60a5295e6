/* base64: RFC4648 4, as settings hold it: blanks and line ends in it are passed over. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* returns OK | ERR_SYNTAX | ERR_LIMIT the arena's */
enum err base64_read(struct arena *a, struct span text, struct span *ret) MUST_CHECK;

/* Appended as text, padded. */
void base64_write(struct span bytes, struct buf *to);

#endif
