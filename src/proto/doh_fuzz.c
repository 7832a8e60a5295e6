/* The same bytes in one piece and in many must give the same questions. */
#include <stdlib.h>

#include "proto/doh.h"

static uint64_t sum(uint64_t at, struct span m)
{
	at = at * 1099511628211u + m.n;
	for (size_t i = 0; i < m.n; i++)
		at = (at ^ m.p[i]) * 1099511628211u;
	return at;
}

static uint64_t run(struct span bytes, size_t step)
{
	struct doh d;
	struct span m;
	uint32_t stream;
	uint64_t all = 0;
	bool good = true;
	doh_init(&d);
	while (bytes.n > 0 && good) {
		struct span piece = span_of(bytes.p, bytes.n < step ? bytes.n : step);
		bytes = span_from(bytes, piece.n);
		good = doh_feed(&d, piece) == OK;
		while (good && doh_next(&d, &stream, &m)) {
			all = sum(all + stream, m);
			good = doh_answer(&d, stream, span_text("an answer"), 1) == OK;
		}
		doh_sent(&d, doh_output(&d).n);
		good = good && !doh_ended(&d);
	}
	doh_fini(&d);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16384)
		return 0;
	struct span bytes = span_of(data + 1, size - 1);
	/* HTTP/2 may lose the questions before a fault in the same piece: there only that nothing breaks is asked. */
	bool h2 = bytes.n >= DOH_PREFACE && memcmp(bytes.p, "PRI * HTTP/2.0", 14) == 0;
	uint64_t whole = run(bytes, 16384), cut = run(bytes, 1 + data[0] * 8u);
	if (!h2 && whole != cut)
		abort();
	return 0;
}
