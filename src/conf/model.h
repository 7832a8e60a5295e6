/* model: what a configuration means, the same for both dialects, immutable once made. A reload makes a new one, takes
 * over what lives (plugin.h), swaps a pointer between turns, and frees the old arena when its last query has ended. */
#ifndef CONF_MODEL_H
#define CONF_MODEL_H

#include "core/anchorage.h"
#include "core/chain.h"
#include "core/reply.h"
#include "plugin/expr.h"
#include "plugin/plugin.h"

#define LISTENS_MAX 256u
#define SITES_MAX 256u     /* server blocks of one Corefile */

/* Questions for names at and below `zone` go to that site. */
struct route {
	struct name zone;          /* lower case */
	unsigned site;
};

enum listen_transport {
	TRANSPORT_DNS,             /* UDP and TCP */
	TRANSPORT_TLS,             /* RFC7858 */
	TRANSPORT_HTTPS,           /* RFC8484; without a certificate it is HTTP in the clear, for a proxy in front */
};

/* What is asked of a client's certificate. */
enum client_auth { AUTH_NONE, AUTH_REQUEST, AUTH_REQUIRE, AUTH_VERIFY_GIVEN, AUTH_REQUIRE_VERIFY };

/* One listening address, and where the questions that come in there go. */
struct listen {
	struct addr addr;
	enum listen_transport transport;
	const char *name;          /* an interface instead of an address: addr has the port alone. NULL none */
	const struct addr *except; /* of the addresses of that interface, those that stay closed */
	unsigned nexcept;
	/* Files with the certificates, their key, and the authorities of clients' certificates. NULL: those of
	 * socket_conf, which an unbound.conf names; a Corefile's https:// without `tls` has them "". */
	const char *tls_pem, *tls_key, *tls_ca;
	enum client_auth auth;
	const struct route *routes;   /* most labels first; where no zone holds the name, the answer is REFUSED */
	unsigned nroutes;
};

/* What a server block of a Corefile, or the whole of an unbound.conf, serves: one chain for all its zones. */
struct site {
	struct chain chain;
	const struct plugin *plugins[CHAIN_MAX];   /* of chain.links */
	struct reply_conf reply;
	const struct word *keys;   /* as they are written; unbound.conf has none */
	unsigned nkeys;
	const struct name *zones;  /* of its keys; unbound.conf: the root */
	unsigned nzones;
	const char *label;         /* tells it from other sites, over reloads too: "dns://.:53"; unbound.conf: "" */
	uint32_t line;             /* of its first key; 0 unbound.conf */
	const char *view;          /* the name of what its questions have in common; "" none */
	const struct node *const *conditions;   /* that they all meet (plugin/expr) */
	unsigned nconditions;
	bool counted;              /* its questions are counted for monitoring (prometheus) */
};

/* Ports that questions may leave from. */
struct port_list {
	const uint16_t *list;      /* NULL: those that are used without a word */
	uint32_t n;
};

/* unbound.conf's options about sockets and clients. */
struct socket_conf {
	struct listen *listens;
	unsigned nlistens;
	uint32_t port, tls_port;
	bool do_ip4, do_ip6, do_udp, do_tcp, transparent;
	uint32_t tcp_clients;                 /* incoming-num-tcp, a worker */
	uint32_t tcp_idle_ms;
	size_t rcvbuf, sndbuf;
	const char *tls_key, *tls_pem;
	struct tcp_limit *tcp_limits;         /* tcp-connection-limit */
	unsigned ntcp_limits;
	struct addr *outgoing;
	unsigned noutgoing;
	uint32_t clients_max;                 /* num-queries-per-thread */
	uint32_t max_udp_size;
	struct port_list ports;               /* outgoing-port-permit and -avoid */
	uint32_t dscp, mss;                   /* ip-dscp; tcp-mss, 0: the kernel's */
};

struct tcp_limit {
	struct prefix net;
	uint32_t max;
};

