/* Zones out of text, for the tests of this folder. */
#ifndef CORE_ZONE_TEST_H
#define CORE_ZONE_TEST_H

#include "core/text_test.h"
#include "core/zone_answer.h"
#include "core/zone_load.h"

/* NULL when something is wrong with it: d says what. */
static inline const struct zone *zone_of_text(struct arena *a, const char *origin, const char *text, struct diag *d)
{
	struct arena scratch;
	struct span file;
	const char *from;
	arena_init(&scratch, 1 << 24);
	diag_init(d, a);
	struct zone_load *l = zone_load_new(a, &scratch, text_name(a, origin), d);
	assert_non_null(l);
	zone_load_text(l, "zone", span_text(text));
	assert_int_equal(zone_load_run(l, &file, &from), ZONE_WANTS_NOTHING);
	const struct zone *z = zone_load_done(l);
	arena_free(&scratch);
	return z;
}

static inline struct zone_reply zone_asked(struct arena *a, const struct zone *z, const struct question *q, bool dnssec,
                                           struct verifier *crypto)
{
	struct zone_reply r;
	struct zone_ask ask = { .zone = z, .question = q, .dnssec = dnssec, .crypto = crypto };
	assert_int_equal(zone_answer(a, &ask, &r), OK);
	return r;
}

#endif
