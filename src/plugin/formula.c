#include "plugin/formula.h"

struct datum datum_of_text(struct span text)
{
	return (struct datum){ .kind = DATUM_TEXT, .text = text };
}

struct datum datum_of_int(int64_t n)
{
	return (struct datum){ .kind = DATUM_INT, .n = n };
}

struct datum datum_of_bool(bool yes)
{
	return (struct datum){ .kind = DATUM_BOOL, .n = yes };
}

bool datum_is_true(const struct datum *v)
{
	switch (v->kind) {
	case DATUM_NIL: return false;
	case DATUM_BOOL:
	case DATUM_INT:
	case DATUM_LIST: return v->n != 0;
	case DATUM_TEXT: return v->text.n > 0;
	case DATUM_ROOT:
	case DATUM_GROUPS:
	case DATUM_VARS:
	case DATUM_QUESTION:
	case DATUM_ANY: break;
	}
	return true;
}

void datum_text(const struct datum *v, struct buf *to)
{
	switch (v->kind) {
	case DATUM_NIL: buf_text(to, "<no value>"); break;
	case DATUM_BOOL: buf_text(to, v->n != 0 ? "true" : "false"); break;
	case DATUM_INT:
		if (v->n < 0)
			buf_u8(to, '-');
		buf_uint(to, v->n < 0 ? 0 - (uint64_t)v->n : (uint64_t)v->n);
		break;
	case DATUM_TEXT: buf_span_put(to, v->text); break;
	case DATUM_LIST:
		buf_u8(to, '[');
		for (int64_t i = 0; i < v->n; i++) {
			if (i > 0)
				buf_u8(to, ' ');
			buf_span_put(to, v->items[i].text);   /* lists hold texts, and are not printed but in jest */
		}
		buf_u8(to, ']');
		break;
	case DATUM_ROOT:
	case DATUM_GROUPS:
	case DATUM_VARS:
	case DATUM_QUESTION:
	case DATUM_ANY: buf_text(to, "map[]"); break;
	}
}

bool datum_cmp(const struct datum *a, const struct datum *b, int *ret)
{
	if (a->kind != b->kind || (a->kind != DATUM_INT && a->kind != DATUM_TEXT))
		return false;
	if (a->kind == DATUM_INT) {
		*ret = (a->n > b->n) - (a->n < b->n);
		return true;
	}
	size_t n = MIN(a->text.n, b->text.n);
	*ret = n == 0 ? 0 : memcmp(a->text.p, b->text.p, n);
	if (*ret == 0)
		*ret = (a->text.n > b->text.n) - (a->text.n < b->text.n);
	return true;
}

bool datum_eq(const struct datum *a, const struct datum *b)
{
	int order;
	if (datum_cmp(a, b, &order))
		return order == 0;
	return a->kind == b->kind && (a->kind == DATUM_NIL || (a->kind == DATUM_BOOL && a->n == b->n));
}

struct buf formula_room(struct formula_run *r)
{
	return buf_on(r->scratch + r->used, sizeof(r->scratch) - r->used);
}

enum err formula_keep(struct formula_run *r, const struct buf *b, struct datum *ret)
{
	if (!buf_ok(b))
		return ERR_LIMIT;
	r->used += b->n;
	*ret = datum_of_text(buf_span(b));
	return OK;
}

/* ---- what is known of the question ---- */

static enum err address_text(struct formula_run *r, const struct addr *a, struct datum *ret)
{
	struct buf b = formula_room(r);
	struct addr bare = *a;
	bare.port = 0;
	if (bare.family != ADDR_NONE)
		addr_text(&bare, &b);
	return formula_keep(r, &b, ret);
}

static enum err name_field(struct formula_run *r, struct datum *ret)
{
	*ret = datum_of_text(r->data->name);
	return OK;
}

static enum err zone_field(struct formula_run *r, struct datum *ret)
{
	*ret = datum_of_text(r->data->zone);
	return OK;
}

static enum err class_field(struct formula_run *r, struct datum *ret)
{
	struct buf b = formula_room(r);
	class_text(r->data->question->class, &b);
	return formula_keep(r, &b, ret);
}

static enum err type_field(struct formula_run *r, struct datum *ret)
{
	struct buf b = formula_room(r);
	rrtype_text(r->data->question->type, &b);
	return formula_keep(r, &b, ret);
}

static enum err match_field(struct formula_run *r, struct datum *ret)
{
	*ret = (struct datum){ .kind = DATUM_LIST, .n = r->data->nmatch, .items = r->data->match };
	return OK;
}

static enum err group_field(struct formula_run *r, struct datum *ret)
{
	(void)r;
	*ret = (struct datum){ .kind = DATUM_GROUPS };
	return OK;
}

static enum err regex_field(struct formula_run *r, struct datum *ret)
{
	*ret = datum_of_text(r->data->regex);
	return OK;
}

static enum err question_field(struct formula_run *r, struct datum *ret)
{
	(void)r;
	*ret = (struct datum){ .kind = DATUM_QUESTION };
	return OK;
}

