#include "base/json.h"

#include <jansson.h>

#include "base/buf.h"

static enum err refuse(struct json_error *e, enum err err, const char *why)
{
	*e = (struct json_error){ 0 };
	struct buf b = buf_on(e->text, sizeof(e->text));
	buf_text(&b, why);
	buf_cstr(&b);
	return err;
}

/* What the tree would be made of, before any of it is made. */
static enum err measure(struct span text, struct json_error *e)
{
	size_t depth = 0, nodes = 1;
	bool quoted = false;
	if (text.n > JSON_BYTES_MAX)
		return refuse(e, ERR_LIMIT, "a document of more than 1 MB");
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			depth++;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
		nodes += !quoted && (c == ',' || c == '[' || c == '{');
		if (depth > JSON_DEPTH_MAX)
			return refuse(e, ERR_LIMIT, "lists and maps too deep within each other");
		if (nodes > JSON_NODES_MAX)
			return refuse(e, ERR_LIMIT, "too many values");
	}
	return OK;
}

static enum err copy(struct arena *a, const json_t *from, struct json *to);

static enum err copy_text(struct arena *a, const char *p, size_t n, struct span *ret)
{
	char *text = arena_text(a, span_of(p, n));
	if (text == NULL)
		return ERR_LIMIT;
	*ret = span_of(text, n);
	return OK;
}

static enum err copy_map(struct arena *a, json_t *from, struct json *list)
{
	const char *key;
	json_t *value;
	json_object_foreach(from, key, value) {
		TRY(copy_text(a, key, strlen(key), &list->key));
		TRY(copy(a, value, list++));
	}
	return OK;
}

static enum err copy_members(struct arena *a, const json_t *from, struct json *to)
{
	bool is_map = json_is_object(from);
	to->kind = is_map ? JSON_MAP : JSON_LIST;
	to->n = (unsigned)(is_map ? json_object_size(from) : json_array_size(from));
	struct json *list = ARENA_ARRAY(a, struct json, to->n);
	if (list == NULL)
		return ERR_LIMIT;
	to->list = list;
	if (is_map)
		return copy_map(a, (json_t *)from, list);
	for (unsigned i = 0; i < to->n; i++)
		TRY(copy(a, json_array_get(from, i), &list[i]));
	return OK;
}

/* Its depth is bounded: see measure. */
static enum err copy(struct arena *a, const json_t *from, struct json *to)
{
	if (json_is_object(from) || json_is_array(from))
		return copy_members(a, from, to);
	to->kind = json_is_true(from) ? JSON_YES : json_is_false(from) ? JSON_NO : JSON_NOTHING;
	if (json_is_number(from)) {
		to->kind = JSON_NUMBER;
		to->number = json_number_value(from);
	}
	if (!json_is_string(from))
		return OK;
	to->kind = JSON_TEXT;
	return copy_text(a, json_string_value(from), json_string_length(from), &to->text);
}

enum err json_parse(struct arena *a, struct span text, const struct json **ret, struct json_error *ret_error)
{
	json_error_t wrong;
	TRY(measure(text, ret_error));
	json_t *tree = json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &wrong);
	if (tree == NULL) {
		enum err err = refuse(ret_error, ERR_SYNTAX, wrong.text);
		ret_error->line = wrong.line > 0 ? (uint32_t)wrong.line : 0;
		ret_error->column = wrong.column > 0 ? (uint32_t)wrong.column : 0;
		return err;
	}
	struct json *to = ARENA_NEW(a, struct json);
	enum err err = to == NULL ? ERR_LIMIT : copy(a, tree, to);
	json_decref(tree);
	if (err != OK)
		return refuse(ret_error, err, "a document larger than there is room for");
	*ret = to;
	return OK;
}

const struct json *json_get(const struct json *j, const char *key)
{
	for (unsigned i = 0; json_is(j, JSON_MAP) && i < j->n; i++) {
		if (span_is(j->list[i].key, key))
			return &j->list[i];
	}
	return NULL;
}

struct span json_text(const struct json *j)
{
	return j == NULL ? (struct span){ 0 } : j->text;
}

const char *json_cstr(const struct json *j)
{
	struct span s = json_text(j);
	return s.p == NULL || memchr(s.p, 0, s.n) != NULL ? NULL : (const char *)s.p;
}
