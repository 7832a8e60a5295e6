/* Any bytes as an expression and as a template: no crash when they are read, nor when what they became is worked out,
 * and an end to both. */
#include "plugin/expr.h"
#include "plugin/gotext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t wire[] = "\1a\4test";
	static uint8_t out[16384];
	struct client client = { .from = { .family = ADDR_4, .ip = { 192, 0, 2, 1 } } };
	struct datum match[2] = { datum_of_text(span_text("a.test.")), datum_of_text(span_text("a")) };
	struct formula_wrong wrong;
	struct formula_run run;
	struct datum v;
	struct arena a;
	client.question = (struct question){ { wire, sizeof(wire), 2 }, RR_A, CLASS_IN };
	struct formula_data of = { .question = &client.question, .client = &client, .name = span_text("a.test."),
		                   .zone = span_text("test."), .match = match, .nmatch = 2 };
	arena_init(&a, 16u << 20);
	struct expr_source s = { .text = span_of(data, size) };
	const struct node *n = expr_read(&a, &s, &wrong);
	formula_begin(&run, &of);
	if (n != NULL && formula_value(&run, n, &v) == OK) {
		struct buf b = buf_on(out, sizeof(out));
		datum_text(&v, &b);
	}
	n = gotext_read(&a, span_of(data, size), &wrong);
	struct buf b = buf_on(out, sizeof(out));
	formula_begin(&run, &of);
	if (wrong.why[0] == 0)
		(void)!formula_write(&run, n, &b);
	arena_free(&a);
	return 0;
}
