/* generate: $GENERATE of zone files, in BIND's syntax: RANGE OWNER [TTL] [CLASS] TYPE RDATA, where $ stands for the
 * number and ${OFFSET,WIDTH,BASE} for the number changed. Private to src/wire. */
#ifndef WIRE_GENERATE_H
#define WIRE_GENERATE_H

#include "wire/field.h"

#define GENERATE_TEXT_MAX 4096u   /* owner or rdata of one record, as text */

struct generate {
	uint64_t at, stop, step;     /* at > stop: nothing left */
	struct rr_head head;
	struct span owner, rdata;    /* with their $ */
	bool quoted;                 /* rdata stood in quotes, so \" means a quote */
	uint32_t line, column;
};

static inline bool generate_more(const struct generate *g)
{
	return g->at <= g->stop;
}

/* Read what stands behind the word $GENERATE. returns OK | ERR_SYNTAX | ERR_RANGE a wrong range | ERR_LIMIT too many |
 * what rr_head_scan says */
enum err generate_scan(struct words *w, struct generate *ret) MUST_CHECK;
/* Text with the present number put in. returns OK | ERR_SYNTAX a wrong ${} | ERR_RANGE a negative number | ERR_SPACE */
enum err generate_text(const struct generate *g, struct span pattern, struct buf *to) MUST_CHECK;

#endif
