/* rewriting: the lines of a Corefile's rewrite as they are read: what each looks for in a question, what it makes of
 * it, and what of the answer. Part of a configuration: any thread. */
#ifndef PLUGIN_REWRITING_H
#define PLUGIN_REWRITING_H

#include "plugin/optioning.h"
#include "plugin/plugin.h"
#include "plugin/renaming.h"

#define RULES_MAX 1024u            /* of one server block */

enum rule_kind { RULE_NAME, RULE_TTL, RULE_TYPE, RULE_CLASS, RULE_RCODE, RULE_CNAME, RULE_EDNS0, RULE_KINDS };

/* What is done with the names of an answer. */
struct answering {
	struct answering *next;
	struct renaming how;
	bool values;               /* names in the data of records, not their owners */
};

struct rule {
	enum rule_kind kind;
	bool goes_on;              /* continue: the rules behind it are looked at too */
	bool automatic;            /* what was asked for takes the place of what it became, owners and values */
	struct renaming name;      /* NAME: what becomes of it. TTL, RCODE: which names. CNAME: which targets */
	struct answering *answers, **last;
	uint32_t from, to;         /* TYPE, CLASS, RCODE: numbers. TTL: least and most */
	struct optioning option;
};

struct rewriting {
	struct rule *rules;
	unsigned n;
};

/* The directive's way to be read (corefile_syntax.head). */
void rewriting_head(void *self, const struct directive *d, struct arena *a, struct diag *diag);

#endif
