#include <limits.h>

#include <libfyaml.h>

#include "base/buf.h"
#include "base/json.h"

/* A place to build in, and what was wrong first. */
struct yaml {
	struct arena *arena;
	struct json_error *error;
	unsigned nodes;
};

static enum err refuse(struct yaml *y, enum err err, const struct json *at, const char *why)
{
	*y->error = (struct json_error){ .line = at->line, .column = at->column };
	struct buf b = buf_on(y->error->text, sizeof(y->error->text));
	buf_text(&b, why);
	buf_cstr(&b);
	return err;
}

static enum err no_room(struct yaml *y)
{
	return refuse(y, ERR_LIMIT, &(struct json){ 0 }, "a document larger than there is room for");
}

static enum err copy(struct yaml *y, struct fy_node *from, unsigned depth, struct json *to);

static enum err scalar_text(struct yaml *y, struct fy_node *from, struct span *ret)
{
	size_t n = 0;
	const char *p = fy_node_get_scalar(from, &n);
	char *text = arena_text(y->arena, span_of(p == NULL ? "" : p, p == NULL ? 0 : n));
	if (text == NULL)
		return no_room(y);
	*ret = span_of(text, n);
	return OK;
}

/* What a scalar without quotes means (YAML 1.2, the core schema), as far as settings have use for it. */
static void scalar_kind(struct json *to)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} words[] = {
		{ "", JSON_NOTHING }, { "~", JSON_NOTHING },
		{ "null", JSON_NOTHING }, { "Null", JSON_NOTHING }, { "NULL", JSON_NOTHING },
		{ "true", JSON_YES }, { "True", JSON_YES }, { "TRUE", JSON_YES },
		{ "false", JSON_NO }, { "False", JSON_NO }, { "FALSE", JSON_NO },
	};
	to->kind = JSON_TEXT;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (span_is(to->text, words[i].text))
			to->kind = words[i].kind;
	}
}

static enum err copy_scalar(struct yaml *y, struct fy_node *from, struct json *to)
{
	enum fy_node_style style = fy_node_get_style(from);
	if (fy_node_is_alias(from))
		return refuse(y, ERR_SYNTAX, to, "an alias; expected the value itself");
	TRY(scalar_text(y, from, &to->text));
	if (style == FYNS_PLAIN || style == FYNS_ANY)
		scalar_kind(to);
	else
		to->kind = JSON_TEXT;
	return OK;
}

static enum err copy_list(struct yaml *y, struct fy_node *from, unsigned depth, struct json *to)
{
	int n = fy_node_sequence_item_count(from);
	void *at = NULL;
	to->kind = JSON_LIST;
	to->n = n > 0 ? (unsigned)n : 0;
	struct json *list = ARENA_ARRAY(y->arena, struct json, to->n);
	if (list == NULL)
		return no_room(y);
	to->list = list;
	for (unsigned i = 0; i < to->n; i++)
		TRY(copy(y, fy_node_sequence_iterate(from, &at), depth, &list[i]));
	return OK;
}

static enum err copy_map(struct yaml *y, struct fy_node *from, unsigned depth, struct json *to)
{
	int n = fy_node_mapping_item_count(from);
	void *at = NULL;
	to->kind = JSON_MAP;
	to->n = n > 0 ? (unsigned)n : 0;
	struct json *list = ARENA_ARRAY(y->arena, struct json, to->n);
	if (list == NULL)
		return no_room(y);
	to->list = list;
	for (unsigned i = 0; i < to->n; i++) {
		struct fy_node_pair *pair = fy_node_mapping_iterate(from, &at);
		struct fy_node *key = pair == NULL ? NULL : fy_node_pair_key(pair);
		if (key == NULL || !fy_node_is_scalar(key) || fy_node_is_alias(key))
			return refuse(y, ERR_SYNTAX, to, "a key that is no plain text");
		TRY(scalar_text(y, key, &list[i].key));
		TRY(copy(y, fy_node_pair_value(pair), depth, &list[i]));
	}
	return OK;
}

