#include "plugin/gopipe.h"

#include "plugin/literal.h"

/* ---- tokens ---- */

void gopipe_blanks(struct gopipe *p)
{
	while (gopipe_is_blank(gopipe_here(p)))
		p->at++;
}

static bool is_word_byte(uint8_t c, bool first)
{
	bool letter = (fold(c) >= 'a' && fold(c) <= 'z') || c == '_';
	return letter || (!first && c >= '0' && c <= '9');
}

struct span gopipe_word(const struct gopipe *p)
{
	size_t n = 0;
	while (p->at + n < p->end && is_word_byte(p->text.p[p->at + n], n == 0))
		n++;
	return span_of(p->text.p + p->at, n);
}

bool gopipe_take_word(struct gopipe *p, const char *what)
{
	struct span w = gopipe_word(p);
	if (!span_is(w, what))
		return false;
	p->at += w.n;
	gopipe_blanks(p);
	return true;
}

bool gopipe_take(struct gopipe *p, const char *what)
{
	size_t n = strlen(what);
	if (p->end - p->at < n || memcmp(p->text.p + p->at, what, n) != 0)
		return false;
	p->at += n;
	return true;
}

void *gopipe_expected(struct gopipe *p, const char *what)
{
	if (p->at >= p->end)
		return formula_wrong(&p->m, p->at, "the action ends too early; expected %s", what);
	return formula_wrong(&p->m, p->at, "unexpected '%.*s'; expected %s", (int)MIN(p->end - p->at, 20),
	                     (const char *)(p->text.p + p->at), what);
}

/* ---- constants ---- */

static struct node *read_text(struct gopipe *p)
{
	uint8_t quote = gopipe_here(p);
	size_t at = p->at;
	struct span text;
	if (!literal_text(&p->m, span_of(p->text.p, p->end), &p->at, "nt\\\"'", &text))
		return NULL;
	if (quote != '\'')
		return literal_node(&p->m, datum_of_text(text), at);
	return text.n == 1 ? literal_node(&p->m, datum_of_int(text.p[0]), at)
	                   : formula_wrong(&p->m, at, "one letter is expected between ' and '");
}

/* Decimal, 0x, 0o and 0b. */
static struct node *read_number(struct gopipe *p)
{
	size_t at = p->at;
	bool minus = gopipe_take(p, "-");
	unsigned base = gopipe_take(p, "0x") ? 16 : gopipe_take(p, "0o") ? 8 : gopipe_take(p, "0b") ? 2 : 10;
	int64_t n = 0;
	unsigned digits = 0;
	for (; is_word_byte(gopipe_here(p), false); p->at++, digits++) {
		uint8_t c = fold(gopipe_here(p));
		unsigned d = c <= '9' ? (unsigned)(c - '0') : c >= 'a' ? (unsigned)(c - 'a') + 10u : 99u;
		if (d >= base || __builtin_mul_overflow(n, (int64_t)base, &n) ||
		    __builtin_add_overflow(n, (int64_t)d, &n))
			return formula_wrong(&p->m, at, "bad number; expected a whole one");
	}
	if (digits == 0 || gopipe_here(p) == '.')
		return formula_wrong(&p->m, at, "bad number; expected a whole one");
	return literal_node(&p->m, datum_of_int(minus ? -n : n), at);
}

/* ---- operands ---- */

static struct node *field_of(struct gopipe *p, struct node *of, size_t at)
{
	struct span name = gopipe_word(p);
	struct node *n = formula_node(&p->m, NODE_FIELD, at);
	if (n == NULL || of == NULL)
		return NULL;
	bool root = of->kind == NODE_ROOT || (of->kind == NODE_DOT && p->root_dot);
	if (name.n == 0)
		return gopipe_expected(p, "the name of a field");
	if (root && span_is(name, "Message"))
		return formula_wrong(&p->m, at, ".Message is not there; expected .Question, .Name, .Type or .Class");
	if (root && !formula_has_field(name))
		return formula_wrong(&p->m, at, "unknown field .%.*s; expected .Name, .Zone, .Class, .Type, "
			".Match, .Group, "
		                     ".Question, .Remote, .Var or .Meta", (int)MIN(name.n, 40), (const char *)name.p);
	p->at += name.n;
	n->args = of;
	n->value = datum_of_text(name);
	return n;
}

