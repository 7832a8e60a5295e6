#include "plugin/expr.h"

#include "base/addr.h"
#include "plugin/literal.h"

#define LEVEL_OR 1u
#define LEVEL_AND 2u
#define LEVEL_COMPARE 3u
#define LEVEL_ADD 4u
#define LEVEL_MULTIPLY 5u
#define LIST_MAX 64u               /* constants in brackets */
#define TEXT_MAX 65536u

struct reader {
	struct formula_making m;
	const struct expr_source *s;
	struct span text;
	size_t at;
};

static struct node *read_whole(struct reader *r);

/* ---- tokens ---- */

static uint8_t here(const struct reader *r)
{
	return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->text.n && strchr(" \t\r\n", here(r)) != NULL && here(r) != 0)
		r->at++;
}

static bool is_letter(uint8_t c)
{
	return (fold(c) >= 'a' && fold(c) <= 'z') || c == '_';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* The word that stands here, not taken. */
static struct span word(const struct reader *r)
{
	size_t n = 0;
	while (r->at + n < r->text.n &&
	       (is_letter(r->text.p[r->at + n]) || (n > 0 && is_digit(r->text.p[r->at + n]))))
		n++;
	return span_of(r->text.p + r->at, n);
}

static bool take(struct reader *r, const char *what)
{
	size_t n = strlen(what);
	if (r->text.n - r->at < n || memcmp(r->text.p + r->at, what, n) != 0)
		return false;
	if (is_letter((uint8_t)what[0]) && word(r).n != n)
		return false;
	r->at += n;
	skip_blanks(r);
	return true;
}

static void *expected(struct reader *r, const char *what)
{
	if (r->at >= r->text.n)
		return formula_wrong(&r->m, r->at, "it ends too early; expected %s", what);
	return formula_wrong(&r->m, r->at, "unexpected '%.20s'; expected %s",
	                     (const char *)(r->text.p + r->at), what);
}

/* ---- what is known when it is read ---- */

static bool may_be(const struct node *n, enum datum_kind kind)
{
	return n->type == kind || n->type == DATUM_ANY;
}

static const char *kind_name(enum datum_kind kind)
{
	static const char *const names[] = { "nil", "yes or no", "a number", "a text", "a list", "", "", "", "", "" };
	return names[kind];
}

static bool want(struct reader *r, const struct node *n, enum datum_kind kind, size_t at)
{
	if (may_be(n, kind))
		return true;
	formula_wrong(&r->m, at, "%s stands where %s is expected", kind_name(n->type), kind_name(kind));
	return false;
}

/* Do the operands suit the operator? */
static bool suits(struct reader *r, const char *op, const struct node *a, const struct node *b, size_t at)
{
	bool any = a->type == DATUM_ANY || b->type == DATUM_ANY;
	bool nil = a->type == DATUM_NIL || b->type == DATUM_NIL;
	if (strcmp(op, "in") == 0)
		return want(r, b, DATUM_LIST, at);
	if (strchr("mcse", op[0]) != NULL)   /* matches, contains, startsWith, endsWith */
		return want(r, a, DATUM_TEXT, at) && want(r, b, DATUM_TEXT, at);
	if (strchr("-*%", op[0]) != NULL)
		return want(r, a, DATUM_INT, at) && want(r, b, DATUM_INT, at);
	bool equal = a->type == b->type || any || (nil && (op[0] == '=' || op[0] == '!'));
	bool order = op[0] == '=' || op[0] == '!' || may_be(a, DATUM_INT) || may_be(a, DATUM_TEXT);
	if (!equal || !order)
		formula_wrong(&r->m, at, "%s and %s do not go with '%s'; expected two of one kind",
			kind_name(a->type),
		              kind_name(b->type), op);
	return equal && order;
}

/* ---- constants ---- */

static struct node *read_text(struct reader *r)
{
	size_t at = r->at;
	struct span text;
	if (!literal_text(&r->m, r->text, &r->at, NULL, &text))
		return NULL;
	skip_blanks(r);
	return literal_node(&r->m, datum_of_text(text), at);
}

static struct node *read_number(struct reader *r)
{
	size_t at = r->at;
	int64_t n = 0;
	for (; is_digit(here(r)); r->at++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, here(r) - '0', &n))
			return formula_wrong(&r->m, at, "the number is too large");
	if (is_letter(here(r)) || here(r) == '.')
		return formula_wrong(&r->m, at, "only whole decimal numbers are known");
	skip_blanks(r);
	return literal_node(&r->m, datum_of_int(n), at);
}

