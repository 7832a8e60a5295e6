#include "base/err.h"

#include "base/assert.h"

static const struct {
	const char *text;
	int rcode, ede;
} rows[] = {
#define ERR(name, text, rcode, ede) { text, rcode, ede },
#include "base/errors.def"
#undef ERR
};

_Static_assert(COUNT(rows) == ERR_COUNT, "one row an error");

const char *err_text(enum err e)
{
	ASSERT(e < ERR_COUNT);
	return rows[e].text;
}

int err_rcode(enum err e)
{
	ASSERT(e < ERR_COUNT);
	return rows[e].rcode;
}

int err_ede(enum err e)
{
	ASSERT(e < ERR_COUNT);
	return rows[e].ede;
}
