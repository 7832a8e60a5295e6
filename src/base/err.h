/* What can go wrong, as one table (errors.def). Bad input and limits are values of this type, returned
 * and counted, never logged where they arise. TRY returns early: arenas clean up. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"

enum err {
#define ERR(name, text, rcode, ede) name,
#include "base/errors.def"
#undef ERR
	ERR_COUNT
};

/* Text for people, static. */
const char *err_text(enum err e);
/* RCODE for the client whose question ended this way. */
int err_rcode(enum err e);
/* EDE info code (RFC8914 4), or -1 for none. */
int err_ede(enum err e);

#define TRY(expr)                                                                                  \
	do {                                                                                       \
		enum err try_err_ = (expr);                                                        \
		if (UNLIKELY(try_err_ != OK))                                                      \
			return try_err_;                                                           \
	} while (0)

#endif
