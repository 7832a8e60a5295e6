#include "plugin/gotext.h"

#include "plugin/gopipe.h"

#define TEXT_MAX 65536u

struct reader {
	struct gopipe p;                   /* at: in an action, or behind one */
	size_t begin, behind;              /* of the action; where the text goes on behind it */
	unsigned loops;
};

/* What an action turned out to be, for who reads a block. */
enum action { ACTION_NODE, ACTION_NOTHING, ACTION_ELSE, ACTION_END, ACTION_OVER, ACTION_WRONG };

static enum action read_action(struct reader *r, struct node **ret);

/* ---- variables ---- */

/* {{ $x := pipeline }} and {{ $x = pipeline }}; NULL with nothing wrong: it is neither. */
static struct node *read_assignment(struct reader *r)
{
	size_t at = r->p.at;
	bool declares = false;
	struct span name = gopipe_assigned(&r->p, &declares);
	if (name.n == 0)
		return NULL;
	struct node *n = formula_node(&r->p.m, NODE_SET, at), *v = gopipe_read(&r->p);
	if (n == NULL || v == NULL)
		return NULL;
	n->args = v;
	if (declares) {
		n->slot = gopipe_declare(&r->p, name, at);
		return n->slot < 0 ? NULL : n;
	}
	for (unsigned i = r->p.nscope; i > 0 && n->slot < 0; i--)
		if (span_eq(r->p.scope[i - 1].name, name))
			n->slot = r->p.scope[i - 1].slot;
	return n->slot >= 0 ? n : formula_wrong(&r->p.m, at, "undefined variable $%.*s", (int)MIN(name.n, 40),
	                                        (const char *)name.p);
}

/* Of range: "$v :=" or "$i, $v :=" in front of the pipeline. False: something is wrong. */
static bool read_loop_variables(struct reader *r, struct node *n)
{
	size_t at = r->p.at;
	bool declares = false;
	struct span first = gopipe_assigned(&r->p, &declares), second = { 0 };
	if (first.n == 0 && gopipe_here(&r->p) == '$') {
		r->p.at++;
		first = gopipe_word(&r->p);
		r->p.at += first.n;
		gopipe_blanks(&r->p);
		if (first.n == 0 || !gopipe_take(&r->p, ",")) {
			r->p.at = at;
			return true;
		}
		gopipe_blanks(&r->p);
		second = gopipe_assigned(&r->p, &declares);
		if (second.n == 0) {
			(void)gopipe_expected(&r->p, "$variable :=");
			return false;
		}
	}
	if (first.n == 0)
		return true;
	if (!declares) {
		(void)formula_wrong(&r->p.m, at, "range sets variables of its own; expected :=");
		return false;
	}
	int one = gopipe_declare(&r->p, first, at), two = second.n == 0 ? one : gopipe_declare(&r->p, second, at);
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
	enum node_kind kind = gopipe_take_word(&r->p, "if") ? NODE_IF
		: gopipe_take_word(&r->p, "with") ? NODE_WITH : NODE_TEXT;
	if (kind != NODE_TEXT) {
		n->otherwise = read_block(r, kind, at);
		return n->otherwise != NULL;   /* its {{end}} is ours too */
	}
	if (r->p.at < r->p.end) {
		(void)gopipe_expected(&r->p, "nothing, if or with");
		return false;
	}
	r->p.at = r->behind;
	if (read_list(r, &n->otherwise) == ACTION_END)
		return true;
	(void)formula_wrong(&r->p.m, at, "a block without its {{end}}");
	return false;
}

static struct node *read_block(struct reader *r, enum node_kind kind, size_t at)
{
	struct node *n = formula_node(&r->p.m, kind, at);
	unsigned scope = r->p.nscope;
	bool root = r->p.root_dot, declares = false;
	if (n == NULL || r->p.m.nest >= FORMULA_NEST_MAX)
		return formula_wrong(&r->p.m, at, "blocks go too deep; expected at most %u", FORMULA_NEST_MAX);
	r->p.m.nest++;
	struct span name = { 0 };
	if (kind == NODE_RANGE && !read_loop_variables(r, n))
		return NULL;
	size_t named = r->p.at;
	if (kind != NODE_RANGE)
		name = gopipe_assigned(&r->p, &declares);
	n->args = gopipe_read(&r->p);
	if (name.n > 0)
		n->slot = declares ? gopipe_declare(&r->p, name, named) : -1;
	if (n->args == NULL || (name.n > 0 && n->slot < 0))
		return declares || name.n == 0 ? NULL : formula_wrong(&r->p.m, named, "expected :=");
	if (r->p.at < r->p.end)
		return gopipe_expected(&r->p, "the end of the action");
	r->p.at = r->behind;
	r->p.root_dot = root && kind == NODE_IF;
	r->loops += kind == NODE_RANGE;
	enum action what = read_list(r, &n->body);
	r->loops -= kind == NODE_RANGE;
	r->p.root_dot = root;
	if (what == ACTION_ELSE ? !read_else(r, n, at) : what != ACTION_END)
		return formula_wrong(&r->p.m, at, "a block without its {{end}}");
	r->p.nscope = scope;
	r->p.m.nest--;
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
	size_t at = r->p.at;
	enum node_kind leave = gopipe_take_word(&r->p, "break") ? NODE_BREAK
		: gopipe_take_word(&r->p, "continue") ? NODE_CONTINUE : NODE_TEXT;
	if (leave != NODE_TEXT)
		return r->loops > 0 ? formula_node(&r->p.m, leave, at)
		                    : formula_wrong(&r->p.m, at, "there is no range around it");
	struct node *n = read_assignment(r);
	if (n != NULL || r->p.m.wrong->why[0] != 0)
		return n;
	struct node *v = gopipe_read(&r->p);
	n = v == NULL ? NULL : formula_node(&r->p.m, NODE_PRINT, at);
	if (n != NULL)
		n->args = v;
	return n;
}

