/* Any bytes as a Corefile: no crash; and its canonical text reads back as the same. */
#include <stdlib.h>

#include "base/heap.h"
#include "conf/corefile.h"
#include "conf/model.h"

#define TEXT_BYTES (1u << 20)

/* The canonical text of a text; n == 0: it is wrong, or too long. */
static struct span again(struct span text, struct arena *a)
{
	struct diag d;
	diag_init(&d, a);
	const struct reading r = { .source = { .arena = a }, .diag = &d };
	struct corefile c;
	struct buf b = buf_on(arena_alloc(a, TEXT_BYTES), TEXT_BYTES);
	if (b.p == NULL || corefile_from_text(&r, "-", text, &c) != OK || d.errors > 0)
		return (struct span){ 0 };
	corefile_text(&c, &b);
	return buf_ok(&b) ? buf_span(&b) : (struct span){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct diag d;
	arena_init(&a, 64u << 20);
	struct span first = again(span_of(data, size), &a);
	if (first.n > 0) {
		struct span second = again(first, &a);
		if (second.n > 0 && !span_eq(first, second))
			abort();
	}
	const struct corefile_flags flags = { .text = size == 0 ? span_text("") : span_of(data, size) };
	diag_init(&d, &a);
	struct model *m = model_load_as_coredns(NULL, &flags, &d);
	if (m != NULL)
		model_free(m);
	arena_free(&a);
	return 0;
}
