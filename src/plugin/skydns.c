#include "plugin/skydns.h"

#include "base/base64.h"
#include "base/json.h"

#define PRIORITY_DEFAULT 10u
#define WILD_VALUES_MAX 256u      /* that are looked through for a name with wildcards */
#define KEY_LABELS_MAX 128u        /* more than a name has */

/* ---- keys ---- */

static bool is_wild(struct span label)
{
	return span_is(label, "*") || span_is(label, "any");
}

enum err skydns_key(struct arena *a, const char *path, struct name n, struct skydns_key *ret)
{
	uint8_t store[NAME_MAX_BYTES], bytes[SKYDNS_KEY_MAX];
	struct span labels[KEY_LABELS_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	unsigned count = 0;
	size_t cut = 0;
	n = name_fold(n, store);
	for (size_t at = 0; n.wire[at] != 0; at += n.wire[at] + 1u) {
		labels[count] = span_of(n.wire + at + 1, n.wire[at]);
		if (memchr(labels[count].p, '/', labels[count].n) != NULL)
			return ERR_NAME;
		count++;
	}
	buf_text(&b, path);
	for (unsigned i = count; i-- > 0;) {
		if (cut == 0 && is_wild(labels[i]))
			cut = b.n;
		buf_u8(&b, '/');
		buf_span_put(&b, labels[i]);
	}
	if (!buf_ok(&b))
		return ERR_LIMIT;
	ret->full = arena_span(a, buf_span(&b));
	ret->wild = cut > 0;
	ret->at = ret->wild ? span_of(ret->full.p, cut) : ret->full;
	return ret->full.p == NULL ? ERR_LIMIT : OK;
}

static struct span word_next(struct span *rest)
{
	const uint8_t *slash = rest->n == 0 ? NULL : memchr(rest->p, '/', rest->n);
	struct span word = span_of(rest->p, slash == NULL ? rest->n : (size_t)(slash - rest->p));
	*rest = span_from(*rest, MIN(word.n + 1, rest->n));
	return word;
}

/* Does the key begin as a name's with wildcards does? */
static bool fits(struct span key, struct span full)
{
	while (full.n > 0) {
		struct span want = word_next(&full), have = word_next(&key);
		if (!is_wild(want) && !span_eq(want, have))
			return false;
		if (have.n == 0 && want.n > 0)
			return false;
	}
	return true;
}

/* The name that a key below the path is of. */
static enum err owner_of(struct arena *a, struct span key, struct name *ret)
{
	uint8_t wire[NAME_MAX_BYTES];
	size_t at = sizeof(wire) - 1;
	wire[at] = 0;
	while (key.n > 0) {
		struct span label = word_next(&key);
		if (label.n == 0 || label.n > LABEL_MAX || at < label.n + 1)
			return ERR_NAME;
		at -= label.n + 1;
		wire[at] = (uint8_t)label.n;
		memcpy(wire + at + 1, label.p, label.n);
	}
	TRY(name_from_wire(span_of(wire + at, sizeof(wire) - at), ret));
	*ret = name_dup(a, *ret);
	return ret->wire == NULL ? ERR_LIMIT : OK;
}

/* ---- requests ---- */

static void ask_range(struct buf *to, struct span from, struct span end, unsigned limit)
{
	buf_text(to, "{\"request_range\":{\"key\":\"");
	base64_write(from, to);
	buf_text(to, "\",\"range_end\":\"");
	base64_write(end, to);
	buf_printf(to, "\",\"limit\":%u}}", limit);
}

void skydns_ask(const struct skydns_key *k, struct buf *to)
{
	uint8_t low[SKYDNS_KEY_MAX + 1], high[SKYDNS_KEY_MAX + 1];
	memcpy(low, k->at.p, k->at.n);
	memcpy(high, k->at.p, k->at.n);
	low[k->at.n] = '/';
	high[k->at.n] = '/' + 1;           /* all that begins with the key and a slash */
	buf_text(to, "{\"success\":[");
	ask_range(to, k->at, (struct span){ 0 }, 1);
	buf_u8(to, ',');
	ask_range(to, span_of(low, k->at.n + 1), span_of(high, k->at.n + 1),
	          k->wild ? WILD_VALUES_MAX : SKYDNS_VALUES_MAX);
	buf_text(to, "]}");
}

/* ---- values ---- */

/* A number of 0 to max; false: it is something else. */
static bool take_number(const struct json *map, const char *word, uint32_t max, uint32_t *ret)
{
	const struct json *j = json_get(map, word);
	if (j == NULL || j->kind == JSON_NOTHING)
		return true;
	if (j->kind != JSON_NUMBER || !(j->number >= 0 && j->number <= max))
		return false;
	*ret = (uint32_t)j->number;
	return true;
}

/* Text as it stands, in UTF-8; false: it is something else. */
static bool take_text(struct arena *a, const struct json *map, const char *word, struct span *ret)
{
	const struct json *j = json_get(map, word);
	if (j == NULL || j->kind == JSON_NOTHING)
		return true;
	if (j->kind != JSON_TEXT)
		return false;
	*ret = j->text.n == 0 ? (struct span){ 0 } : arena_span(a, j->text);
	return j->text.n == 0 || ret->p != NULL;
}

static bool take_host(struct arena *a, const struct json *map, struct skydns_value *v)
{
	struct span host = { 0 };
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	if (!take_text(a, map, "host", &host))
		return false;
	if (host.n == 0 || addr_parse(host, 0, &v->addr) == OK)
		return true;
	v->addr = (struct addr){ 0 };
	if (name_from_text(host, NULL, store, &n) != OK || n.len <= 1)
		return false;
	v->host = name_dup(a, n);
	return v->host.wire != NULL;
}

static bool take_value(struct arena *a, const struct json *map, struct skydns_value *v)
{
	uint32_t port = 0, weight = 0, priority = 0, strip = 0;
	const struct json *mail = json_get(map, "mail");
	if (!json_is(map, JSON_MAP) || !take_host(a, map, v) || !take_text(a, map, "text", &v->text) ||
	    !take_text(a, map, "group", &v->group))
		return false;
	if (!take_number(map, "port", UINT16_MAX, &port) || !take_number(map, "weight", UINT16_MAX, &weight) ||
	    !take_number(map, "priority", UINT16_MAX, &priority) ||
	    !take_number(map, "targetstrip", KEY_LABELS_MAX, &strip) || !take_number(map, "ttl", UINT32_MAX, &v->ttl))
		return false;
	v->port = (uint16_t)port;
	v->weight = (uint16_t)weight;
	v->priority = (uint16_t)(priority == 0 ? PRIORITY_DEFAULT : priority);
	v->strip = (uint8_t)strip;
	v->mail = json_is(mail, JSON_YES);
	return true;
}

/* An id of 64 bits is written as text. */
static uint64_t lease_of(const struct json *kv)
{
	struct span s = json_text(json_get(kv, "lease"));
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || n > (uint64_t)INT64_MAX / 10)
			return 0;
		n = n * 10 + (s.p[i] - '0');
	}
	return n;
}

