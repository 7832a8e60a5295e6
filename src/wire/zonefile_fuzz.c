/* Zone files: every record that comes out has text, and that text gives the record again. */
#include "base/assert.h"
#include "wire/zonefile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS_MAX 100u   /* a $GENERATE may make more, all alike */
#define TEXT_MAX (1u << 20)

static void check_rr(struct arena *a, const struct rr *rr)
{
	static uint8_t text[TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	struct rr again;
	size_t column;
	ASSERT(rr_text(rr, &b) == OK);
	if (!buf_ok(&b))
		return;
	ASSERT(rr_from_text(a, buf_span(&b), &(struct rr_defaults){ NULL, 0 }, &again, &column) == OK);
	ASSERT(name_eq(rr->owner, again.owner) && rr->type == again.type && rr->ttl == again.ttl);
	ASSERT(rr->class == again.class && span_eq(rr->rdata, again.rdata));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a, scratch;
	struct zonefile_item item;
	struct zonefile_conf conf = { .origin = name_root, .class = CLASS_IN };
	uint32_t line = 0;
	arena_init(&a, 1 << 20);
	arena_init(&scratch, 4 << 20);
	struct zonefile *z = zonefile_new(&a, span_of(data, size), &conf);
	ASSERT(z != NULL);
	for (unsigned i = 0; i < ITEMS_MAX; i++) {
		zonefile_next(z, &item);
		if (item.kind == ZF_END)
			break;
		ASSERT(item.line > 0 && item.column > 0);
		if (item.kind == ZF_RR) {
			ASSERT(item.line >= line);
			line = item.line;
			check_rr(&scratch, &item.rr);
			arena_free(&scratch);
		} else if (item.kind == ZF_ERROR) {
			ASSERT(item.err != OK && item.what != NULL && strlen(item.what) > 0);
		}
	}
	arena_free(&a);
	return 0;
}