static enum err remote_field(struct formula_run *r, struct datum *ret)
{
	static const struct addr nobody = { .family = ADDR_NONE };
	return address_text(r, r->data->client == NULL ? &nobody : &r->data->client->from, ret);
}

static enum err var_field(struct formula_run *r, struct datum *ret)
{
	(void)r;
	*ret = (struct datum){ .kind = DATUM_VARS };
	return OK;
}

static const struct {
	const char *name;
	enum err (*work)(struct formula_run *r, struct datum *ret);
} fields[] = {
	{ "Name", name_field },     { "Zone", zone_field },   { "Class", class_field }, { "Type", type_field },
	{ "Match", match_field },   { "Group", group_field }, { "Regex", regex_field }, { "Question",
		question_field },
	{ "Remote", remote_field }, { "Var", var_field },
};

bool formula_has_field(struct span name)
{
	for (unsigned i = 0; i < COUNT(fields); i++)
		if (span_is(name, fields[i].name))
			return true;
	return false;
}

static enum err root_field(struct formula_run *r, struct span name, struct datum *ret)
{
	for (unsigned i = 0; i < COUNT(fields); i++)
		if (span_is(name, fields[i].name))
			return fields[i].work(r, ret);
	return ERR_RANGE;
}

static struct datum group_of(const struct formula_data *d, struct span name)
{
	int at = -1;
	if (name.n > 0 && name.n < 3 && name.p[0] >= '0' && name.p[0] <= '9') {
		at = 0;
		for (size_t i = 0; i < name.n && at >= 0; i++)
			at = name.p[i] < '0' || name.p[i] > '9' ? -1 : at * 10 + (name.p[i] - '0');
	} else if (d->pattern != NULL) {
		at = pattern_group(d->pattern, name);
	}
	return at >= 0 && (unsigned)at < d->nmatch ? d->match[at] : datum_of_text((struct span){ 0 });
}

static struct datum var_of(const struct formula_data *d, struct span name)
{
	for (unsigned i = 0; i < d->nvars; i++)
		if (span_eq(d->vars[i].name, name))
			return d->vars[i].value;
	return (struct datum){ .kind = DATUM_NIL };
}

static enum err question_part(const struct formula_data *d, struct span name, struct datum *ret)
{
	if (span_is(name, "Name"))
		*ret = datum_of_text(d->name);
	else if (span_is(name, "Qtype"))
		*ret = datum_of_int(d->question->type);
	else if (span_is(name, "Qclass"))
		*ret = datum_of_int(d->question->class);
	else
		return ERR_RANGE;
	return OK;
}

enum err formula_field(struct formula_run *r, const struct datum *of, struct span name, struct datum *ret)
{
	switch (of->kind) {
	case DATUM_ROOT: return root_field(r, name, ret);
	case DATUM_QUESTION: return question_part(r->data, name, ret);
	case DATUM_GROUPS: *ret = group_of(r->data, name); return OK;
	case DATUM_VARS: *ret = var_of(r->data, name); return OK;
	case DATUM_NIL:
	case DATUM_BOOL:
	case DATUM_INT:
	case DATUM_TEXT:
	case DATUM_LIST:
	case DATUM_ANY: break;
	}
	return ERR_RANGE;
}

bool formula_personal(const struct node *list)
{
	for (const struct node *n = list; n != NULL; n = n->next) {
		bool here = (n->kind == NODE_CALL && n->call->personal) ||
		            (n->kind == NODE_FIELD && span_is(n->value.text, "Remote"));
		if (here || formula_personal(n->args) || formula_personal(n->body) || formula_personal(n->otherwise))
			return true;
	}
	return false;
}

/* ---- working out ---- */

void formula_begin(struct formula_run *r, const struct formula_data *d)
{
	r->data = d;
	r->dot = (struct datum){ .kind = DATUM_ROOT };
	r->steps = 0;
	r->used = 0;
	r->leaving = FORMULA_ON;
	memset(r->slots, 0, sizeof(r->slots));
}

static enum err call(struct formula_run *r, const struct node *n, struct datum *ret)
{
	struct datum args[FORMULA_ARGS_MAX];
	unsigned count = 0;
	if (n->pattern != NULL) {
		TRY(formula_value(r, n->args, &args[0]));
		*ret = datum_of_bool(args[0].kind == DATUM_TEXT && pattern_matches(n->pattern, args[0].text));
		return OK;
	}
	for (const struct node *a = n->args; a != NULL && count < FORMULA_ARGS_MAX; a = a->next)
		TRY(formula_value(r, a, &args[count++]));
	return n->call->work(r, args, count, ret);
}

/* One after the other, until it is decided. */
static enum err decide(struct formula_run *r, const struct node *n, struct datum *ret)
{
	bool until = n->kind == NODE_OR;
	for (const struct node *a = n->args; a != NULL; a = a->next) {
		TRY(formula_value(r, a, ret));
		if (datum_is_true(ret) == until)
			break;
	}
	if (!n->keeps_value)
		*ret = datum_of_bool(datum_is_true(ret));
	return OK;
}