static struct node *read_list(struct reader *r)
{
	size_t at = r->at;
	struct datum *items = ARENA_ARRAY(r->m.arena, struct datum, LIST_MAX);
	int64_t n = 0;
	(void)take(r, "[");
	if (items == NULL)
		return formula_wrong(&r->m, at, "it is too long");
	while (!take(r, "]")) {
		size_t from = r->at;
		struct node *item = read_whole(r);
		if (item == NULL)
			return NULL;
		if (item->kind != NODE_CONST || n == LIST_MAX)
			return formula_wrong(&r->m, from, "a list holds constants alone, at most %u", LIST_MAX);
		items[n++] = item->value;
		if (!take(r, ",") && here(r) != ']')
			return expected(r, "',' or ']'");
	}
	struct node *list = formula_node(&r->m, NODE_LIST, at);
	if (list != NULL) {
		list->type = DATUM_LIST;
		list->value = (struct datum){ .kind = DATUM_LIST, .n = n, .items = items };
	}
	return list;
}

/* ---- names ---- */

static bool check_call(struct reader *r, const struct node *n, size_t at)
{
	struct prefix net;
	const struct node *last = n->args == NULL ? NULL : n->args->next;
	bool texts = strcmp(n->call->name, "len") != 0;
	for (const struct node *a = n->args; a != NULL && texts; a = a->next)
		if (!want(r, a, DATUM_TEXT, at))
			return false;
	if (strcmp(n->call->name, "incidr") == 0 && last->kind == NODE_CONST &&
	    prefix_parse(last->value.text, &net) != OK) {
		formula_wrong(&r->m, at, "'%.*s' is no network; expected ADDRESS/BITS",
			(int)MIN(last->value.text.n, 60),
		              (const char *)last->value.text.p);
		return false;
	}
	return true;
}

static struct node *read_call(struct reader *r, struct span name, size_t at)
{
	const struct formula_call *call = formula_call_expr(name);
	struct node *n = formula_node(&r->m, NODE_CALL, at), **last = n == NULL ? NULL : &n->args;
	unsigned count = 0;
	if (call == NULL)
		return formula_wrong(&r->m, at, "unknown function '%.*s'; expected name, type, client_ip, incidr or "
		                     "another of those that are known", (int)MIN(name.n, 40), (const char *)name.p);
	if (n == NULL)
		return NULL;
	while (!take(r, ")")) {
		struct node *arg = read_whole(r);
		if (arg == NULL)
			return NULL;
		*last = arg;
		last = &arg->next;
		count++;
		if (!take(r, ",") && here(r) != ')')
			return expected(r, "',' or ')'");
	}
	if (count < call->least || count > call->most)
		return formula_wrong(&r->m, at, "%s has %u arguments; expected %u", call->name, count, call->least);
	n->call = call;
	n->type = call->type;
	return check_call(r, n, at) ? n : NULL;
}

static struct node *read_name(struct reader *r)
{
	size_t at = r->at;
	struct span name = word(r);
	if (take(r, "true") || take(r, "false"))
		return literal_node(&r->m, datum_of_bool(name.n == 4), at);
	if (take(r, "nil"))
		return literal_node(&r->m, (struct datum){ .kind = DATUM_NIL }, at);
	r->at += name.n;
	skip_blanks(r);
	if (take(r, "("))
		return read_call(r, name, at);
	for (unsigned i = 0; i < r->s->nvars; i++) {
		if (!span_eq(r->s->vars[i].name, name))
			continue;
		struct node *vars = literal_node(&r->m, (struct datum){ .kind = DATUM_VARS }, at);
		struct node *field = formula_node(&r->m, NODE_FIELD, at);
		if (vars == NULL || field == NULL)
			return NULL;
		field->args = vars;
		field->value = datum_of_text(name);
		return field;
	}
	return formula_wrong(&r->m, at, "unknown name '%.*s'; expected a function, as name()", (int)MIN(name.n, 40),
	                     (const char *)name.p);
}

/* ---- operators ---- */

static struct node *operation(struct reader *r, const char *op, struct node *args, size_t at)
{
	struct node *n = formula_node(&r->m, NODE_CALL, at);
	if (n == NULL)
		return NULL;
	n->call = formula_call_operator(op);
	n->type = n->call->type;
	n->args = args;
	return n;
}

