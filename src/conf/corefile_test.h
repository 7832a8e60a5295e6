/* A Corefile's text as the model it means, for the tests of a file: `arena` and `diag` are of the one at hand. */
#ifndef CONF_COREFILE_TEST_H
#define CONF_COREFILE_TEST_H

#include "conf/model.h"

static struct arena arena;
static struct diag diag;

static struct model *load(const char *text)
{
	const struct corefile_flags flags = { .text = span_text(text) };
	arena_init(&arena, 8u << 20);
	diag_init(&diag, &arena);
	return model_load_as_coredns("Corefile", &flags, &diag);
}

static void drop(struct model *m)
{
	if (m != NULL)
		model_free(m);
	arena_free(&arena);
}

#endif
