/* The same bytes in one piece and in many must give the same messages. */
#include <stdlib.h>

#include "proto/frame.h"

#define MESSAGES_MAX 70000u

static uint64_t sum(uint64_t at, struct span m)
{
	at = at * 1099511628211u + m.n;
	for (size_t i = 0; i < m.n; i++)
		at = (at ^ m.p[i]) * 1099511628211u;
	return at;
}

static uint64_t run(struct span bytes, size_t step)
{
	struct frame f;
	struct span m;
	uint64_t all = 0;
	frame_init(&f);
	while (bytes.n > 0) {
		struct span piece = span_of(bytes.p, MIN(step, bytes.n));
		bytes = span_from(bytes, piece.n);
		if (frame_feed(&f, piece) != OK)
			abort();   /* cannot be: all whole messages are taken each time */
		for (unsigned i = 0; i < MESSAGES_MAX && frame_next(&f, &m); i++)
			all = sum(all, m);
		if (frame_waits(&f) || frame_keep(&f) != OK)
			abort();
	}
	frame_fini(&f);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	struct span bytes = span_of(data + 1, size - 1);
	if (run(bytes, SIZE_MAX) != run(bytes, 1 + data[0] * 8u))
		abort();
	return 0;
}
