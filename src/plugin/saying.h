/* saying: an answer that a plugin makes of a few records of its own, for a query or for a question still in its packet.
 * Lives on the stack of the step that says it. */
#ifndef PLUGIN_SAYING_H
#define PLUGIN_SAYING_H

#include "plugin/plugin.h"

#define SAYING_RRS_MAX 16u
#define SAYING_BYTES_MAX 2048u   /* of owners and rdata that stand nowhere else */

struct saying {
	struct msg m;
	struct rr rrs[SAYING_RRS_MAX];
	uint8_t bytes[SAYING_BYTES_MAX];
	size_t used;
	uint8_t origin;              /* enum origin */
};

/* NOERROR, without records; flags: FLAG_AA or 0. RA is set: who asks here may ask for everything. */
void saying_open(struct saying *s, const struct question *q, unsigned flags);
/* Bytes to keep until the answer is said; NULL when there is no room. */
uint8_t *saying_keep(struct saying *s, const void *p, size_t n);
/* One more record of the question's class, owned by the name asked for; rdata is borrowed. Those beyond SAYING_RRS_MAX
 * are left out. returns it, for who wants another owner or section */
struct rr *saying_add(struct saying *s, uint16_t type, uint32_t ttl, struct span rdata);
/* The same with text for rdata: one character-string each. */
struct rr *saying_add_text(struct saying *s, uint16_t type, uint32_t ttl, const char *const *texts, unsigned n);

/* .request's and .fast's way to say it. */
enum verdict saying_query(const struct saying *s, struct query *q);
enum verdict saying_fast(const struct saying *s, struct fast *f);
/* The same of a message whose records stand elsewhere. */
enum verdict saying_query_msg(const struct msg *m, enum origin origin, struct query *q);
enum verdict saying_fast_msg(const struct msg *m, enum origin origin, struct fast *f);
/* Nothing but an RCODE, and perhaps why. */
enum verdict saying_fast_error(struct fast *f, unsigned rcode, struct reason why);

#endif
