/* tables: settings of unbound.conf that no plugin owns: sockets, process, form of replies. Each is a struct of its own
 * with the part that the program sees (conf/model.h, core/reply.h) made from it once all options are read. */
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

enum { TABLE_LISTEN, TABLE_PROCESS, TABLE_REPLY, TABLE_UPSTREAMS };

extern const struct settings listen_settings, process_settings, reply_settings;
extern const struct settings *const tables[];
extern const unsigned ntables;

#endif
