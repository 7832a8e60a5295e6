/* Everything that people or programs write about trust anchors: master files, BIND's statements, state files. What a
 * state file says must come back the same from what we write, twice: each time the order of the keys turns round. The
 * first byte chooses. */
#include "base/assert.h"
#include "core/autotrust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRITTEN_MAX (1u << 20)

static uint8_t written[3][WRITTEN_MAX];

static void check_state(struct arena *a, struct span text, struct diag *diag)
{
	struct autotrust first, second, third;
	if (autotrust_read(a, text, "f", diag, &first) != OK)
		return;
	struct buf one = buf_on(written[0], WRITTEN_MAX), two = buf_on(written[1], WRITTEN_MAX);
	struct buf three = buf_on(written[2], WRITTEN_MAX);
	autotrust_write(&first, &one);
	if (!buf_ok(&one) || first.nkeys == 0)
		return;
	ASSERT(one.n > AUTOTRUST_FILE_MAX || autotrust_read(a, buf_span(&one), "f", diag, &second) == OK);
	if (one.n > AUTOTRUST_FILE_MAX)
		return;
	autotrust_write(&second, &two);
	ASSERT(autotrust_read(a, buf_span(&two), "f", diag, &third) == OK);
	autotrust_write(&third, &three);
	ASSERT(span_eq(buf_span(&one), buf_span(&three)));
	ASSERT(second.nkeys == first.nkeys && third.nkeys == first.nkeys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct diag diag;
	struct anchors anchors = { 0 };
	if (size < 1)
		return 0;
	struct span text = span_of(data + 1, size - 1);
	arena_init(&a, 8u << 20);
	diag_init(&diag, &a);
	if (data[0] % 3 == 0)
		anchors_read(&a, &anchors, text, "f", &diag);
	else if (data[0] % 3 == 1)
		anchors_read_bind(&a, &anchors, text, "f", &diag);
	else
		check_state(&a, text, &diag);
	for (unsigned i = 0; i < anchors.n; i++)
		ASSERT(anchors_find(&anchors, anchors.list[i]->trust.zone, 0) == anchors.list[i]);
	arena_free(&a);
	return 0;
}
