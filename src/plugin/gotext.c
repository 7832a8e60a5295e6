#include "plugin/gotext.h"

#define TEXT_MAX 65536u
#define BLANKS " \t\r\n"

struct variable {
	struct span name;
	int slot;
};

struct reader {
	struct formula_making m;
	struct span text;
	size_t at;                         /* in an action, or behind one */
	size_t begin, end, behind;         /* of the action, of its inside; where the text goes on behind it */
	struct variable scope[FORMULA_SLOTS_MAX];
	unsigned nscope;
	int slots;
	bool root_dot;                     /* the dot is what is known of the question */
	unsigned loops;
};

/* What an action turned out to be, for who reads a block. */
enum action { ACTION_NODE, ACTION_NOTHING, ACTION_ELSE, ACTION_END, ACTION_OVER, ACTION_WRONG };

static enum action read_action(struct reader *r, struct node **ret);
static struct node *read_pipeline(struct reader *r);

/* ---- tokens of an action ---- */

static uint8_t here(const struct reader *r)
{
	return r->at < r->end ? r->text.p[r->at] : 0;
}

static bool is_blank(uint8_t c)
{
	return c != 0 && strchr(BLANKS, c) != NULL;
}

static void skip_blanks(struct reader *r)
{
	while (is_blank(here(r)))
		r->at++;
}

static bool is_word_byte(uint8_t c, bool first)
{
	bool letter = (fold(c) >= 'a' && fold(c) <= 'z') || c == '_';
	return letter || (!first && c >= '0' && c <= '9');
}

static struct span word(const struct reader *r)
{
	size_t n = 0;
	while (r->at + n < r->end && is_word_byte(r->text.p[r->at + n], n == 0))
		n++;
	return span_of(r->text.p + r->at, n);
}

static bool take_word(struct reader *r, const char *what)
{
	struct span w = word(r);
	if (!span_is(w, what))
		return false;
	r->at += w.n;
	skip_blanks(r);
	return true;
}

static bool take(struct reader *r, const char *what)
{
	size_t n = strlen(what);
	if (r->end - r->at < n || memcmp(r->text.p + r->at, what, n) != 0)
		return false;
	r->at += n;
	return true;
}

static void *expected(struct reader *r, const char *what)
{
	if (r->at >= r->end)
		return formula_wrong(&r->m, r->at, "the action ends too early; expected %s", what);
	return formula_wrong(&r->m, r->at, "unexpected '%.*s'; expected %s", (int)MIN(r->end - r->at, 20),
	                     (const char *)(r->text.p + r->at), what);
}

/* ---- constants ---- */

static struct node *constant(struct reader *r, struct datum v, size_t at)
{
	struct node *n = formula_node(&r->m, NODE_CONST, at);
	if (n != NULL) {
		n->value = v;
		n->type = v.kind;
	}
	return n;
}

static struct node *read_text(struct reader *r)
{
	uint8_t quote = here(r);
	size_t at = r->at++;
	uint8_t *p = arena_alloc(r->m.arena, r->end - at + 1);
	if (p == NULL)
		return formula_wrong(&r->m, at, "it is too long");
	struct buf b = buf_on(p, r->end - at + 1);
	for (; r->at < r->end && here(r) != quote; r->at++) {
		if (here(r) != '\\' || quote == '`') {
			buf_u8(&b, here(r));
			continue;
		}
		r->at++;
		uint8_t c = here(r);
		if (c == 0 || strchr("nt\\\"'", c) == NULL)
			return formula_wrong(&r->m, r->at, "only \\n, \\t, \\\\, \\\" and \\' are known");
		buf_u8(&b, c == 'n' ? '\n' : c == 't' ? '\t' : c);
	}
	if (r->at >= r->end)
		return formula_wrong(&r->m, at, "unterminated text; expected %c", quote);
	r->at++;
	if (quote != '\'')
		return constant(r, datum_of_text(buf_span(&b)), at);
	return b.n == 1 ? constant(r, datum_of_int(b.p[0]), at)
	                : formula_wrong(&r->m, at, "one letter is expected between ' and '");
}

