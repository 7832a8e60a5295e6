#include "sim/rpl_reader.h"

#include "base/assert.h"

const char *const rpl_step_names[STEP_COUNT] = { "QUERY", "CHECK_ANSWER", "ANSWER", "CHECK_OUT_QUERY", "REPLY", "MOCK",
	"TIME_PASSES", "TIMEOUT", "ERROR", "TRAFFIC", "NOTHING", "ASSIGN", "CHECK_AUTOTRUST", "CHECK_TEMPFILE" };

static void read_range(struct reader *r, struct rpl *to)
{
	struct rpl_range *range = ARENA_NEW(r->arena, struct rpl_range);
	struct span rest = r->line;
	if (range == NULL)
		return;
	reader_word(&rest);
	range->from = reader_number(r, reader_word(&rest));
	range->to = reader_number(r, reader_word(&rest));
	struct rpl_entry **last = &range->entries;
	while (reader_statement(r) && !reader_starts(r->line, "RANGE_END")) {
		if (reader_starts(r->line, "ADDRESS")) {
			struct span addr = span_trim(span_from(r->line, 7), BLANKS);
			if (range->naddrs == RPL_ADDRS_MAX)
				reader_wrong(r, RPL_UNREADABLE, "too many addresses", (struct span){ 0 });
			else
				range->addrs[range->naddrs++] = reader_addr(r, addr);
		} else if (!entry_dollar(r)) {
			*last = entry_read(r, true);
			if (*last == NULL)
				return;
			last = &(*last)->next;
		}
	}
	range->before = to->last;
	if (to->last == NULL)
		to->first = range;
	else
		to->last->next = range;
	to->last = range;
}

static struct rpl_step *read_step(struct reader *r)
{
	struct rpl_step *s = ARENA_NEW(r->arena, struct rpl_step);
	struct span rest = r->line;
	if (s == NULL)
		return NULL;
	reader_word(&rest);
	s->nr = reader_number(r, reader_word(&rest));
	s->line = r->nr;
	struct span word = reader_before(reader_word(&rest), ";");
	unsigned k = 0;
	while (k < STEP_COUNT && !span_is(word, rpl_step_names[k]))
		k++;
	if (k == STEP_COUNT) {
		reader_wrong(r, RPL_NOT_PLAYED, "a step that cannot be played:", word);
		return NULL;
	}
	s->kind = (enum rpl_kind)k;
	s->rest = reader_before(rest, ";");
	if (reader_starts(s->rest, "ADDRESS"))
		s->addr = reader_addr(r, span_trim(span_from(s->rest, 7), BLANKS));
	if (k <= STEP_MOCK) {
		s->entry = entry_read(r, false);
	} else if (k == STEP_CHECK_AUTOTRUST || k == STEP_CHECK_TEMPFILE) {
		size_t from = r->at, end = r->at;
		while (reader_line(r) && !reader_starts(r->line, "FILE_END")) {
			from = reader_starts(r->line, "FILE_BEGIN") ? r->at : from;
			end = r->at;
		}
		s->file = span_of(r->text.p + from, end - from);
	}
	return s;
}

enum rpl_found rpl_read(struct arena *a, struct span text, struct rpl *ret, struct buf *why)
{
	struct reader r = { .arena = a, .text = text, .why = why, .origin = name_root, .ttl = 3600 };
	size_t room = text.n + 4096;
	r.conf = buf_on(arena_alloc(a, room), room);
	ASSERT(r.conf.p != NULL);
	*ret = (struct rpl){ .arena = a };
	if (memmem(text.p, text.n, "CONFIG_END", 10) == NULL)
		reader_wrong(&r, RPL_NOT_PLAYED, "no CONFIG_END: not a scenario of a resolver", (struct span){ 0 });
	else
		conf_read(&r, ret);
	struct rpl_step **last = &ret->steps;
	while (reader_statement(&r) && !reader_starts(r.line, "SCENARIO_END")) {
		if (reader_starts(r.line, "RANGE_BEGIN")) {
			read_range(&r, ret);
		} else if (reader_starts(r.line, "STEP")) {
			*last = read_step(&r);
			if (*last == NULL)
				break;
			last = &(*last)->next;
		} else {
			entry_dollar(&r);
		}
	}
	if (ret->steps == NULL)
		reader_wrong(&r, RPL_UNREADABLE, "no steps", (struct span){ 0 });
	return r.found;
}
