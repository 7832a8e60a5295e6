#include <string.h>

#include "conf/tables.h"
#include "conf/value.h"

#define COOKIE_SECRET_DIGITS 32u /* 128 bits for SipHash (RFC9018 4.4) */

/* Naming a file turns syslog off, even with the empty name, which means stderr. The last of logfile and use-syslog
 * counts. */
static void logfile_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct process_conf *p = &((struct processing *)self)->conf;
	(void)a;
	(void)diag;
	p->logfile = d->args[0].text;
	p->use_syslog = false;
}

static void cookie_secret_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	const char *text = d->args[0].text;
	(void)a;
	if (strlen(text) == COOKIE_SECRET_DIGITS && strspn(text, "0123456789abcdefABCDEF") == COOKIE_SECRET_DIGITS) {
		((struct processing *)self)->conf.cookie_secret = text;
		return;
	}
	/* The secret itself stays out of the message. */
	diag_error(diag, d->file, d->args[0].line, d->args[0].column,
	           "expected 128 bit hex string; expected %u hexadecimal digits", COOKIE_SECRET_DIGITS);
}

static void metrics_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	const char *text = d->args[0].text, *at = strrchr(text, '@'), *rest;
	struct addr *metrics = &((struct processing *)self)->conf.metrics;
	int64_t port = 0;
	(void)a;
	bool ok = at != NULL && number_read(at + 1, &port, &rest) && *rest == 0 && port >= 1 && port <= 65535;
	if (!ok || addr_parse(span_of(text, (size_t)(at - text)), (uint16_t)port, metrics) != OK)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "metrics: '%s' is wrong; expected ADDR@PORT", text);
}

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct process_conf *p = &((struct processing *)self)->conf;
	(void)a;
	size_t n = strlen(p->chroot);
	if (p->logfile == NULL)
		p->logfile = "";
	if (p->cookie_secret == NULL)
		p->cookie_secret = "";
	bool trailing = n > 1 && p->chroot[n - 1] == '/';
	if (n > 0 && !trailing)
		diag_warning(diag, NULL, 0, 0,
		             "chroot: files are taken below %s, but the root is not changed: rights are given up with "
		             "username:, and systemd's RootDirectory= or ProtectSystem= hides the rest", p->chroot);
	if (p->verbosity > 1)
		diag_warning(diag, NULL, 0, 0, "verbosity: %u logs what 1 does; expected 0 or 1", p->verbosity);
	if (trailing)
		diag_error(diag, NULL, 0, 0,
		           "chootdir %s has trailing slash '/' please remove.; expected chroot: without it", p->chroot);
}

#define P struct processing

static const struct opt opts[] = {
	{ .unbound = { "num-threads", "0" },
	  U32(P, conf.threads),
	  .min = 0,
	  .max = 1024,
	  .doc = "Workers; 0 is as many as there are cores to run on." },
	{ .unbound = { "username", NULL },
	  TEXT(P, conf.username),
	  .doc = "User to become once the sockets are open; empty keeps the one that started the program." },
	{ .unbound = { "directory", NULL },
	  TEXT(P, conf.directory),
	  .doc = "What names of files that are relative are relative to." },
	{ .unbound = { "chroot", "" },
	  TEXT(P, conf.chroot),
	  .doc = "Directory below which all files are; empty none." },
	{ .unbound = { "pidfile", NULL }, TEXT(P, conf.pidfile), .doc = "File for the process id; empty none." },
	{ .unbound = { "logfile", NULL },
	  CUSTOM,
	  .parse = logfile_parse,
	  .repeats = true,
	  .doc = "File to log to instead of syslog; empty is stderr." },
	{ .corefile = { .dflt = "no" },
	  .unbound = { "use-syslog", "yes" },
	  BOOL(P, conf.use_syslog),
	  .doc = "Log to syslog; the last of this and logfile counts." },
	{ .unbound = { "do-daemonize", "yes" }, BOOL(P, conf.daemonize), .doc = "Go into the background." },
	{ .unbound = { "verbosity", "1" },
	  U32(P, conf.verbosity),
	  .min = 0,
	  .max = 5,
	  .doc = "How much is logged: 0 errors and warnings alone, from 1 on what else happens too." },
	{ .unbound = { "log-time-ascii", "no" },
	  BOOL(P, conf.time_ascii),
	  .doc = "Log local time in words instead of seconds since 1970." },
	{ .unbound = { "log-time-iso", "no" },
	  BOOL(P, conf.time_iso),
	  .doc = "With log-time-ascii: ISO 8601 with milliseconds." },
	{ .unbound = { "log-identity", "" },
	  TEXT(P, conf.log_identity),
	  .doc = "Name of the program in log lines; empty is the name it was called by." },
	{ .unbound = { "log-thread-id", "no" },
	  BOOL(P, conf.thread_id),
	  .doc = "Log the kernel's thread id instead of the worker's number." },
	{ .unbound = { "tls-cert-bundle", "" },
	  TEXT(P, conf.ca_bundle),
	  .doc = "File with the authorities that upstreams' certificates are checked against." },
	{ .corefile = { .dflt = "yes" },
	  .unbound = { "tls-system-cert", "no" },
	  BOOL(P, conf.ca_system),
	  .doc = "Trust the authorities of Debian's ca-certificates too." },
	{ .unbound = { "answer-cookie", "no" },
	  BOOL(P, conf.cookies),
	  .doc = "Give clients that speak DNS cookies one of ours (RFC7873, RFC9018)." },
	{ .unbound = { "cookie-secret", NULL },
	  CUSTOM,
	  .parse = cookie_secret_parse,
	  .doc = "Secret of the cookies, 32 hexadecimal digits, shared by the servers of one address; drawn at start "
	         "when absent." },
	{ .unbound = { "signet/control-socket", "/run/signet/ctl.sock" },
	  TEXT(P, conf.control_socket),
	  .doc = "Unix socket of 'signet ctl'; empty none. A change counts from the next start on." },
	{ .unbound = { "signet/metrics", NULL },
	  CUSTOM,
	  .parse = metrics_parse,
	  .doc = "Serve metrics over HTTP on this address: ADDR@PORT." },
};

const struct settings process_settings = {
	.name = "process",
	.doc = "the process: user, files, log, keys",
	.clause = "server",
	.size = sizeof(P),
	.opts = opts,
	.nopts = COUNT(opts),
	.ready = ready,
};