/* Decimal, 0x, 0o and 0b. */
static struct node *read_number(struct reader *r)
{
	size_t at = r->at;
	bool minus = take(r, "-");
	unsigned base = take(r, "0x") ? 16 : take(r, "0o") ? 8 : take(r, "0b") ? 2 : 10;
	int64_t n = 0;
	unsigned digits = 0;
	for (; is_word_byte(here(r), false); r->at++, digits++) {
		uint8_t c = fold(here(r));
		unsigned d = c <= '9' ? (unsigned)(c - '0') : c >= 'a' ? (unsigned)(c - 'a') + 10u : 99u;
		if (d >= base || __builtin_mul_overflow(n, (int64_t)base, &n) ||
		    __builtin_add_overflow(n, (int64_t)d, &n))
			return formula_wrong(&r->m, at, "bad number; expected a whole one");
	}
	if (digits == 0 || here(r) == '.')
		return formula_wrong(&r->m, at, "bad number; expected a whole one");
	return constant(r, datum_of_int(minus ? -n : n), at);
}

/* ---- operands ---- */

static struct node *field_of(struct reader *r, struct node *of, size_t at)
{
	struct span name = word(r);
	struct node *n = formula_node(&r->m, NODE_FIELD, at);
	if (n == NULL || of == NULL)
		return NULL;
	bool root = of->kind == NODE_ROOT || (of->kind == NODE_DOT && r->root_dot);
	if (name.n == 0)
		return expected(r, "the name of a field");
	if (root && span_is(name, "Message"))
		return formula_wrong(&r->m, at, ".Message is not there; expected .Question, .Name, .Type or .Class");
	if (root && !formula_has_field(name))
		return formula_wrong(&r->m, at, "unknown field .%.*s; expected .Name, .Zone, .Class, .Type, "
			".Match, .Group, "
		                     ".Question, .Remote, .Var or .Meta", (int)MIN(name.n, 40), (const char *)name.p);
	r->at += name.n;
	n->args = of;
	n->value = datum_of_text(name);
	return n;
}

/* .A.B behind what has fields. */
static struct node *read_fields(struct reader *r, struct node *of)
{
	while (of != NULL && here(r) == '.') {
		size_t at = r->at++;
		of = field_of(r, of, at);
	}
	return of;
}

static struct node *read_dot(struct reader *r)
{
	size_t at = r->at;
	struct node *dot = formula_node(&r->m, NODE_DOT, at);
	r->at++;
	if (dot == NULL || !is_word_byte(here(r), true))
		return dot;
	r->at--;
	return read_fields(r, dot);
}

static struct node *read_variable(struct reader *r)
{
	size_t at = r->at++;
	struct span name = word(r);
	struct node *n = NULL;
	if (name.n == 0) {
		n = formula_node(&r->m, NODE_ROOT, at);
	} else {
		unsigned i = r->nscope;
		while (i > 0 && !span_eq(r->scope[i - 1].name, name))
			i--;
		if (i == 0)
			return formula_wrong(&r->m, at, "undefined variable $%.*s", (int)MIN(name.n, 40),
				(const char *)name.p);
		n = formula_node(&r->m, NODE_SLOT, at);
		if (n != NULL)
			n->slot = r->scope[i - 1].slot;
		r->at += name.n;
	}
	return read_fields(r, n);
}

static struct node *read_brackets(struct reader *r)
{
	size_t at = r->at++;
	if (r->m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&r->m, at, "brackets go too deep; expected at most %u", FORMULA_NEST_MAX);
	r->m.nest++;
	struct node *n = read_pipeline(r);
	r->m.nest--;
	if (n != NULL && !take(r, ")"))
		return expected(r, "')'");
	return read_fields(r, n);
}

