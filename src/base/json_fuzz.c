/* Any bytes as JSON, and as YAML: a tree within its bounds or an error with words, and nothing is left behind. */
#include "base/assert.h"
#include "base/heap.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count(const struct json *j, unsigned depth)
{
	unsigned n = 1;
	ASSERT(depth <= JSON_DEPTH_MAX + 1);
	ASSERT(j->text.p == NULL || j->text.p[j->text.n] == 0);
	for (unsigned i = 0; i < j->n; i++)
		n += count(&j->list[i], depth + 1);
	return n;
}

static void judge(enum err err, const struct json *tree, const struct json_error *error)
{
	if (err == OK)
		ASSERT(count(tree, 0) <= JSON_NODES_MAX + 1);
	else
		ASSERT(*error->text != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t blocks = heap_blocks();
	struct arena a;
	arena_init(&a, 8u << 20);
	struct json_error error = { 0 };
	const struct json *tree = NULL;
	enum err err = json_parse(&a, span_of(data, size), &tree, &error);
	judge(err, tree, &error);
	if (size < 4096) {
		err = yaml_parse(&a, span_of(data, size), &tree, &error);
		judge(err, tree, &error);
	}
	arena_free(&a);
	ASSERT(heap_blocks() == blocks);
	return 0;
}
