/* json: documents of JSON, and of YAML, as one tree in an arena. What libjansson and libfyaml make of a text is copied
 * and let go at once, so the tree goes with its arena, and nobody else holds objects of theirs.
 * why so     small documents alone: settings, tokens, single objects. Lists of a cluster are read as they come
 *            (core/kube_protobuf, core/kube_json), never made a tree of
 * bounds     JSON_BYTES_MAX, JSON_DEPTH_MAX and JSON_NODES_MAX are looked at before any library sees the text
 * threads    any, each with its arena */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/err.h"

#define JSON_BYTES_MAX (1u << 20)
#define JSON_DEPTH_MAX 32u            /* lists and maps within each other */
#define JSON_NODES_MAX 65536u

enum json_kind { JSON_NOTHING, JSON_NO, JSON_YES, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_MAP };

struct json {
	enum json_kind kind;
	struct span key;                  /* in a map; UTF-8, as text is */
	struct span text;                 /* JSON_TEXT; of YAML: any scalar as it is written. NUL follows */
	double number;
	const struct json *list;          /* members of a list or map, in their order */
	unsigned n;
	uint32_t line, column;            /* of YAML: where it stands, from 1 */
};

/* Where a text is no good, and why. */
struct json_error {
	uint32_t line, column;            /* from 1; 0: no one place */
	char text[160];
};

/* returns OK | ERR_SYNTAX | ERR_LIMIT; in these cases ret_error is set */
enum err json_parse(struct arena *a, struct span text, const struct json **ret, struct json_error *ret_error)
	MUST_CHECK;
/* The first document of a YAML text. Aliases are refused, as they make much of little; so are keys that are no
 * scalars, and a key that comes twice. */
enum err yaml_parse(struct arena *a, struct span text, const struct json **ret, struct json_error *ret_error)
	MUST_CHECK;

/* The member of a map; NULL: it has none, or j is no map, or NULL. */
const struct json *json_get(const struct json *j, const char *key);
/* Its text; empty, p NULL: it is NULL or has no text. */
struct span json_text(const struct json *j);
/* The same as a C string; NULL: it has no text, or a NUL in it. */
const char *json_cstr(const struct json *j);
static inline bool json_is(const struct json *j, enum json_kind kind)
{
	return j != NULL && j->kind == kind;
}

#endif