/* NULL with nothing wrong: here is no operand. */
static struct node *read_operand(struct reader *r)
{
	uint8_t c = here(r);
	size_t at = r->at;
	if (c == '.')
		return read_dot(r);
	if (c == '$')
		return read_variable(r);
	if (c == '(')
		return read_brackets(r);
	if (c == '"' || c == '`' || c == '\'')
		return read_text(r);
	if ((c >= '0' && c <= '9') || (c == '-' && r->at + 1 < r->end))
		return read_number(r);
	struct span w = word(r);
	bool yes = span_is(w, "true");
	if (!yes && !span_is(w, "false") && !span_is(w, "nil"))
		return NULL;
	r->at += w.n;
	return constant(r, w.p[0] == 'n' ? (struct datum){ .kind = DATUM_NIL } : datum_of_bool(yes), at);
}

/* ---- calls ---- */

/* Operands up to the end of the command, put behind *last. returns how many, -1: something is wrong */
static int read_args(struct reader *r, struct node **last)
{
	int n = 0;
	for (;; n++) {
		skip_blanks(r);
		if (here(r) == '|' || here(r) == ')' || r->at >= r->end)
			return n;
		struct node *arg = read_operand(r);
		bool parted = is_blank(here(r)) || here(r) == '|' || here(r) == ')' || r->at >= r->end;
		if (arg == NULL || !parted) {
			(void)expected(r, arg == NULL ? "a value, or a function in brackets" : "a blank");
			return -1;
		}
		*last = arg;
		last = &arg->next;
	}
}

/* A function with its arguments; piped: what comes through the pipe is its last one, or NULL. */
static struct node *read_call(struct reader *r, struct node *piped)
{
	size_t at = r->at;
	struct span name = word(r);
	bool either = span_is(name, "and") || span_is(name, "or");
	const struct formula_call *call = formula_call_template(name);
	struct node *n = formula_node(&r->m, either ? (name.n == 3 ? NODE_AND : NODE_OR) : NODE_CALL, at);
	if (n == NULL)
		return NULL;
	if (!either && call == NULL)
		return formula_wrong(&r->m, at, "function \"%.*s\" not defined", (int)MIN(name.n, 40),
		                     (const char *)name.p);
	r->at += name.n;
	struct node **last = &n->args;
	int count = read_args(r, last);
	if (count < 0)
		return NULL;
	while (*last != NULL)
		last = &(*last)->next;
	*last = piped;
	unsigned all = (unsigned)count + (piped != NULL);
	unsigned least = either ? 1 : call->least, most = either ? FORMULA_ARGS_MAX : call->most;
	if (all < least || all > most)
		return formula_wrong(&r->m, at, "wrong number of args for %.*s: want %s%u got %u", (int)name.n,
		                     (const char *)name.p, all < least ? "at least " : "at most ",
		                     all < least ? least : most,
		                     all);
	n->call = call;
	n->keeps_value = either;
	n->type = either ? DATUM_ANY : call->type;
	return n;
}

/* .Meta "label": no plugin tells anything, so it is empty. */
static struct node *read_meta(struct reader *r)
{
	size_t at = r->at;
	struct node *ignored = NULL;
	(void)take(r, ".Meta");
	int count = read_args(r, &ignored);
	if (count != 1)
		return count < 0 ? NULL : formula_wrong(&r->m, at,
			"wrong number of args for Meta: want 1 got %d", count);
	return constant(r, datum_of_text((struct span){ 0 }), at);
}

static bool is_meta(const struct reader *r)
{
	static const char text[] = ".Meta";
	size_t n = sizeof(text) - 1;
	return r->root_dot && r->end - r->at >= n && memcmp(r->text.p + r->at, text, n) == 0 &&
	       (r->at + n == r->end || !is_word_byte(r->text.p[r->at + n], false));
}

static struct node *read_command(struct reader *r, struct node *piped)
{
	size_t at = r->at;
	struct node *n = is_meta(r) ? read_meta(r) : read_operand(r);
	if (n == NULL && r->m.wrong->why[0] == 0)
		return word(r).n > 0 ? read_call(r, piped) : expected(r, "a value or a function");
	if (n == NULL)
		return NULL;
	skip_blanks(r);
	if (piped != NULL || (here(r) != '|' && here(r) != ')' && r->at < r->end))
		return formula_wrong(&r->m, at, "can't give argument to what is no function");
	return n;
}