/* Its depth is bounded here and by the parser's own limit (64). */
static enum err copy(struct yaml *y, struct fy_node *from, unsigned depth, struct json *to)
{
	struct fy_token *mark = from == NULL || !fy_node_is_scalar(from) ? NULL : fy_node_get_scalar_token(from);
	const struct fy_mark *start = mark == NULL ? NULL : fy_token_start_mark(mark);
	if (start != NULL) {
		to->line = (uint32_t)start->line + 1;
		to->column = (uint32_t)start->column + 1;
	}
	if (++y->nodes > JSON_NODES_MAX)
		return refuse(y, ERR_LIMIT, to, "too many values");
	if (from == NULL)
		return OK;
	if (fy_node_is_scalar(from))
		return copy_scalar(y, from, to);
	if (depth == JSON_DEPTH_MAX)
		return refuse(y, ERR_LIMIT, to, "lists and maps too deep within each other");
	return fy_node_is_mapping(from) ? copy_map(y, from, depth + 1, to) : copy_list(y, from, depth + 1, to);
}

/* What the parser found wrong first. */
static enum err syntax(struct yaml *y, struct fy_diag *diag)
{
	void *at = NULL;
	struct fy_diag_error *wrong = fy_diag_errors_iterate(diag, &at);
	struct json where = { .line = wrong != NULL && wrong->line > 0 ? (uint32_t)wrong->line : 0,
		              .column = wrong != NULL && wrong->column > 0 ? (uint32_t)wrong->column : 0 };
	return refuse(y, ERR_SYNTAX, &where, wrong == NULL || wrong->msg == NULL ? "no YAML" : wrong->msg);
}

/* How many bytes the character at p has, 0: it is none that a text may have (YAML 1.2, 5.1): UTF-8 in its shortest
 * form, no surrogate, of the control characters only tab and line ends. */
static size_t character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t size = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
	uint32_t code = size < 2 ? *p : *p & (0x7fu >> size);
	if (size == 0 || size > n)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		code = code << 6 | (p[i] & 63u);
	}
	bool blank = code == '\t' || code == '\n' || code == '\r';
	bool control = (code < 0x20 && !blank) || (code >= 0x7f && code < 0xa0);
	bool none = (code >= 0xd800 && code < 0xe000) || code == 0xfffe || code == 0xffff || code > 0x10ffff;
	return control || none || code < least[size] ? 0 : size;
}

/* Before the library sees it: some of what is no text it never comes to an end with. */
static enum err check_text(struct yaml *y, struct span text)
{
	struct json at = { .line = 1, .column = 1 };
	for (size_t i = 0, n; i < text.n; i += n) {
		n = character(text.p + i, text.n - i);
		if (n == 0)
			return refuse(y, ERR_SYNTAX, &at, "a byte that no text has");
		at.line += text.p[i] == '\n';
		at.column = text.p[i] == '\n' ? 1 : at.column + 1;
	}
	return OK;
}

/* The library writes some of its errors to a file unless somebody else takes them: they are collected already. */
static void say_nothing(struct fy_diag *diag, void *user, const char *text, size_t n)
{
	(void)diag, (void)user, (void)text, (void)n;
}

static const struct fy_diag_cfg quiet = { .output_fn = say_nothing, .level = FYET_ERROR, .module_mask = UINT_MAX };

enum err yaml_parse(struct arena *a, struct span text, const struct json **ret, struct json_error *ret_error)
{
	struct yaml y = { .arena = a, .error = ret_error };
	struct json *to = ARENA_NEW(a, struct json);
	if (to == NULL)
		return no_room(&y);
	if (text.n > JSON_BYTES_MAX)
		return refuse(&y, ERR_LIMIT, to, "a document of more than 1 MB");
	TRY(check_text(&y, text));
	struct fy_diag *diag = fy_diag_create(&quiet);
	if (diag == NULL)
		return no_room(&y);
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg conf = { .flags = FYPCF_QUIET | FYPCF_JSON_NONE, .diag = diag };
	struct fy_document *doc = fy_document_build_from_string(&conf, text.n == 0 ? "" : (const char *)text.p, text.n);
	enum err err = doc == NULL ? syntax(&y, diag) : copy(&y, fy_document_root(doc), 0, to);
	if (doc != NULL)
		fy_document_destroy(doc);
	fy_diag_destroy(diag);
	if (err != OK)
		return err;
	*ret = to;
	return OK;
}
