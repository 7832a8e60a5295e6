/* relaying: a Corefile's forward: the words of its directive, its servers, and which questions are its own.
 * `forward FROM TO... { ... }` */
#ifndef PLUGIN_RELAYING_H
#define PLUGIN_RELAYING_H

#include "core/pool.h"
#include "plugin/zones.h"

#define TOS_MAX 15u

/* One server as written: an address, or a resolv.conf that names any number. */
struct to {
	struct upstream server;
	const char *file;          /* NULL: server is one */
	const struct upstream *list;   /* what it names */
	unsigned n;
};

/* `tls [CERT KEY] [CA]`: files, and what was in them. */
struct identity {
	const char *files[3];      /* certificate, key, authorities; NULL none */
	struct upstream_trust trust;
	bool is;
};

struct relaying {
	bool is;                   /* the settings come from a Corefile */
	struct relay rules;
	struct zone_list except;
	struct to tos[TOS_MAX];
	unsigned ntos;
	const char *tls_servername;
	struct identity own;
	struct addr source;
	const struct directive *at;    /* for messages */
	bool attempts_given, health_given;
};

struct forwarding;
struct file_want;
struct sample_labels;
struct samples;

/* Is the question for these servers? */
bool relaying_holds(const struct forwarding *f, struct name name);
/* The servers of all TOs, when their files have been read. */
void relaying_joined(struct forwarding *f, struct chain *chain, struct arena *a, struct diag *diag);
void relaying_samples(const struct link *l, const struct sample_labels *where, struct samples *to);
/* What pools live by. */
void relaying_text(const struct relaying *r, struct buf *to);

bool relaying_file_want(const void *self, unsigned i, struct file_want *ret);
void relaying_file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag);

/* Parsers of the directive and of its lines. */
void relaying_head(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_except(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_attempts(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_health(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_policy(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_next(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_failover(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_tls(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void relaying_source(void *self, const struct directive *d, struct arena *a, struct diag *diag);
/* HOST[:PORT], with or without brackets; over TLS with %NAME. False: it is no server. */
bool relaying_server(struct span s, bool tls, struct arena *a, struct upstream *ret) MUST_CHECK;
void relaying_refused(void *self, const struct directive *d, struct arena *a, struct diag *diag);

#endif