static struct node *read_unary(struct reader *r)
{
	size_t at = r->at;
	if (r->m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&r->m, at, "brackets go too deep; expected at most %u", FORMULA_NEST_MAX);
	struct node *n = NULL;
	r->m.nest++;
	if ((here(r) == '!' && take(r, "!")) || take(r, "not")) {
		n = read_unary(r);
		n = n == NULL || !want(r, n, DATUM_BOOL, at) ? NULL : operation(r, "!", n, at);
	} else if (take(r, "-")) {
		struct node *zero = literal_node(&r->m, datum_of_int(0), at), *of = read_unary(r);
		if (zero != NULL && of != NULL && want(r, of, DATUM_INT, at)) {
			zero->next = of;
			n = operation(r, "-", zero, at);
		}
	} else if (take(r, "(")) {
		n = read_whole(r);
		if (n != NULL && !take(r, ")"))
			n = expected(r, "')'");
	} else if (here(r) == '[') {
		n = read_list(r);
	} else if (here(r) == '\'' || here(r) == '"' || here(r) == '`') {
		n = read_text(r);
	} else if (is_digit(here(r))) {
		n = read_number(r);
	} else if (is_letter(here(r))) {
		n = read_name(r);
	} else {
		n = expected(r, "a value");
	}
	r->m.nest--;
	if (n != NULL && (here(r) == '.' || here(r) == '['))
		return expected(r, "an operator; there are no members and no items");
	return n;
}

static const struct {
	const char *text, *op;
	unsigned level;
} binaries[] = {
	{ "||", "||", LEVEL_OR }, { "or", "||", LEVEL_OR }, { "&&", "&&", LEVEL_AND }, { "and", "&&", LEVEL_AND },
	{ "==", "==", LEVEL_COMPARE }, { "!=", "!=", LEVEL_COMPARE }, { "<=", "<=", LEVEL_COMPARE },
	{ ">=", ">=", LEVEL_COMPARE }, { "<", "<", LEVEL_COMPARE }, { ">", ">", LEVEL_COMPARE },
	{ "in", "in", LEVEL_COMPARE }, { "matches", "matches", LEVEL_COMPARE },
	{ "contains", "contains", LEVEL_COMPARE }, { "startsWith", "startsWith", LEVEL_COMPARE },
	{ "endsWith", "endsWith", LEVEL_COMPARE }, { "+", "+", LEVEL_ADD }, { "-", "-", LEVEL_ADD },
	{ "**", NULL, LEVEL_MULTIPLY }, { "*", "*", LEVEL_MULTIPLY }, { "%", "%", LEVEL_MULTIPLY },
};

/* The row of the operator that stands here, taken; -1: none of that level or above. */
static int take_binary(struct reader *r, unsigned least)
{
	size_t before = r->at;
	for (unsigned i = 0; i < COUNT(binaries); i++) {
		if (!take(r, binaries[i].text))
			continue;
		if (binaries[i].level >= least && binaries[i].op != NULL)
			return (int)i;
		r->at = before;
		return -1;
	}
	return -1;
}

static struct node *decision(struct reader *r, const char *op, struct node *a, struct node *b, size_t at)
{
	if (!want(r, a, DATUM_BOOL, at) || !want(r, b, DATUM_BOOL, at))
		return NULL;
	struct node *n = formula_node(&r->m, op[0] == '&' ? NODE_AND : NODE_OR, at);
	if (n == NULL)
		return NULL;
	a->next = b;
	n->args = a;
	n->type = DATUM_BOOL;
	return n;
}

static struct node *join(struct reader *r, const char *op, struct node *a, struct node *b, size_t at)
{
	if (op[0] == '|' || op[0] == '&')
		return decision(r, op, a, b, at);
	if (!suits(r, op, a, b, at))
		return NULL;
	struct node *n = operation(r, op, a, at);
	if (n == NULL)
		return NULL;
	a->next = b;
	if (op[0] == '+' && (a->type == b->type || b->type == DATUM_ANY))
		n->type = a->type;
	if (strcmp(op, "matches") != 0)
		return n;
	if (b->kind != NODE_CONST)
		return formula_wrong(&r->m, at, "matches wants an expression that is written there");
	const char *why = NULL, *text = arena_text(r->m.arena, b->value.text);
	n->pattern = text == NULL ? NULL : pattern_make(r->m.arena, text, &why);
	if (n->pattern == NULL)
		return formula_wrong(&r->m, at, "invalid regex '%.60s': %s", text == NULL ? "" : text,
		                     why == NULL ? "there is no room for it" : why);
	return n;
}

