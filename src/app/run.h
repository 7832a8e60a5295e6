/* run: the server in the foreground: read the configuration, bind, give up root, start workers, serve, reload, stop. */
#ifndef APP_RUN_H
#define APP_RUN_H

#include "conf/model.h"

struct run_flags {
	const char *conf;        /* NULL: the default places */
	const char *ident;       /* "signet", or the borrowed name, for log lines */
	bool daemonize;          /* fork into the background after binding, if the configuration wants it */
	bool no_pidfile;
	unsigned verbose;        /* -v given so often */
	bool borrowed;           /* texts and exit status are another program's: unbound's, or */
	bool coredns;            /* CoreDNS's */
	bool quiet;              /* CoreDNS: no banner */
	const char *pidfile;     /* CoreDNS: its flag; NULL none */
	struct corefile_flags corefile;
};

/* Returns the exit status. */
int run_server(const struct run_flags *f);

#endif