/* .A.B behind what has fields. */
static struct node *read_fields(struct gopipe *p, struct node *of)
{
	while (of != NULL && gopipe_here(p) == '.') {
		size_t at = p->at++;
		of = field_of(p, of, at);
	}
	return of;
}

static struct node *read_dot(struct gopipe *p)
{
	size_t at = p->at;
	struct node *dot = formula_node(&p->m, NODE_DOT, at);
	p->at++;
	if (dot == NULL || !is_word_byte(gopipe_here(p), true))
		return dot;
	p->at--;
	return read_fields(p, dot);
}

static struct node *read_variable(struct gopipe *p)
{
	size_t at = p->at++;
	struct span name = gopipe_word(p);
	struct node *n = NULL;
	if (name.n == 0) {
		n = formula_node(&p->m, NODE_ROOT, at);
	} else {
		unsigned i = p->nscope;
		while (i > 0 && !span_eq(p->scope[i - 1].name, name))
			i--;
		if (i == 0)
			return formula_wrong(&p->m, at, "undefined variable $%.*s", (int)MIN(name.n, 40),
				(const char *)name.p);
		n = formula_node(&p->m, NODE_SLOT, at);
		if (n != NULL)
			n->slot = p->scope[i - 1].slot;
		p->at += name.n;
	}
	return read_fields(p, n);
}

static struct node *read_brackets(struct gopipe *p)
{
	size_t at = p->at++;
	if (p->m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&p->m, at, "brackets go too deep; expected at most %u", FORMULA_NEST_MAX);
	p->m.nest++;
	struct node *n = gopipe_read(p);
	p->m.nest--;
	if (n != NULL && !gopipe_take(p, ")"))
		return gopipe_expected(p, "')'");
	return read_fields(p, n);
}

/* NULL with nothing wrong: here is no operand. */
static struct node *read_operand(struct gopipe *p)
{
	uint8_t c = gopipe_here(p);
	size_t at = p->at;
	if (c == '.')
		return read_dot(p);
	if (c == '$')
		return read_variable(p);
	if (c == '(')
		return read_brackets(p);
	if (c == '"' || c == '`' || c == '\'')
		return read_text(p);
	if ((c >= '0' && c <= '9') || (c == '-' && p->at + 1 < p->end))
		return read_number(p);
	struct span w = gopipe_word(p);
	bool yes = span_is(w, "true");
	if (!yes && !span_is(w, "false") && !span_is(w, "nil"))
		return NULL;
	p->at += w.n;
	return literal_node(&p->m, w.p[0] == 'n' ? (struct datum){ .kind = DATUM_NIL } : datum_of_bool(yes), at);
}

/* ---- calls ---- */

/* Operands up to the end of the command, put behind *last. returns how many, -1: something is wrong */
static int read_args(struct gopipe *p, struct node **last)
{
	int n = 0;
	for (;; n++) {
		gopipe_blanks(p);
		if (gopipe_here(p) == '|' || gopipe_here(p) == ')' || p->at >= p->end)
			return n;
		struct node *arg = read_operand(p);
		uint8_t c = gopipe_here(p);
		bool parted = gopipe_is_blank(c) || c == '|' || c == ')' || p->at >= p->end;
		if (arg == NULL || !parted) {
			(void)gopipe_expected(p, arg == NULL ? "a value, or a function in brackets" : "a blank");
			return -1;
		}
		*last = arg;
		last = &arg->next;
	}
}