enum err formula_value(struct formula_run *r, const struct node *n, struct datum *ret)
{
	if (r->steps++ == FORMULA_STEPS_MAX)
		return ERR_LIMIT;
	switch (n->kind) {
	case NODE_CONST:
	case NODE_LIST: *ret = n->value; return OK;
	case NODE_SLOT: *ret = r->slots[n->slot]; return OK;
	case NODE_DOT: *ret = r->dot; return OK;
	case NODE_ROOT: *ret = (struct datum){ .kind = DATUM_ROOT }; return OK;
	case NODE_CALL: return call(r, n, ret);
	case NODE_AND:
	case NODE_OR: return decide(r, n, ret);
	case NODE_FIELD: {
		struct datum of;
		TRY(formula_value(r, n->args, &of));
		return formula_field(r, &of, n->value.text, ret);
	}
	case NODE_COND: {
		struct datum which;
		TRY(formula_value(r, n->args, &which));
		const struct node *yes = n->args->next;
		return formula_value(r, datum_is_true(&which) ? yes : yes->next, ret);
	}
	case NODE_TEXT:
	case NODE_PRINT:
	case NODE_SET:
	case NODE_IF:
	case NODE_WITH:
	case NODE_RANGE:
	case NODE_BREAK:
	case NODE_CONTINUE: break;
	}
	return ERR_RANGE;
}

/* For each of a list, of the numbers below one, with the dot and the variables set. */
static enum err repeat(struct formula_run *r, const struct node *n, const struct datum *over, struct buf *to)
{
	struct datum before = r->dot;
	bool list = over->kind == DATUM_LIST;
	if (!list && over->kind != DATUM_INT)
		return ERR_RANGE;
	for (int64_t i = 0; i < over->n && r->leaving != FORMULA_BREAK; i++) {
		r->dot = list ? over->items[i] : datum_of_int(i);
		r->leaving = FORMULA_ON;
		if (r->steps++ == FORMULA_STEPS_MAX)
			return ERR_LIMIT;
		if (n->slot_key >= 0)
			r->slots[n->slot_key] = datum_of_int(i);
		if (n->slot >= 0)
			r->slots[n->slot] = r->dot;
		TRY(formula_write(r, n->body, to));
	}
	r->leaving = FORMULA_ON;
	r->dot = before;
	return OK;
}

static enum err branch(struct formula_run *r, const struct node *n, struct buf *to)
{
	struct datum v, before = r->dot;
	TRY(formula_value(r, n->args, &v));
	if (n->slot >= 0 && n->kind != NODE_RANGE)
		r->slots[n->slot] = v;
	if (!datum_is_true(&v) || (v.kind == DATUM_INT && v.n < 0 && n->kind == NODE_RANGE))
		return formula_write(r, n->otherwise, to);
	if (n->kind == NODE_RANGE)
		return repeat(r, n, &v, to);
	if (n->kind == NODE_WITH)
		r->dot = v;
	enum err err = formula_write(r, n->body, to);
	r->dot = before;
	return err;
}

enum err formula_write(struct formula_run *r, const struct node *list, struct buf *to)
{
	struct datum v;
	for (const struct node *n = list; n != NULL && r->leaving == FORMULA_ON; n = n->next) {
		if (r->steps++ == FORMULA_STEPS_MAX)
			return ERR_LIMIT;
		if (n->kind == NODE_TEXT) {
			buf_span_put(to, n->value.text);
		} else if (n->kind == NODE_PRINT) {
			TRY(formula_value(r, n->args, &v));
			datum_text(&v, to);
		} else if (n->kind == NODE_SET) {
			TRY(formula_value(r, n->args, &r->slots[n->slot]));
		} else if (n->kind == NODE_BREAK || n->kind == NODE_CONTINUE) {
			r->leaving = n->kind == NODE_BREAK ? FORMULA_BREAK : FORMULA_CONTINUE;
		} else {
			TRY(branch(r, n, to));
		}
		if (!buf_ok(to))
			return ERR_LIMIT;
	}
	return OK;
}

/* ---- making ---- */

void *formula_wrong(struct formula_making *m, size_t at, const char *fmt, ...)
{
	va_list ap;
	if (m->wrong->why[0] != 0)
		return NULL;
	struct buf b = buf_on(m->wrong->why, sizeof(m->wrong->why));
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_cstr(&b);
	m->wrong->at = at;
	return NULL;
}

struct node *formula_node(struct formula_making *m, enum node_kind kind, size_t at)
{
	struct node *n = m->nodes++ >= FORMULA_NODES_MAX ? NULL : ARENA_NEW(m->arena, struct node);
	if (n == NULL)
		return formula_wrong(m, at, "it is too long; expected at most %u parts", FORMULA_NODES_MAX);
	n->kind = kind;
	n->type = DATUM_ANY;
	n->slot = n->slot_key = -1;
	return n;
}
