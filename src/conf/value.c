#include "conf/value.h"

#include <string.h>

#include "base/assert.h"
#include "base/duration.h"
#include "conf/corefile.h"

#define NUMBER_MAX ((int64_t)1 << 53) /* far beyond any option's range */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

bool number_read(const char *text, int64_t *ret, const char **ret_rest)
{
	const char *p = text;
	while (is_blank(*p))
		p++;
	bool minus = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	if (*p < '0' || *p > '9')
		return false;
	int64_t v = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		v = MIN(v * 10 + (*p - '0'), NUMBER_MAX);
	*ret = minus ? -v : v;
	*ret_rest = p;
	return true;
}

bool size_read(const char *text, uint64_t *ret)
{
	static const char units[] = "kmg";
	uint64_t v = 0;
	const char *p = text;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		v = MIN(v * 10 + (uint64_t)(*p - '0'), (uint64_t)NUMBER_MAX);
	while (*p == ' ')
		p++;
	for (unsigned i = 0; i < 3; i++)
		if (*p != 0 && fold((uint8_t)*p) == units[i]) {
			v = MIN(v, (uint64_t)NUMBER_MAX >> 10 * (i + 1)) << 10 * (i + 1);
			p++;
			break;
		}
	if (fold((uint8_t)*p) == 'b')
		p++;
	if (*p != 0)
		return false;
	*ret = v;
	return true;
}

struct span value_word(const char **at)
{
	const char *p = *at;
	while (is_blank(*p))
		p++;
	const char *first = p;
	while (*p != 0 && !is_blank(*p))
		p++;
	*at = p;
	return span_of(first, (size_t)(p - first));
}

/* ---- into a field ---- */

/* The widest range that the field itself can hold. */
static int64_t field_max(enum opt_type type)
{
	switch (type) {
	case OPT_U32:
	case OPT_SECS: return UINT32_MAX;
	case OPT_MSEC:
	case OPT_SIZE:
	case OPT_BOOL:
	case OPT_TEXT:
	case OPT_CUSTOM: break;
	}
	return NUMBER_MAX;
}

static void field_store(const struct opt *row, void *self, int64_t v)
{
	uint8_t *at = (uint8_t *)self + row->at;
	uint32_t u32 = (uint32_t)v;
	size_t size = (size_t)v;
	secs s = (secs)v;
	msec ms = v;
	bool yes = v != 0;
	switch (row->type) {
	case OPT_BOOL: memcpy(at, &yes, sizeof(yes)); break;
	case OPT_U32: memcpy(at, &u32, sizeof(u32)); break;
	case OPT_SECS: memcpy(at, &s, sizeof(s)); break;
	case OPT_MSEC: memcpy(at, &ms, sizeof(ms)); break;
	case OPT_SIZE: memcpy(at, &size, sizeof(size)); break;
	case OPT_TEXT:
	case OPT_CUSTOM: ASSERT(false);
	}
}

static bool wrong(const struct value_place *at, const char *theirs, const char *what, const char *text)
{
	if (at->voice == VOICE_UNBOUND)
		diag_error(at->diag, at->file, at->line, at->column, "%s; expected %s, not '%.200s'", theirs, what,
		           text);
	else
		diag_error(at->diag, at->file, at->line, at->column, "%s: '%.200s' is wrong; expected %s", at->option,
		           text, what);
	return false;
}

/* min and max both 0: no more than the field's own range. */
static bool in_range(const struct opt *row, int64_t v, const struct value_place *at)
{
	bool open = row->min == 0 && row->max == 0;
	int64_t max = open ? field_max(row->type) : MIN(row->max, field_max(row->type));
	if (v >= row->min && v <= max)
		return true;
	if (at->voice == VOICE_UNBOUND && v < 0)
		diag_error(at->diag, at->file, at->line, at->column, "%s value < 0", at->option);
	else if (at->voice == VOICE_UNBOUND)
		diag_error(at->diag, at->file, at->line, at->column, "%s",
		           v == 0 ? "number expected" : "value out of range");
	else
		diag_error(at->diag, at->file, at->line, at->column, "%s: %lld is out of range; expected %lld to %lld",
		           at->option, (long long)v, (long long)row->min, (long long)max);
	return false;
}

