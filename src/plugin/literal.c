#include "plugin/literal.h"

struct node *literal_node(struct formula_making *m, struct datum v, size_t at)
{
	struct node *n = formula_node(m, NODE_CONST, at);
	if (n != NULL) {
		n->value = v;
		n->type = v.kind;
	}
	return n;
}

bool literal_text(struct formula_making *m, struct span text, size_t *at, const char *known, struct span *ret)
{
	size_t begin = *at, i = begin + 1;
	uint8_t quote = text.p[begin], *p = arena_alloc(m->arena, text.n - begin + 1);
	if (p == NULL)
		return formula_wrong(m, begin, "it is too long") != NULL;
	struct buf b = buf_on(p, text.n - begin + 1);
	for (; i < text.n && text.p[i] != quote; i++) {
		if (text.p[i] != '\\' || quote == '`') {
			buf_u8(&b, text.p[i]);
			continue;
		}
		uint8_t c = ++i < text.n ? text.p[i] : 0;
		if (known != NULL && (c == 0 || strchr(known, c) == NULL))
			return formula_wrong(m, i, "only \\n, \\t, \\\\, \\\" and \\' are known") != NULL;
		buf_u8(&b, c == 'n' ? '\n' : c == 't' ? '\t' : c);
	}
	if (i >= text.n)
		return formula_wrong(m, begin, "a text without its end; expected %c", quote) != NULL;
	*at = i + 1;
	*ret = buf_span(&b);
	return true;
}