/* A function with its arguments; piped: what comes through the pipe is its last one, or NULL. */
static struct node *read_call(struct gopipe *p, struct node *piped)
{
	size_t at = p->at;
	struct span name = gopipe_word(p);
	bool either = span_is(name, "and") || span_is(name, "or");
	const struct formula_call *call = formula_call_template(name);
	struct node *n = formula_node(&p->m, either ? (name.n == 3 ? NODE_AND : NODE_OR) : NODE_CALL, at);
	if (n == NULL)
		return NULL;
	if (!either && call == NULL)
		return formula_wrong(&p->m, at, "function \"%.*s\" not defined", (int)MIN(name.n, 40),
		                     (const char *)name.p);
	p->at += name.n;
	struct node **last = &n->args;
	int count = read_args(p, last);
	if (count < 0)
		return NULL;
	while (*last != NULL)
		last = &(*last)->next;
	*last = piped;
	unsigned all = (unsigned)count + (piped != NULL);
	unsigned least = either ? 1 : call->least, most = either ? FORMULA_ARGS_MAX : call->most;
	if (all < least || all > most)
		return formula_wrong(&p->m, at, "wrong number of args for %.*s: want %s%u got %u", (int)name.n,
		                     (const char *)name.p, all < least ? "at least " : "at most ",
		                     all < least ? least : most,
		                     all);
	n->call = call;
	n->keeps_value = either;
	n->type = either ? DATUM_ANY : call->type;
	return n;
}

/* .Meta "label": what the other language calls metadata('label'). */
static struct node *read_meta(struct gopipe *p)
{
	size_t at = p->at;
	struct node *n = formula_node(&p->m, NODE_CALL, at);
	if (n == NULL)
		return NULL;
	(void)gopipe_take(p, ".Meta");
	int count = read_args(p, &n->args);
	if (count != 1)
		return count < 0 ? NULL : formula_wrong(&p->m, at,
			"wrong number of args for Meta: want 1 got %d", count);
	n->call = formula_call_expr(span_text("metadata"));
	n->type = DATUM_TEXT;
	return n;
}

static bool is_meta(const struct gopipe *p)
{
	static const char text[] = ".Meta";
	size_t n = sizeof(text) - 1;
	return p->root_dot && p->end - p->at >= n && memcmp(p->text.p + p->at, text, n) == 0 &&
	       (p->at + n == p->end || !is_word_byte(p->text.p[p->at + n], false));
}

static struct node *read_command(struct gopipe *p, struct node *piped)
{
	size_t at = p->at;
	struct node *n = is_meta(p) ? read_meta(p) : read_operand(p);
	if (n == NULL && p->m.wrong->why[0] == 0)
		return gopipe_word(p).n > 0 ? read_call(p, piped) : gopipe_expected(p, "a value or a function");
	if (n == NULL)
		return NULL;
	gopipe_blanks(p);
	if (piped != NULL || (gopipe_here(p) != '|' && gopipe_here(p) != ')' && p->at < p->end))
		return formula_wrong(&p->m, at, "can't give argument to what is no function");
	return n;
}

struct node *gopipe_read(struct gopipe *p)
{
	struct node *n = NULL;
	do {
		gopipe_blanks(p);
		n = read_command(p, n);
		gopipe_blanks(p);
	} while (n != NULL && gopipe_take(p, "|"));
	return n;
}

/* ---- variables ---- */

int gopipe_declare(struct gopipe *p, struct span name, size_t at)
{
	if (p->slots == (int)FORMULA_SLOTS_MAX || p->nscope == FORMULA_SLOTS_MAX) {
		(void)formula_wrong(&p->m, at, "too many variables; expected at most %u", FORMULA_SLOTS_MAX);
		return -1;
	}
	p->scope[p->nscope++] = (struct gopipe_variable){ name, p->slots };
	return p->slots++;
}

struct span gopipe_assigned(struct gopipe *p, bool *ret_declares)
{
	size_t before = p->at;
	struct span name = { 0 };
	if (gopipe_here(p) == '$') {
		p->at++;
		name = gopipe_word(p);
		p->at += name.n;
		gopipe_blanks(p);
		*ret_declares = gopipe_take(p, ":=");
		if (name.n == 0 || (!*ret_declares && !gopipe_take(p, "=")))
			name.n = 0;
	}
	if (name.n == 0)
		p->at = before;
	return name;
}