static bool bool_set(const struct opt *row, void *self, const char *text, const struct value_place *at)
{
	bool yes = strcmp(text, "yes") == 0;
	if (!yes && strcmp(text, "no") != 0)
		return wrong(at, "expected yes or no.", "yes or no", text);
	field_store(row, self, yes);
	return true;
}

static bool number_set(const struct opt *row, void *self, const char *text, const struct value_place *at)
{
	int64_t v;
	const char *rest;
	bool read = number_read(text, &v, &rest);
	/* Unbound takes a zero only when it is written as exactly that. */
	bool port = row->min == 1 && row->max == UINT16_MAX;
	if (!read || (v == 0 && (port || strcmp(text, "0") != 0)))
		return wrong(at, port ? "port number expected" : "number expected", port ? "1 to 65535" : "a number",
		             text);
	if (!in_range(row, v, at))
		return false;
	if (*rest != 0)
		diag_warning(at->diag, at->file, at->line, at->column,
		             "%s: '%.200s' is read as %lld, units are not known; expected digits alone", at->option,
		             text, (long long)v);
	field_store(row, self, v);
	return true;
}

static bool size_set(const struct opt *row, void *self, const char *text, const struct value_place *at)
{
	uint64_t v;
	if (!size_read(text, &v))
		return wrong(at, "memory size expected", "a memory size such as 4m", text);
	if (!in_range(row, (int64_t)v, at))
		return false;
	field_store(row, self, (int64_t)v);
	return true;
}

static bool text_set(const struct opt *row, void *self, const char *text, struct arena *a)
{
	const char *kept = arena_text(a, span_text(text));
	if (kept == NULL)
		return false;
	memcpy((uint8_t *)self + row->at, &kept, sizeof(kept));
	return true;
}

bool value_set(const struct opt *row, void *self, const char *text, struct arena *a, const struct value_place *at)
{
	switch (row->type) {
	case OPT_BOOL: return bool_set(row, self, text, at);
	case OPT_U32:
	case OPT_SECS:
	case OPT_MSEC: return number_set(row, self, text, at);
	case OPT_SIZE: return size_set(row, self, text, at);
	case OPT_TEXT: return text_set(row, self, text, a);
	case OPT_CUSTOM: break;
	}
	ASSERT(false);
}

/* Digits and nothing else. */
static bool digits_read(const char *text, int64_t *ret)
{
	const char *rest;
	return *text >= '0' && *text <= '9' && number_read(text, ret, &rest) && *rest == 0;
}

static bool time_set(const struct opt *row, void *self, const char *text, const struct value_place *at)
{
	int64_t v;
	msec ms;
	if (row->type == OPT_SECS && digits_read(text, &v))
		ms = MIN(v, NUMBER_MAX / SECOND) * SECOND;
	else if (duration_parse(span_text(text), &ms) != OK)
		return wrong(at, "", row->type == OPT_SECS ? "seconds, or a time such as 1m30s"
		                                             : "a time such as 500ms or 1m30s", text);
	if (row->type == OPT_SECS && ms % SECOND != 0)
		return wrong(at, "", "whole seconds", text);
	v = row->type == OPT_SECS ? ms / SECOND : ms;
	if (!in_range(row, v, at))
		return false;
	field_store(row, self, v);
	return true;
}

bool value_set_corefile(const struct opt *row, void *self, const char *text, struct arena *a,
                        const struct value_place *at)
{
	int64_t v;
	switch (row->type) {
	case OPT_BOOL:
		if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
			return wrong(at, "", "on or off", text);
		field_store(row, self, strcmp(text, "on") == 0);
		return true;
	case OPT_U32:
	case OPT_SIZE:
		if (!digits_read(text, &v))
			return wrong(at, "", "a number", text);
		if (!in_range(row, v, at))
			return false;
		field_store(row, self, v);
		return true;
	case OPT_SECS:
	case OPT_MSEC: return time_set(row, self, text, at);
	case OPT_TEXT: return text_set(row, self, text, a);
	case OPT_CUSTOM: break;
	}
	ASSERT(false);
}

