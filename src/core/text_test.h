/* Messages out of text, for the tests of this folder. */
#ifndef CORE_TEXT_TEST_H
#define CORE_TEXT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/client.h"

#define TEXT_RRS_MAX 64u

static inline struct name text_name(struct arena *a, const char *text)
{
	struct name n;
	uint8_t *store = arena_alloc(a, NAME_MAX_BYTES);
	assert_non_null(store);
	assert_int_equal(name_from_text(span_text(text), &name_root, store, &n), OK);
	return n;
}

static inline struct question text_question(struct arena *a, const char *name, uint16_t type)
{
	return (struct question){ .name = text_name(a, name), .type = type, .class = CLASS_IN };
}

/* Records of one section, one a line of "owner TTL class type rdata", appended. */
static inline void text_add(struct arena *a, struct msg *m, enum section section, const char *lines)
{
	if (m->rrs == NULL)
		m->rrs = ARENA_ARRAY(a, struct rr, TEXT_RRS_MAX);
	assert_non_null(m->rrs);
	for (const char *at = lines; *at != 0;) {
		size_t n = strcspn(at, "\n"), column = 0;
		assert_true(m->nrrs < TEXT_RRS_MAX);
		struct rr *rr = &m->rrs[m->nrrs++];
		struct rr_defaults defaults = { &name_root, 300 };
		assert_int_equal(rr_from_text(a, span_of(at, n), &defaults, rr, &column), OK);
		rr->section = (uint8_t)section;
		m->counts[1 + section]++;
		at += n + (at[n] == '\n');
	}
}

static inline struct msg text_msg(struct arena *a, const struct question *q, const char *answer,
                                  const char *authority)
{
	struct msg m = { .flags = FLAG_QR | FLAG_RA, .question = *q, .counts = { 1 } };
	text_add(a, &m, SEC_ANSWER, answer);
	text_add(a, &m, SEC_AUTHORITY, authority);
	return m;
}

/* "owner ttl class type rdata" of each record, one a line, sections told apart by a leading digit. */
static inline char *text_of(struct arena *a, const struct msg *m)
{
	size_t cap = 65536;
	uint8_t *p = arena_alloc(a, cap);
	assert_non_null(p);
	struct buf b = buf_on(p, cap);
	for (size_t i = 0; i < m->nrrs; i++) {
		buf_printf(&b, "%u ", m->rrs[i].section);
		assert_int_equal(rr_text(&m->rrs[i], &b), OK);
		buf_u8(&b, '\n');
	}
	assert_true(buf_ok(&b));
	return buf_cstr(&b);
}

static inline struct client text_client(const struct question *q)
{
	return (struct client){ .question = *q, .id = 0x1234, .flags = FLAG_RD, .size_max = 1232, .proto = PROTO_UDP };
}

#endif