struct process_conf {
	uint32_t threads;                     /* 0: as many as there are cores to run on */
	uint32_t threads_least;               /* then so many at least: each has sockets of its own (multisocket) */
	const char *username, *directory, *chroot, *pidfile;
	const char *logfile;                  /* "" stderr */
	bool use_syslog, daemonize, time_ascii, time_iso;
	uint32_t verbosity;
	const char *log_identity;
	bool thread_id;
	const char *ca_bundle;                /* tls-cert-bundle */
	bool ca_system;
	struct addr metrics;                  /* family ADDR_NONE: none */
	bool cookies;                         /* answer-cookie */
	const char *control_socket;           /* "" none */
	const char *cookie_secret;            /* 32 hex digits, "" random */
};

/* What a Corefile asks of the program itself. */
struct daemon_conf {
	bool corefile;                        /* all below is unset without */
	struct addr health;                   /* family ADDR_NONE: not wanted, here and below */
	msec lameduck;
	struct addr ready;
	bool ready_always;                    /* a plugin once ready is asked again */
	struct addr *metrics;                 /* each address once; the wildcard is :: */
	unsigned nmetrics;
	bool reload;
	msec reload_every, reload_jitter;
	bool debug;
	msec read_timeout, write_timeout, idle_timeout;   /* of clients' connections */
	uint32_t queries_max;                 /* of one such connection; 0 any number */
};

/* A file that was read with a Corefile, or a pattern of such files. */
struct watch {
	const char *path;
	bool pattern;
	msec every;                           /* look for a change this often; 0: not for its own sake */
	uint64_t hash;                        /* of its bytes, or 0: it is missing */
};

/* The settings of one owner as they were read: a table of src/conf, a plugin, or a plugin's part of one zone clause. */
struct instance {
	const struct settings *settings;
	const struct plugin *plugin;          /* NULL: a table of src/conf */
	void *self;
	uint32_t clause_nr;                   /* of a clause that starts an object, else 0 */
	unsigned site;                        /* of a Corefile; the one that all else belongs to is 0 */
	const char *zone;                     /* its name: as written */
	unsigned labels;                      /* of zone */
	const struct directive *from;         /* the directive of a Corefile that made it; NULL none */
	const struct directive **given;       /* for each row the last statement, or NULL */
};

struct model {
	struct arena arena;
	const char *file;                     /* as given on the command line */
	const char **files;                   /* every file read, for reload by change */
	unsigned nfiles;
	struct socket_conf listen;
	struct process_conf process;
	struct daemon_conf daemon;
	struct watch *watches;                /* of a Corefile: itself and its imports first, then what is wanted */
	unsigned nwatches;
	struct span canonical;                /* a Corefile with its imports, no comments: what a reload compares */
	struct site *sites;                   /* at least one */
	unsigned nsites;
	const struct anchorage_conf *anchors; /* where trust begins, files read; NULL: nothing is validated */
	uint64_t generation;
	const struct instance *instances;
	unsigned ninstances;
	const struct directive *statements;   /* all that were read, in order */
};

/* Read and lower a file and its includes, in either dialect. NULL on errors, which are in diag with file, line, column;
 * warnings alone leave a model. diag's arena must outlive it. */
struct model *model_load(const char *file, struct diag *diag);
/* From bytes, for tests and fuzzers: `include` is answered by nothing (each is an error). */
struct model *model_from_text(struct span text, struct diag *diag);
void model_free(struct model *m);
/* As model_load, under a borrowed name: errors in the words of unbound-checkconf. *ret_syntax says how many of the
 * errors, the first ones, a parser finds by type alone. */
struct model *model_load_as_unbound(const char *file, struct diag *diag, uint32_t *ret_syntax);
/* What CoreDNS's command line says of its file. */
struct corefile_flags {
	uint16_t dns_port;                    /* of a key that names none; 0: 53 */
	struct span text;                     /* what came from standard input; p NULL: the file is read */
};

/* As model_load, under a borrowed name: errors in the words of CoreDNS, whose text is the whole line. file NULL:
 * ./Corefile, or what CoreDNS serves when there is none. */
struct model *model_load_as_coredns(const char *file, const struct corefile_flags *flags, struct diag *diag);
/* One option's values as `unbound-checkconf -o` prints them, a line each. False: no such option can be printed. */
bool model_option(const struct model *m, const char *name, struct buf *to);
/* The model as canonical text: every option with its value, in the dialect it was read in. */
void model_dump(const struct model *m, struct buf *to);
/* What is enforced, what is inert in this context, what leaks: one line each, for people. */
void model_posture(const struct model *m, struct buf *to);

#endif
