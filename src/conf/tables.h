/* tables: settings that no plugin owns: sockets, process, form of replies; and of a Corefile those directives that are
 * no step of a question. Each is a struct of its own with the part that the program sees (conf/model.h, core/reply.h)
 * made from it once all options are read. */
#ifndef CONF_TABLES_H
#define CONF_TABLES_H

#include "conf/model.h"

struct text_list {
	const struct directive **items;
	unsigned n, cap;
};

/* Add to a list that grows in an arena; false when it is full. */
bool text_list_add(struct text_list *l, const struct directive *d, struct arena *a) MUST_CHECK;

struct listening {
	struct socket_conf conf;
	struct text_list interfaces, outgoing, tls_ports, limits, ports;
	bool automatic;
};

struct processing {
	struct process_conf conf;
};

struct replying {
	struct reply_conf conf;
	uint32_t edns_size, pad_block;
	msec keepalive;
};

/* ---- a Corefile's; `at` is the directive, NULL: the block has none ---- */

struct healthy {
	const struct directive *at;
	struct addr addr;
	msec lameduck;
};

struct readying {
	const struct directive *at;
	struct addr addr;
	bool always;
};

struct counting {
	const struct directive *at;
	struct addr addr;
	bool runtime;
};

struct reloading {
	const struct directive *at;
	msec every, jitter;
};

struct debugging {
	const struct directive *at;
};

struct timing {
	const struct directive *at;
	msec read, write, idle;
	uint32_t queries_max;
};

struct multiplying {
	const struct directive *at;
	uint32_t sockets;
};

struct rooting {
	const char *path;
};

struct binding {
	struct text_list places, except;   /* directives: their arguments are addresses and interfaces */
};

struct securing {
	const struct directive *at;
	const char *pem, *key, *ca;
	enum client_auth auth;
};

#define VIEW_CONDITIONS_MAX 64u

struct viewing {
	const struct directive *at;
	const char *name;                  /* of the first */
	const struct node *conditions[VIEW_CONDITIONS_MAX];
	unsigned n;
};

extern const struct settings health_settings, ready_settings, prometheus_settings, reload_settings, debug_settings,
	timeouts_settings;
extern const struct settings root_settings, bind_settings, tls_settings, view_settings, multisocket_settings;

/* What the blocks' instances of the tables say together is the program's. */
void daemon_take(struct model *m, const struct instance *list, unsigned n, struct diag *diag);
/* Go's HOST:PORT; no host is every address, and localhost is 127.0.0.1. NULL, or what is wrong with it. */
const char *hostport_read(const char *text, struct arena *a, struct addr *ret);
/* "Wrong argument count ..." about a directive or a line. */
void count_wrong(const struct directive *d, const char *expected, struct diag *diag);

/* ---- all of them ---- */

extern const struct settings listen_settings, process_settings, reply_settings;
extern const struct settings *const tables[];
extern const unsigned ntables;
/* The i-th of the tables and, behind them, of the plugins. */
const struct settings *owner_settings(unsigned i);

#endif