/* What stands between the braces, at its first word. */
static enum action read_inside(struct reader *r, struct node **ret)
{
	size_t at = r->p.at;
	for (unsigned i = 0; i < COUNT(refused); i++)
		if (span_is(gopipe_word(&r->p), refused[i].word))
			return node_action(formula_wrong(&r->p.m, at, "'%s' is not known here: %s", refused[i].word,
			                                 refused[i].why), ret);
	if (gopipe_take_word(&r->p, "else"))
		return ACTION_ELSE;
	if (gopipe_take_word(&r->p, "end") && r->p.at == r->p.end) {
		r->p.at = r->behind;
		return ACTION_END;
	}
	if (gopipe_take_word(&r->p, "if"))
		return node_action(read_block(r, NODE_IF, at), ret);
	if (gopipe_take_word(&r->p, "with"))
		return node_action(read_block(r, NODE_WITH, at), ret);
	if (gopipe_take_word(&r->p, "range"))
		return node_action(read_block(r, NODE_RANGE, at), ret);
	struct node *n = read_plain_action(r);
	if (n != NULL && r->p.at < r->p.end)
		n = gopipe_expected(&r->p, "the end of the action");
	r->p.at = r->behind;
	return node_action(n, ret);
}

/* The end of the action that begins at `from`, behind its braces: quoted texts may hold braces. 0: there is none. */
static size_t action_end(const struct reader *r, size_t from)
{
	uint8_t quote = 0;
	for (size_t i = from; i + 1 < r->p.text.n; i++) {
		uint8_t c = r->p.text.p[i];
		if (quote != 0) {
			if (c == '\\' && quote != '`')
				i++;
			else if (c == quote)
				quote = 0;
		} else if (c == '"' || c == '`' || c == '\'') {
			quote = c;
		} else if (c == '}' && r->p.text.p[i + 1] == '}') {
			return i;
		}
	}
	return 0;
}

/* Text up to the next action, without the blanks that "{{- " takes. */
static struct node *read_plain(struct reader *r)
{
	size_t from = r->p.at, n = 0;
	while (from + n < r->p.text.n && !(r->p.text.p[from + n] == '{' && from + n + 1 < r->p.text.n &&
	                                 r->p.text.p[from + n + 1] == '{'))
		n++;
	size_t at = from + n;
	bool trims = at + 3 < r->p.text.n && r->p.text.p[at + 2] == '-' && gopipe_is_blank(r->p.text.p[at + 3]);
	while (trims && n > 0 && gopipe_is_blank(r->p.text.p[from + n - 1]))
		n--;
	r->p.at = at;
	struct node *text = formula_node(&r->p.m, NODE_TEXT, from);
	if (text != NULL)
		text->value = datum_of_text(span_of(r->p.text.p + from, n));
	return text;
}

/* The next piece of the text, whatever it is. What an action reads stands between r->p.at and r->p.end. */
static enum action read_action(struct reader *r, struct node **ret)
{
	if (r->p.at >= r->p.text.n)
		return ACTION_OVER;
	if (r->p.text.n - r->p.at < 2 || r->p.text.p[r->p.at] != '{' || r->p.text.p[r->p.at + 1] != '{')
		return node_action(read_plain(r), ret);
	size_t inside = r->p.at + 2, end = action_end(r, inside);
	r->begin = r->p.at;
	if (end == 0)
		return node_action(formula_wrong(&r->p.m, r->begin, "unclosed action; expected }}"), ret);
	if (inside + 1 < end && r->p.text.p[inside] == '-' && gopipe_is_blank(r->p.text.p[inside + 1]))
		inside++;
	bool trims = end > inside + 1 && r->p.text.p[end - 1] == '-' && gopipe_is_blank(r->p.text.p[end - 2]);
	r->behind = end + 2;
	while (trims && r->behind < r->p.text.n && gopipe_is_blank(r->p.text.p[r->behind]))
		r->behind++;
	r->p.end = end - trims;
	while (r->p.end > inside && gopipe_is_blank(r->p.text.p[r->p.end - 1]))
		r->p.end--;
	r->p.at = inside;
	gopipe_blanks(&r->p);
	const uint8_t *first = r->p.text.p + r->p.at, *behind = r->p.text.p + r->p.end;
	if (behind - first >= 4 && memcmp(first, "/*", 2) == 0 && memcmp(behind - 2, "*/", 2) == 0) {
		r->p.at = r->behind;
		return ACTION_NOTHING;
	}
	return read_inside(r, ret);
}

const struct node *gotext_read(struct arena *a, struct span text, struct formula_wrong *ret_wrong)
{
	struct reader r = { .p = { .m = { .arena = a, .wrong = ret_wrong }, .root_dot = true } };
	struct node *list = NULL;
	*ret_wrong = (struct formula_wrong){ 0 };
	r.p.text = text.n > TEXT_MAX ? (struct span){ 0 } : arena_span(a, text);
	if (r.p.text.p == NULL)
		return formula_wrong(&r.p.m, 0, "it is too long");
	enum action what = read_list(&r, &list);
	if (what == ACTION_ELSE || what == ACTION_END)
		(void)formula_wrong(&r.p.m, r.begin, "unexpected {{%s}}", what == ACTION_ELSE ? "else" : "end");
	return ret_wrong->why[0] == 0 ? list : NULL;
}
