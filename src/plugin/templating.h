/* templating: the lines of one template directive of a Corefile, read and compiled. Part of a configuration: any
 * thread. */
#ifndef PLUGIN_TEMPLATING_H
#define PLUGIN_TEMPLATING_H

#include "plugin/expr.h"
#include "plugin/plugin.h"
#include "plugin/zones.h"

#define TEMPLATE_MATCHES_MAX 64u   /* expressions of one directive */
#define TEMPLATE_EXPRS_MAX 16u
#define TEMPLATE_PARTS_MAX 64u     /* records of one answer */

/* One record to be. */
struct template_part {
	const struct node *list;
	const char *text;          /* as written */
	uint8_t section;
};

struct template_match {
	const struct pattern *pattern;
	struct span text;
};

struct templating {
	uint16_t class, type;      /* CLASS_ANY, RR_ANY: all */
	struct zone_list zones;
	struct template_match matches[TEMPLATE_MATCHES_MAX];
	unsigned nmatches;
	struct named_datum vars[FORMULA_VARS_MAX];   /* their names */
	const struct node *var_nodes[FORMULA_VARS_MAX];
	unsigned nvars;
	const struct node *exprs[TEMPLATE_EXPRS_MAX];
	unsigned nexprs;
	struct template_part parts[TEMPLATE_PARTS_MAX];
	unsigned nparts;
	uint16_t rcode;
	int ede;                   /* -1: none */
	const char *ede_text;
	uint64_t mark;             /* of all its words: tells directives of one block apart */
	bool falls, personal;      /* personal: it depends on who asks */
	struct zone_list fall_zones;
};

#define TEMPLATING_OPTS 10u
extern const struct opt templating_opts[TEMPLATING_OPTS];
void templating_head(void *self, const struct directive *d, struct arena *a, struct diag *diag);

#endif