/* ---- defaults and text ---- */

static int64_t unit_secs(char c)
{
	switch (c) {
	case 'm': return MINUTE;
	case 'h': return HOUR;
	case 'd': return DAY;
	case 'w': return 7 * DAY;
	default: return 1;
	}
}

bool value_default(const struct opt *row, void *self, const char *text, struct arena *a)
{
	int64_t v;
	msec ms;
	uint64_t size;
	const char *rest;
	switch (row->type) {
	case OPT_TEXT: return text_set(row, self, text, a);
	case OPT_BOOL:
		field_store(row, self, strcmp(text, "yes") == 0);
		return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
	case OPT_SIZE:
		if (!size_read(text, &size))
			return false;
		field_store(row, self, (int64_t)size);
		return true;
	case OPT_U32:
	case OPT_SECS:
	case OPT_MSEC:
		if (duration_parse(span_text(text), &ms) == OK) {
			field_store(row, self, row->type == OPT_MSEC ? ms : ms / SECOND);
			return true;
		}
		if (!number_read(text, &v, &rest))
			return false;
		if (*rest != 0)
			v *= unit_secs(*rest) * (row->type == OPT_MSEC ? SECOND : 1);
		field_store(row, self, v);
		return true;
	case OPT_CUSTOM: break;
	}
	return false;
}

void value_quote(const char *text, struct buf *to)
{
	bool plain = text[0] != 0 && text[0] != '#';
	for (const char *p = text; *p != 0 && plain; p++)
		plain = !is_blank(*p) && *p != '"' && *p != '\'' && *p != '\\';
	/* A value that came from one kind of quotes holds that kind only behind a backslash. */
	bool bare = false;
	for (const char *p = text; *p != 0 && !bare; p++) {
		bare = *p == '"';
		if (*p == '\\' && p[1] != 0)
			p++;
	}
	const char *quote = plain ? "" : bare ? "'" : "\"";
	buf_text(to, quote);
	buf_text(to, text);
	buf_text(to, quote);
}

void value_text(const struct opt *row, const void *self, struct buf *to)
{
	const uint8_t *at = (const uint8_t *)self + row->at;
	bool yes;
	uint32_t u32;
	secs s;
	msec ms;
	size_t size;
	const char *text;
	switch (row->type) {
	case OPT_BOOL:
		memcpy(&yes, at, sizeof(yes));
		buf_text(to, yes ? "yes" : "no");
		break;
	case OPT_U32:
		memcpy(&u32, at, sizeof(u32));
		buf_uint(to, u32);
		break;
	case OPT_SECS:
		memcpy(&s, at, sizeof(s));
		buf_uint(to, s);
		break;
	case OPT_MSEC:
		memcpy(&ms, at, sizeof(ms));
		buf_uint(to, (uint64_t)ms);
		break;
	case OPT_SIZE:
		memcpy(&size, at, sizeof(size));
		buf_uint(to, size);
		break;
	case OPT_TEXT:
		memcpy(&text, at, sizeof(text));
		value_quote(text == NULL ? "" : text, to);
		break;
	case OPT_CUSTOM: break;
	}
}

void value_text_corefile(const struct opt *row, const void *self, struct buf *to)
{
	const uint8_t *at = (const uint8_t *)self + row->at;
	bool yes;
	msec ms;
	const char *text;
	if (row->type == OPT_BOOL) {
		memcpy(&yes, at, sizeof(yes));
		buf_text(to, yes ? "on" : "off");
	} else if (row->type == OPT_MSEC) {
		memcpy(&ms, at, sizeof(ms));
		bool whole = ms % SECOND == 0;
		buf_printf(to, "%lld%s", (long long)(whole ? ms / SECOND : ms), whole ? "s" : "ms");
	} else if (row->type == OPT_TEXT) {
		memcpy(&text, at, sizeof(text));
		corefile_word(text == NULL ? "" : text, to);
	} else {
		value_text(row, self, to);
	}
}
