#include "plugin/access.h"

#include "base/assert.h"

static const char *const actions[ACCESS_COUNT] = {
	[ACCESS_DENY] = "deny",
	[ACCESS_REFUSE] = "refuse",
	[ACCESS_DENY_NON_LOCAL] = "deny_non_local",
	[ACCESS_REFUSE_NON_LOCAL] = "refuse_non_local",
	[ACCESS_ALLOW] = "allow",
	[ACCESS_ALLOW_SETRD] = "allow_setrd",
	[ACCESS_ALLOW_SNOOP] = "allow_snoop",
	[ACCESS_ALLOW_COOKIE] = "allow_cookie",
};

/* ---- the trie ---- */

static unsigned bit_at(const uint8_t *key, unsigned n)
{
	return key[n / 8] >> (7 - n % 8) & 1;
}

/* Do the first `bits` bits agree? */
static inline bool agrees(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned i = 0;
	for (; bits >= 8; bits -= 8, i++)
		if (a[i] != b[i])
			return false;
	return bits == 0 || (a[i] ^ b[i]) >> (8 - bits) == 0;
}

/* How many of the first max bits agree. */
static unsigned common(const uint8_t *a, const uint8_t *b, unsigned max)
{
	unsigned n = 0;
	while (n < max && bit_at(a, n) == bit_at(b, n))
		n++;
	return n;
}

static uint32_t node_new(struct access_table *t, const uint8_t *key, unsigned bits, unsigned action)
{
	struct access_node *n = &t->nodes[++t->nnodes];
	*n = (struct access_node){ .bits = (uint8_t)bits, .action = (uint8_t)action };
	memcpy(n->key, key, sizeof(n->key));
	return t->nnodes;
}

/* The last rule for a netblock counts. Makes at most two nodes. */
static void insert(struct access_table *t, const struct access_rule *r)
{
	const uint8_t *key = r->net.addr.ip;
	unsigned bits = r->net.bits;
	uint32_t *at = r->net.addr.family == ADDR_4 ? &t->root_4 : &t->root_6;
	while (*at != 0) {
		struct access_node *n = &t->nodes[*at];
		unsigned shared = common(n->key, key, MIN(n->bits, bits));
		if (shared == n->bits && shared == bits) {
			n->action = r->action;
			return;
		}
		if (shared < n->bits) {
			/* The rule's netblock, or the bits it shares, come above this node. */
			uint32_t below = *at,
				 above = node_new(t, key, shared, shared == bits ? r->action : ACCESS_NONE);
			t->nodes[above].child[bit_at(t->nodes[below].key, shared)] = below;
			*at = above;
			if (shared == bits)
				return;
		}
		at = &t->nodes[*at].child[bit_at(key, shared)];
	}
	*at = node_new(t, key, bits, r->action);
}

enum access access_find(const struct access_table *t, const struct addr *from)
{
	uint32_t at = from->family == ADDR_4 ? t->root_4 : t->root_6;
	unsigned max = (unsigned)addr_len(from) * 8, best = ACCESS_REFUSE;
	while (at != 0) {
		const struct access_node *n = &t->nodes[at];
		if (!agrees(n->key, from->ip, n->bits))
			break;
		if (n->action != ACCESS_NONE)
			best = n->action;
		if (n->bits >= max)
			break;
		at = n->child[bit_at(from->ip, n->bits)];
	}
	return (enum access)best;
}

/* ---- options ---- */

static bool rule_add(struct access_table *t, const struct access_rule *r, struct arena *a)
{
	if (t->nrules == t->rules_cap) {
		uint32_t cap = t->rules_cap == 0 ? 16 : t->rules_cap * 2;
		struct access_rule *rules =
			t->nrules >= ACCESS_RULES_MAX ? NULL : ARENA_ARRAY(a, struct access_rule, cap);
		if (rules == NULL)
			return false;
		if (t->nrules > 0)
			memcpy(rules, t->rules, sizeof(*rules) * t->nrules);
		t->rules = rules;
		t->rules_cap = cap;
	}
	t->rules[t->nrules++] = *r;
	return true;
}

void access_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct access_table *t = self;
	const struct word *net = &d->args[0], *action = &d->args[1];
	struct access_rule r = { .action = ACCESS_NONE };
	for (unsigned i = 0; i < ACCESS_COUNT; i++)
		if (strcmp(actions[i], action->text) == 0)
			r.action = (uint8_t)i;
	if (r.action == ACCESS_NONE)
		diag_error(diag, d->file, action->line, action->column,
		           "'%s' is no access control action; expected deny, refuse, deny_non_local, refuse_non_local, "
		           "allow, allow_setrd, "
		           "allow_snoop or allow_cookie",
		           action->text);
	else if (prefix_parse(span_text(net->text), &r.net) != OK)
		diag_error(diag, d->file, net->line, net->column,
		           "cannot parse access control address %s %s; expected IP or IP/BITS", net->text,
		           action->text);
	else if (!rule_add(t, &r, a))
		diag_error(diag, d->file, net->line, net->column, "too many netblocks; expected at most %u",
		           ACCESS_RULES_MAX);
}

/* What a configuration without a word about access means: this machine alone. */
static void builtin_insert(struct access_table *t)
{
	static const struct access_rule rules[] = {
		{ { { .family = ADDR_4, .ip = { 127 } }, 8 }, ACCESS_ALLOW },
		{ { { .family = ADDR_6, .ip = { [15] = 1 } }, 128 }, ACCESS_ALLOW },
	};
	for (unsigned i = 0; i < COUNT(rules); i++)
		insert(t, &rules[i]);
}

void access_ready(void *self, struct arena *a, struct diag *diag)
{
	struct access_table *t = self;
	(void)diag;
	t->nodes = ARENA_ARRAY(a, struct access_node, 2 * (t->nrules + 2) + 1);
	if (t->nodes == NULL)
		return; /* roots stay empty: everybody is refused */
	builtin_insert(t);
	for (uint32_t i = 0; i < t->nrules; i++) {
		insert(t, &t->rules[i]);
		uint8_t action = t->rules[i].action;
		t->some_local = t->some_local || action == ACCESS_DENY_NON_LOCAL || action == ACCESS_REFUSE_NON_LOCAL;
	}
	ASSERT(t->nnodes <= 2 * (t->nrules + 2));
}