static struct node *read_pipeline(struct reader *r)
{
	struct node *n = NULL;
	do {
		skip_blanks(r);
		n = read_command(r, n);
		skip_blanks(r);
	} while (n != NULL && take(r, "|"));
	return n;
}

/* ---- variables ---- */

static int declare(struct reader *r, struct span name, size_t at)
{
	if (r->slots == (int)FORMULA_SLOTS_MAX || r->nscope == FORMULA_SLOTS_MAX) {
		(void)formula_wrong(&r->m, at, "too many variables; expected at most %u", FORMULA_SLOTS_MAX);
		return -1;
	}
	r->scope[r->nscope++] = (struct variable){ name, r->slots };
	return r->slots++;
}

/* "$x" at hand, followed by := or =; *ret_declares says which. n 0: it is not that. Nothing is taken then. */
static struct span assigned(struct reader *r, bool *ret_declares)
{
	size_t before = r->at;
	struct span name = { 0 };
	if (here(r) == '$') {
		r->at++;
		name = word(r);
		r->at += name.n;
		skip_blanks(r);
		*ret_declares = take(r, ":=");
		if (name.n == 0 || (!*ret_declares && !take(r, "=")))
			name.n = 0;
	}
	if (name.n == 0)
		r->at = before;
	return name;
}

/* {{ $x := pipeline }} and {{ $x = pipeline }}; NULL with nothing wrong: it is neither. */
static struct node *read_assignment(struct reader *r)
{
	size_t at = r->at;
	bool declares = false;
	struct span name = assigned(r, &declares);
	if (name.n == 0)
		return NULL;
	struct node *n = formula_node(&r->m, NODE_SET, at), *v = read_pipeline(r);
	if (n == NULL || v == NULL)
		return NULL;
	n->args = v;
	if (declares) {
		n->slot = declare(r, name, at);
		return n->slot < 0 ? NULL : n;
	}
	for (unsigned i = r->nscope; i > 0 && n->slot < 0; i--)
		if (span_eq(r->scope[i - 1].name, name))
			n->slot = r->scope[i - 1].slot;
	return n->slot >= 0 ? n : formula_wrong(&r->m, at, "undefined variable $%.*s", (int)MIN(name.n, 40),
	                                        (const char *)name.p);
}

/* Of range: "$v :=" or "$i, $v :=" in front of the pipeline. False: something is wrong. */
static bool read_loop_variables(struct reader *r, struct node *n)
{
	size_t at = r->at;
	bool declares = false;
	struct span first = assigned(r, &declares), second = { 0 };
	if (first.n == 0 && here(r) == '$') {
		r->at++;
		first = word(r);
		r->at += first.n;
		skip_blanks(r);
		if (first.n == 0 || !take(r, ",")) {
			r->at = at;
			return true;
		}
		skip_blanks(r);
		second = assigned(r, &declares);
		if (second.n == 0) {
			(void)expected(r, "$variable :=");
			return false;
		}
	}
	if (first.n == 0)
		return true;
	if (!declares) {
		(void)formula_wrong(&r->m, at, "range sets variables of its own; expected :=");
		return false;
	}
	int one = declare(r, first, at), two = second.n == 0 ? one : declare(r, second, at);
	n->slot = two;
	n->slot_key = second.n == 0 ? -1 : one;
	return one >= 0 && two >= 0;
}

/* ---- blocks ---- */

/* Up to {{else}} or {{end}}. */
static enum action read_list(struct reader *r, struct node **ret)
{
	struct node **last = ret;
	for (;;) {
		struct node *n = NULL;
		enum action what = read_action(r, &n);
		if (what != ACTION_NODE && what != ACTION_NOTHING)
			return what;
		*last = n;
		while (*last != NULL)
			last = &(*last)->next;
	}
}

static struct node *read_block(struct reader *r, enum node_kind kind, size_t at);

