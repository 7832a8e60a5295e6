/* delv_show: a proof in the words of BIND's delv: sets with what was made of them on standard output, what went wrong
 * on standard error. */
#ifndef APP_DELV_SHOW_H
#define APP_DELV_SHOW_H

#include "app/proof.h"

#define DELV_TEXT_MAX (8u << 20)

struct delv_style {
	bool short_form, multiline, no_dnssec, no_class, no_ttl, no_crypto, no_comments, no_trust, unknown;
	unsigned split;            /* characters in a row of hex or base64; 0: all */
};

/* What was found. */
void delv_answers(struct proof *p, const struct delv_style *style, struct buf *to);
/* What went wrong, and why there is no answer if there is none. */
void delv_failures(struct proof *p, struct buf *to);
/* "www.example", without the final dot but for the root */
void delv_name(struct name name, struct buf *to);

#endif
