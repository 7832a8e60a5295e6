/* Text to name to text to name, and names anywhere in bytes: what is read is legal and reads back the same. */
#include "base/assert.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_legal(struct name n)
{
	size_t at = 0;
	unsigned labels = 0;
	for (; n.wire[at] != 0; labels++) {
		ASSERT(n.wire[at] <= LABEL_MAX);
		at += 1u + n.wire[at];
		ASSERT(at < n.len);
	}
	ASSERT(at + 1 == n.len && labels == n.labels);
}

static void check_text(struct name n)
{
	uint8_t text[NAME_TEXT_MAX], store[NAME_MAX_BYTES], folded[NAME_MAX_BYTES];
	struct buf b = buf_on(text, sizeof(text));
	struct name again;
	check_legal(n);
	name_text(n, &b);
	ASSERT(buf_ok(&b));
	ASSERT(name_from_text(buf_span(&b), NULL, store, &again) == OK);
	ASSERT(again.labels == n.labels && span_eq(span_of(again.wire, again.len), span_of(n.wire, n.len)));
	ASSERT(name_eq(n, name_fold(n, folded)) && name_cmp(n, again) == 0 && name_common(n, again) == n.labels);
	for (unsigned i = 0; i <= n.labels; i++)
		ASSERT(name_below(n, name_up(n, i)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t store[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
	struct name n, m;
	struct span s = span_of(data, size);
	if (name_from_text(s, NULL, store, &n) == OK)
		check_text(n);
	if (name_from_wire(s, &n) == OK)
		check_text(n);
	/* a name after a name, as in a message; the second may point into the first */
	size_t at = 0;
	if (name_parse(s, &at, store, &n) != OK)
		return 0;
	ASSERT(at <= size);
	check_text(n);
	if (name_parse(s, &at, other, &m) != OK)
		return 0;
	ASSERT(at <= size);
	check_text(m);
	ASSERT((name_cmp(n, m) == 0) == name_eq(n, m) && (name_cmp(n, m) < 0) == (name_cmp(m, n) > 0));
	ASSERT(name_common(n, m) == name_common(m, n));
	return 0;
}