/* Behind {{else: the rest of the block, which may be another one of its kind. */
static bool read_else(struct reader *r, struct node *n, size_t at)
{
	enum node_kind kind = take_word(r, "if") ? NODE_IF : take_word(r, "with") ? NODE_WITH : NODE_TEXT;
	if (kind != NODE_TEXT) {
		n->otherwise = read_block(r, kind, at);
		return n->otherwise != NULL;   /* its {{end}} is ours too */
	}
	if (r->at < r->end) {
		(void)expected(r, "nothing, if or with");
		return false;
	}
	r->at = r->behind;
	if (read_list(r, &n->otherwise) == ACTION_END)
		return true;
	(void)formula_wrong(&r->m, at, "a block without its {{end}}");
	return false;
}

static struct node *read_block(struct reader *r, enum node_kind kind, size_t at)
{
	struct node *n = formula_node(&r->m, kind, at);
	unsigned scope = r->nscope;
	bool root = r->root_dot, declares = false;
	if (n == NULL || r->m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&r->m, at, "blocks go too deep; expected at most %u", FORMULA_NEST_MAX);
	r->m.nest++;
	struct span name = { 0 };
	if (kind == NODE_RANGE && !read_loop_variables(r, n))
		return NULL;
	size_t named = r->at;
	if (kind != NODE_RANGE)
		name = assigned(r, &declares);
	n->args = read_pipeline(r);
	if (name.n > 0)
		n->slot = declares ? declare(r, name, named) : -1;
	if (n->args == NULL || (name.n > 0 && n->slot < 0))
		return declares || name.n == 0 ? NULL : formula_wrong(&r->m, named, "expected :=");
	if (r->at < r->end)
		return expected(r, "the end of the action");
	r->at = r->behind;
	r->root_dot = root && kind == NODE_IF;
	r->loops += kind == NODE_RANGE;
	enum action what = read_list(r, &n->body);
	r->loops -= kind == NODE_RANGE;
	r->root_dot = root;
	if (what == ACTION_ELSE ? !read_else(r, n, at) : what != ACTION_END)
		return formula_wrong(&r->m, at, "a block without its {{end}}");
	r->nscope = scope;
	r->m.nest--;
	return n;
}

/* ---- actions ---- */

static const struct {
	const char *word, *why;
} refused[] = {
	{ "define", "there are no templates within templates" }, { "template",
		"there are no templates within templates" },
	{ "block", "there are no templates within templates" }, { "call", "there is nothing to call" },
	{ "html", "it is for web pages" }, { "js", "it is for web pages" }, { "urlquery", "it is for web pages" },
};

static enum action node_action(struct node *n, struct node **ret)
{
	*ret = n;
	return n == NULL ? ACTION_WRONG : ACTION_NODE;
}

/* break, continue, an assignment, or what is printed. */
static struct node *read_plain_action(struct reader *r)
{
	size_t at = r->at;
	enum node_kind leave = take_word(r, "break") ? NODE_BREAK : take_word(r, "continue") ? NODE_CONTINUE
		: NODE_TEXT;
	if (leave != NODE_TEXT)
		return r->loops > 0 ? formula_node(&r->m, leave, at)
		                    : formula_wrong(&r->m, at, "there is no range around it");
	struct node *n = read_assignment(r);
	if (n != NULL || r->m.wrong->why[0] != 0)
		return n;
	struct node *v = read_pipeline(r);
	n = v == NULL ? NULL : formula_node(&r->m, NODE_PRINT, at);
	if (n != NULL)
		n->args = v;
	return n;
}

/* What stands between the braces, r->at at its first word. */
static enum action read_inside(struct reader *r, struct node **ret)
{
	size_t at = r->at;
	for (unsigned i = 0; i < COUNT(refused); i++)
		if (span_is(word(r), refused[i].word))
			return node_action(formula_wrong(&r->m, at, "'%s' is not known here: %s", refused[i].word,
			                                 refused[i].why), ret);
	if (take_word(r, "else"))
		return ACTION_ELSE;
	if (take_word(r, "end") && r->at == r->end) {
		r->at = r->behind;
		return ACTION_END;
	}
	if (take_word(r, "if"))
		return node_action(read_block(r, NODE_IF, at), ret);
	if (take_word(r, "with"))
		return node_action(read_block(r, NODE_WITH, at), ret);
	if (take_word(r, "range"))
		return node_action(read_block(r, NODE_RANGE, at), ret);
	struct node *n = read_plain_action(r);
	if (n != NULL && r->at < r->end)
		n = expected(r, "the end of the action");
	r->at = r->behind;
	return node_action(n, ret);
}

