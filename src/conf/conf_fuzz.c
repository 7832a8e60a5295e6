/* Any bytes as a configuration: no crash; and what a model prints of itself is a configuration that means the same. */
#include <stdlib.h>

#include "base/heap.h"
#include "conf/model.h"

#define TEXT_BYTES (1u << 17)

static struct model *load(struct span text, struct arena *a)
{
	struct diag d;
	arena_init(a, 1u << 20);
	diag_init(&d, a);
	return model_from_text(text, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a, b;
	struct model *m = load(span_of(data, size), &a);
	if (m != NULL) {
		struct buf first = buf_on(heap_new(TEXT_BYTES), TEXT_BYTES),
			   second = buf_on(heap_new(TEXT_BYTES), TEXT_BYTES);
		model_dump(m, &first);
		model_posture(m, &second);
		second.n = 0;
		struct model *again = buf_ok(&first) ? load(buf_span(&first), &b) : NULL;
		if (buf_ok(&first) && again == NULL)
			abort();
		if (again != NULL) {
			model_dump(again, &second);
			if (buf_ok(&second) && !span_eq(buf_span(&first), buf_span(&second)))
				abort();
			model_free(again);
		}
		if (buf_ok(&first))
			arena_free(&b);
		heap_free(first.p);
		heap_free(second.p);
		model_free(m);
	}
	arena_free(&a);
	return 0;
}