static struct node *read_binary(struct reader *r, unsigned least)
{
	struct node *left = read_unary(r);
	while (left != NULL) {
		size_t at = r->at;
		bool negated = least <= LEVEL_COMPARE && take(r, "not");
		int row = take_binary(r, least);
		if (row < 0)
			return negated ? expected(r, "in, matches, contains, startsWith or endsWith") : left;
		if (negated && !is_letter((uint8_t)binaries[row].op[0])) {
			r->at = at;
			return expected(r, "an operator");
		}
		struct node *right = read_binary(r, binaries[row].level + 1);
		left = right == NULL ? NULL : join(r, binaries[row].op, left, right, at);
		if (negated && left != NULL)
			left = operation(r, "!", left, at);
	}
	return NULL;
}

static struct node *read_whole(struct reader *r)
{
	size_t at = r->at;
	if (r->m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&r->m, at, "brackets go too deep; expected at most %u", FORMULA_NEST_MAX);
	r->m.nest++;
	struct node *n = read_binary(r, LEVEL_OR);
	if (n != NULL && take(r, "?")) {
		struct node *cond = formula_node(&r->m, NODE_COND, at);
		struct node *yes = want(r, n, DATUM_BOOL, at) ? read_whole(r) : NULL;
		struct node *no = yes == NULL ? NULL : take(r, ":") ? read_whole(r) : expected(r, "':'");
		if (cond != NULL && no != NULL) {
			cond->args = n;
			n->next = yes;
			yes->next = no;
			cond->type = yes->type == no->type ? yes->type : DATUM_ANY;
		}
		n = no == NULL ? NULL : cond;
	}
	r->m.nest--;
	return n;
}

const struct node *expr_read(struct arena *a, const struct expr_source *s, struct formula_wrong *ret_wrong)
{
	struct reader r = { .m = { .arena = a, .wrong = ret_wrong }, .s = s };
	*ret_wrong = (struct formula_wrong){ 0 };
	/* With a NUL behind it, for messages; and it outlives what it was read from. */
	const char *copy = s->text.n > TEXT_MAX ? NULL : arena_text(a, s->text);
	if (copy == NULL)
		return formula_wrong(&r.m, 0, "it is too long");
	r.text = span_of(copy, s->text.n);
	skip_blanks(&r);
	const struct node *n = read_whole(&r);
	if (n != NULL && r.at < r.text.n)
		return expected(&r, "an operator or the end");
	return n;
}

const struct node *expr_words(const struct directive *d, const struct expr_words *w, struct arena *a,
                              struct diag *diag)
{
	struct formula_wrong wrong;
	size_t starts[DIRECTIVE_ARGS_MAX], cap = 1;
	unsigned n = MIN(d->nargs, DIRECTIVE_ARGS_MAX), at = w->first;
	for (unsigned i = w->first; i < n; i++)
		cap += strlen(d->args[i].text) + 1;
	uint8_t *p = arena_alloc(a, cap);
	struct buf b = buf_on(p, p == NULL ? 0 : cap);
	for (unsigned i = w->first; i < n; i++) {
		starts[i] = b.n;
		buf_text(&b, d->args[i].text);
		buf_u8(&b, ' ');
	}
	struct expr_source s = { .text = buf_span(&b), .vars = w->vars, .nvars = w->nvars };
	const struct node *node = expr_read(a, &s, &wrong);
	bool wanted = node != NULL && (w->want == DATUM_ANY || may_be(node, w->want));
	if (wanted)
		return node;
	if (node != NULL)
		wrong = (struct formula_wrong){ .why = "it does not come to yes or no" };
	while (at + 1 < n && starts[at + 1] <= wrong.at)
		at++;
	const struct word *word = w->first < n ? &d->args[at] : &d->word;
	uint32_t column = w->first < n ? word->column + (uint32_t)(wrong.at - starts[at]) : word->column;
	diag_error(diag, d->file, word->line, column, "invalid expression: %s", wrong.why);
	return NULL;
}

bool expr_holds(const struct node *n, const struct formula_data *d)
{
	struct formula_run r;
	struct datum v;
	formula_begin(&r, d);
	return formula_value(&r, n, &v) == OK && v.kind == DATUM_BOOL && v.n != 0;
}
