/* formula: what an expression or a template of a Corefile becomes when it is read, and how that is worked out for one
 * question. Two languages are read into it: plugin/expr (conditions) and plugin/gotext (templates). A formula is a tree
 * in the configuration's arena, const while serving; working it out takes memory of the caller's stack alone,
 a bounded
 * number of steps, and no longer than its text. What goes wrong then (an index beyond a list) is ERR_RANGE. */
#ifndef PLUGIN_FORMULA_H
#define PLUGIN_FORMULA_H

#include "core/client.h"
#include "plugin/pattern.h"

#define FORMULA_STEPS_MAX 10000u    /* nodes that are worked out for one question and formula */
#define FORMULA_SCRATCH 4096u       /* bytes of texts that are made on the way */
#define FORMULA_SLOTS_MAX 32u       /* variables of one formula */
#define FORMULA_NEST_MAX 32u        /* brackets and blocks within each other */
#define FORMULA_NODES_MAX 2000u
#define FORMULA_GROUPS_MAX 32u      /* of a pattern that are told */
#define FORMULA_VARS_MAX 16u        /* named values made before */
#define FORMULA_WHY_MAX 200u

enum datum_kind {
	DATUM_NIL, DATUM_BOOL, DATUM_INT, DATUM_TEXT,
	DATUM_LIST,                /* n of items */
	DATUM_ROOT,                /* what is known of the question: .Name, .Zone ... */
	DATUM_GROUPS,              /* .Group */
	DATUM_VARS,                /* .Var */
	DATUM_QUESTION,            /* .Question */
	DATUM_ANY,                 /* of a node: not known before it is worked out */
};

struct datum {
	enum datum_kind kind;
	int64_t n;                 /* INT, BOOL; LIST: how many */
	struct span text;
	const struct datum *items;
};

/* A value under a name, made before the formula is worked out. */
struct named_datum {
	struct span name;
	struct datum value;
};

/* The question that a formula is worked out for. */
struct formula_data {
	const struct question *question;
	const struct client *client;       /* NULL: nobody's own */
	struct span name;                  /* in lower case */
	struct span zone;
	const struct pattern *pattern;     /* that was found in the name; NULL none */
	struct span regex;                 /* it as written */
	const struct datum *match;         /* what it found, and its groups */
	unsigned nmatch;
	const struct named_datum *vars;
	unsigned nvars;
	const struct metadata_ask *told;   /* what plugins say of it; NULL nothing */
};

enum node_kind {
	NODE_CONST, NODE_SLOT, NODE_DOT, NODE_ROOT, NODE_FIELD, NODE_CALL, NODE_AND, NODE_OR, NODE_COND, NODE_LIST,
	/* Of templates: what is done. */
	NODE_TEXT, NODE_PRINT, NODE_SET, NODE_IF, NODE_WITH, NODE_RANGE, NODE_BREAK, NODE_CONTINUE,
};

struct formula_call;

struct node {
	struct node *next;                 /* beside it: the next argument, or what is done next */
	enum node_kind kind;
	enum datum_kind type;              /* of what it comes to, as far as that is known */
	struct datum value;                /* CONST, TEXT; FIELD: its name */
	const struct formula_call *call;
	const struct pattern *pattern;     /* of `matches` */
	struct node *args;                 /* CALL, LIST, AND, OR, COND; FIELD, PRINT, SET, IF, WITH,
		RANGE: the one */
	struct node *body, *otherwise;     /* IF, WITH, RANGE */
	int slot, slot_key;                /* SLOT, SET, RANGE; -1 none */
	bool keeps_value;                  /* AND, OR: come to one of their arguments, not to yes or no */
};

/* One working out. */
struct formula_run {
	const struct formula_data *data;
	struct datum slots[FORMULA_SLOTS_MAX];
	struct datum dot;
	unsigned steps;
	enum { FORMULA_ON, FORMULA_BREAK, FORMULA_CONTINUE } leaving;
	size_t used;
	uint8_t scratch[FORMULA_SCRATCH];
};

/* A function that both languages may call, or one of them; operators are such too. */
struct formula_call {
	const char *name;
	uint8_t least, most;               /* arguments */
	enum datum_kind type;
	enum err (*work)(struct formula_run *r, const struct datum *args, unsigned n, struct datum *ret);
	bool personal;             /* it says something of who asks, or how */
};

#define FORMULA_ARGS_MAX 16u

/* NULL: there is none of that name. */
const struct formula_call *formula_call_template(struct span name);
const struct formula_call *formula_call_expr(struct span name);
const struct formula_call *formula_call_operator(const char *name);

/* Does it depend on who asks, or how? */
bool formula_personal(const struct node *list);

/* The memory of r is the caller's; it need not be cleared. */
void formula_begin(struct formula_run *r, const struct formula_data *d);
/* What a node comes to; texts live as long as r.
 * returns OK | ERR_RANGE it cannot be worked out for this question | ERR_LIMIT too many steps, too much text */
enum err formula_value(struct formula_run *r, const struct node *n, struct datum *ret) MUST_CHECK;
/* What a template writes. */
enum err formula_write(struct formula_run *r, const struct node *list, struct buf *to) MUST_CHECK;

bool datum_is_true(const struct datum *v);
void datum_text(const struct datum *v, struct buf *to);
/* <0, 0, >0 for two of one kind that have an order. False: they have none. */
bool datum_cmp(const struct datum *a, const struct datum *b, int *ret);
bool datum_eq(const struct datum *a, const struct datum *b);
struct datum datum_of_text(struct span text);
struct datum datum_of_int(int64_t n);
struct datum datum_of_bool(bool yes);
/* Room for a text that is being made; what was not used goes back with formula_keep. */
struct buf formula_room(struct formula_run *r);
enum err formula_keep(struct formula_run *r, const struct buf *b, struct datum *ret);
/* A field of the root, a group, a variable. NULL text: there is none of that name. */
enum err formula_field(struct formula_run *r, const struct datum *of, struct span name, struct datum *ret);
/* Is it a field that the root has? */
bool formula_has_field(struct span name);

/* ---- for those who read a language ---- */

/* What is wrong with a text, and at which byte of it. */
struct formula_wrong {
	size_t at;
	char why[FORMULA_WHY_MAX];         /* empty: nothing */
};

struct formula_making {
	struct arena *arena;
	unsigned nodes, nest;
	struct formula_wrong *wrong;
};

/* NULL: too many, or the arena is full; that is noted. */
struct node *formula_node(struct formula_making *m, enum node_kind kind, size_t at) MUST_CHECK;
/* The first one counts. returns NULL, for who returns nodes */
void *formula_wrong(struct formula_making *m, size_t at, const char *fmt, ...) PRINTF(3, 4);

#endif
