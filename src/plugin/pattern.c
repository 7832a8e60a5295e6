#include "plugin/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8   /* what the library is told by */
#include <pcre2.h>

#include "base/buf.h"
#include "base/heap.h"

#define STEPS_MAX 100000u           /* of one match */
#define DEPTH_MAX 1000u             /* ways remembered at once */
#define HEAP_KB_MAX 1024u
#define WHY_MAX 200u
#define NAME_BYTES_MAX 33u          /* of a group's name, as the library has it, NUL included */

struct pattern {
	const pcre2_code *code;
};

/* The library asks for memory as malloc does. Of the arena, for what is compiled: it goes with it. */
static void *arena_take(size_t n, void *arena)
{
	return arena_alloc(arena, n);
}

static void arena_leave(void *p, void *arena)
{
	(void)p;
	(void)arena;
}

static void *heap_take(size_t n, void *nothing)
{
	(void)nothing;
	return heap_new(n);
}

static void heap_leave(void *p, void *nothing)
{
	(void)nothing;
	heap_free(p);
}

/* Behind a class, "[^]a]", or the end of the text. */
static const char *skip_class(const char *at)
{
	at += at[1] == '^' ? 2 : 1;
	at += *at == ']';
	for (; *at != 0 && *at != ']'; at++)
		at += *at == '\\' && at[1] != 0;
	return at;
}

/* What RE2 does not know. NULL: nothing of it. */
static const char *foreign(const char *at)
{
	for (; *at != 0; at++) {
		if (*at == '\\' && at[1] != 0) {
			at++;
			if (strchr("123456789kgKGR", *at) != NULL)
				return "references back and their like are not supported";
		} else if (*at == '[') {
			at = skip_class(at);
			if (*at == 0)
				return NULL;   /* the library says it better */
		} else if (*at == '(' && at[1] == '*') {
			return "verbs are not supported";
		} else if (*at == '(' && at[1] == '?') {
			bool named = at[2] == 'P' && at[3] == '<';
			bool plain = at[2] == '<' && at[3] != '=' && at[3] != '!';
			if (!named && !plain && strchr(":imsU-", at[2]) == NULL)
				return "invalid or unsupported Perl syntax";
		} else if ((*at == '*' || *at == '+' || *at == '?' || *at == '}') && at[1] == '+') {
			return "invalid nested repetition operator";
		}
	}
	return NULL;
}

const struct pattern *pattern_make(struct arena *a, const char *text, const char **ret_why)
{
	int error;
	PCRE2_SIZE at;
	struct pattern *p = ARENA_NEW(a, struct pattern);
	uint8_t *why = arena_alloc(a, WHY_MAX);
	pcre2_general_context *memory = pcre2_general_context_create_8(arena_take, arena_leave, a);
	pcre2_compile_context *how = memory == NULL ? NULL : pcre2_compile_context_create_8(memory);
	*ret_why = strlen(text) > PATTERN_MAX ? "it is too long" : foreign(text);
	if (*ret_why != NULL)
		return NULL;
	*ret_why = "there is no room for it";
	if (p == NULL || why == NULL || how == NULL)
		return NULL;
	pcre2_set_max_pattern_length_8(how, PATTERN_MAX);
	uint32_t options = PCRE2_UTF;
	p->code = pcre2_compile_8((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &at, how);
	if (p->code != NULL)
		return p;
	if (pcre2_get_error_message_8(error, why, WHY_MAX) > 0)
		*ret_why = (const char *)why;
	return NULL;
}

unsigned pattern_groups(const struct pattern *p)
{
	uint32_t n = 0;
	(void)pcre2_pattern_info_8(p->code, PCRE2_INFO_CAPTURECOUNT, &n);
	return n;
}

int pattern_group(const struct pattern *p, struct span name)
{
	char text[NAME_BYTES_MAX];
	if (name.n >= sizeof(text))
		return -1;
	struct buf b = buf_on(text, sizeof(text));
	buf_span_put(&b, name);
	return MAX(pcre2_substring_number_from_name_8(p->code, (PCRE2_SPTR)buf_cstr(&b)), -1);
}

bool pattern_matches(const struct pattern *p, struct span text)
{
	struct span all;
	return pattern_find(p, text, &all, 1);
}

bool pattern_find(const struct pattern *p, struct span text, struct span *ret, unsigned n)
{
	pcre2_general_context *memory = pcre2_general_context_create_8(heap_take, heap_leave, NULL);
	pcre2_match_context *how = pcre2_match_context_create_8(memory);
	pcre2_match_data *data = pcre2_match_data_create_8(n, memory);
	pcre2_set_match_limit_8(how, STEPS_MAX);
	pcre2_set_depth_limit_8(how, DEPTH_MAX);
	pcre2_set_heap_limit_8(how, HEAP_KB_MAX);
	bool found = pcre2_match_8(p->code, text.p, text.n, 0, 0, data, how) >= 0;
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer_8(data);
	for (unsigned i = 0; found && i < n; i++) {
		bool none = i > pattern_groups(p) || ends[2 * i] == PCRE2_UNSET || ends[2 * i + 1] < ends[2 * i];
		ret[i] = none ? span_of(text.p, 0) : span_of(text.p + ends[2 * i], ends[2 * i + 1] - ends[2 * i]);
	}
	pcre2_match_data_free_8(data);
	pcre2_match_context_free_8(how);
	pcre2_general_context_free_8(memory);
	return found;
}