/* The end of the action that begins at `from`, behind its braces: quoted texts may hold braces. 0: there is none. */
static size_t action_end(const struct reader *r, size_t from)
{
	uint8_t quote = 0;
	for (size_t i = from; i + 1 < r->text.n; i++) {
		uint8_t c = r->text.p[i];
		if (quote != 0) {
			if (c == '\\' && quote != '`')
				i++;
			else if (c == quote)
				quote = 0;
		} else if (c == '"' || c == '`' || c == '\'') {
			quote = c;
		} else if (c == '}' && r->text.p[i + 1] == '}') {
			return i;
		}
	}
	return 0;
}

/* Text up to the next action, without the blanks that "{{- " takes. */
static struct node *read_plain(struct reader *r)
{
	size_t from = r->at, n = 0;
	while (from + n < r->text.n && !(r->text.p[from + n] == '{' && from + n + 1 < r->text.n &&
	                                 r->text.p[from + n + 1] == '{'))
		n++;
	size_t at = from + n;
	bool trims = at + 3 < r->text.n && r->text.p[at + 2] == '-' && is_blank(r->text.p[at + 3]);
	while (trims && n > 0 && is_blank(r->text.p[from + n - 1]))
		n--;
	r->at = at;
	struct node *text = formula_node(&r->m, NODE_TEXT, from);
	if (text != NULL)
		text->value = datum_of_text(span_of(r->text.p + from, n));
	return text;
}

/* The next piece of the text, whatever it is. What an action reads stands between r->at and r->end. */
static enum action read_action(struct reader *r, struct node **ret)
{
	if (r->at >= r->text.n)
		return ACTION_OVER;
	if (r->text.n - r->at < 2 || r->text.p[r->at] != '{' || r->text.p[r->at + 1] != '{')
		return node_action(read_plain(r), ret);
	size_t inside = r->at + 2, end = action_end(r, inside);
	r->begin = r->at;
	if (end == 0)
		return node_action(formula_wrong(&r->m, r->begin, "unclosed action; expected }}"), ret);
	if (inside + 1 < end && r->text.p[inside] == '-' && is_blank(r->text.p[inside + 1]))
		inside++;
	bool trims = end > inside + 1 && r->text.p[end - 1] == '-' && is_blank(r->text.p[end - 2]);
	r->behind = end + 2;
	while (trims && r->behind < r->text.n && is_blank(r->text.p[r->behind]))
		r->behind++;
	r->end = end - trims;
	while (r->end > inside && is_blank(r->text.p[r->end - 1]))
		r->end--;
	r->at = inside;
	skip_blanks(r);
	size_t first = r->at, size = r->end - first;
	if (size >= 4 && memcmp(r->text.p + first, "/*", 2) == 0 && memcmp(r->text.p + r->end - 2, "*/", 2) == 0) {
		r->at = r->behind;
		return ACTION_NOTHING;
	}
	return read_inside(r, ret);
}

const struct node *gotext_read(struct arena *a, struct span text, struct formula_wrong *ret_wrong)
{
	struct reader r = { .m = { .arena = a, .wrong = ret_wrong }, .root_dot = true };
	struct node *list = NULL;
	*ret_wrong = (struct formula_wrong){ 0 };
	r.text = text.n > TEXT_MAX ? (struct span){ 0 } : arena_span(a, text);
	if (r.text.p == NULL)
		return formula_wrong(&r.m, 0, "it is too long");
	enum action what = read_list(&r, &list);
	if (what == ACTION_ELSE || what == ACTION_END)
		(void)formula_wrong(&r.m, r.begin, "unexpected {{%s}}", what == ACTION_ELSE ? "else" : "end");
	return ret_wrong->why[0] == 0 ? list : NULL;
}