/* One key and its value; false: it cannot be read. */
static bool take_pair(struct arena *a, const char *path, const struct json *kv, struct skydns_value *v)
{
	struct span key = { 0 }, value = { 0 };
	size_t cut = strlen(path) + 1;
	const struct json *map;
	struct json_error why;
	*v = (struct skydns_value){ .lease = lease_of(kv) };
	if (base64_read(a, json_text(json_get(kv, "key")), &key) != OK ||
	    base64_read(a, json_text(json_get(kv, "value")), &value) != OK)
		return false;
	if (key.n <= cut || owner_of(a, span_from(key, cut), &v->owner) != OK)
		return false;
	v->key = span_from(key, cut);
	return json_parse(a, value, &map, &why) == OK && take_value(a, map, v);
}

static const struct json *range_of(const struct json *answer, unsigned i)
{
	const struct json *all = json_get(answer, "responses");
	if (!json_is(all, JSON_LIST) || i >= all->n)
		return NULL;
	return json_get(json_get(&all->list[i], "response_range"), "kvs");
}

static void take_range(struct arena *a, const char *path, const struct skydns_key *k, const struct json *kvs,
                       struct skydns *ret)
{
	struct span full = span_from(k->full, strlen(path) + 1);
	for (unsigned i = 0; json_is(kvs, JSON_LIST) && i < kvs->n && ret->n < SKYDNS_VALUES_MAX; i++) {
		struct skydns_value *v = &ret->list[ret->n];
		bool good = take_pair(a, path, &kvs->list[i], v);
		if (good && k->wild && !fits(v->key, full))
			continue;
		ret->found = true;
		ret->unreadable += !good;
		ret->n += good;
	}
}

enum err skydns_read(struct arena *a, const char *path, const struct skydns_key *k, struct span body,
                     struct skydns *ret)
{
	const struct json *answer;
	struct json_error why;
	TRY(json_parse(a, body, &answer, &why));
	if (!json_is(json_get(answer, "responses"), JSON_LIST))
		return ERR_SYNTAX;
	ret->n = ret->unreadable = 0;
	ret->found = false;
	take_range(a, path, k, range_of(answer, 1), ret);
	if (k->wild)
		return OK;
	/* Its own is what a CNAME and a PTR are made of; all else is of those below, if there are any. */
	unsigned below = ret->n;
	if (below == SKYDNS_VALUES_MAX)
		return OK;
	take_range(a, path, k, range_of(answer, 0), ret);
	for (unsigned i = below; i < ret->n; i++)
		ret->list[i].exact = true;
	return OK;
}

/* ---- groups ---- */

static unsigned depth_of(const struct skydns_value *v)
{
	unsigned n = 0;
	for (size_t i = 0; i < v->key.n; i++)
		n += v->key.p[i] == '/';
	return n;
}

void skydns_group(struct skydns *s)
{
	unsigned top = UINT32_MAX, kept = 0;
	struct span group = { 0 };
	for (unsigned i = 0; i < s->n; i++) {
		if (depth_of(&s->list[i]) >= top)
			continue;
		top = depth_of(&s->list[i]);
		group = s->list[i].group;
	}
	/* Those at the top do not agree: then it tells nothing apart. */
	for (unsigned i = 0; i < s->n; i++)
		if (depth_of(&s->list[i]) == top && s->list[i].group.n > 0 && !span_eq(s->list[i].group, group))
			return;
	for (unsigned i = 0; group.n > 0 && i < s->n; i++)
		if (s->list[i].group.n == 0 || span_eq(s->list[i].group, group))
			s->list[kept++] = s->list[i];
	s->n = group.n > 0 ? kept : s->n;
}
