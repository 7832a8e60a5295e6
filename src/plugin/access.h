/* access: which clients may ask what (unbound.conf's access-control), for the two plugins that enforce it: acl before
 * anything is looked up, recursion where local answers end. The netblocks stand in a binary trie with one node for each
 * bit that tells netblocks apart, so a look-up takes a few steps however many there are. */
#ifndef PLUGIN_ACCESS_H
#define PLUGIN_ACCESS_H

#include "plugin/plugin.h"

enum access {
	ACCESS_DENY, ACCESS_REFUSE, ACCESS_DENY_NON_LOCAL, ACCESS_REFUSE_NON_LOCAL, ACCESS_ALLOW, ACCESS_ALLOW_SETRD,
	ACCESS_ALLOW_SNOOP, ACCESS_ALLOW_COOKIE, ACCESS_COUNT
};

#define ACCESS_NONE 0xffu

struct access_node {
	uint8_t key[16];          /* bits bits of it count */
	uint8_t bits, action;     /* ACCESS_NONE: the node only parts two others */
	uint32_t child[2];        /* by the next bit; 0 none */
};

struct access_rule {
	struct prefix net;
	uint8_t action;
};

/* The settings of acl, which recursion looks into. */
struct access_table {
	struct access_node *nodes;         /* [0] is not used */
	uint32_t nnodes, root_4, root_6;
	struct access_rule *rules;         /* as they stand in the file */
	uint32_t nrules, rules_cap;
	bool some_local;                   /* a rule lets clients have local data alone */
};

#define ACCESS_RULES_MAX 1000000u

void access_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void access_ready(void *self, struct arena *a, struct diag *diag);
/* The action of the longest netblock that holds the address; ACCESS_REFUSE when none does. */
enum access access_find(const struct access_table *t, const struct addr *from);

#endif
