/* node-cache: a resolver on each node of a cluster, and the small supervisor beside it. The supervisor starts the
 * resolver, gives the node its addresses and the rules that spare them connection tracking, and asks it a question
 * every second. Addresses and rules are leases: each answer renews them, three that do not come withdraw them, and the
 * kernel ends them when the supervisor itself is gone. So the node falls back to the cluster's own servers within
 * seconds, whatever dies or hangs.
 *
 * Flags are NodeLocal DNSCache's. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/goflags.h"
#include "app/pillars.h"
#include "app/probe.h"
#include "io/clock.h"
#include "io/lease.h"
#include "io/signals.h"

#define TICK_MS 1000
#define LIFE_S 6u                /* of a lease: a few answers may be late */
#define MISSES_MAX 3u            /* of a resolver that has answered */
#define START_MISSES_MAX 15u     /* of one that has not yet */
#define BACKOFF_MS_MAX 30000
#define GRACE_MS 20000           /* for the resolver's own lameduck; a pod has 30 s */
#define SYNC_MS 60000

enum {
	FLAG_LOCALIP, FLAG_INTERFACE, FLAG_SETUP_INTERFACE, FLAG_SETUP_RULES, FLAG_SKIP_TEARDOWN, FLAG_BASE,
	FLAG_UPSTREAM, FLAG_SYNC, FLAG_SIGNAL, FLAG_METRICS, FLAG_HEALTH, FLAG_CONF, FLAG_PORT, FLAG_PIDFILE,
	FLAG_QUIET, FLAGS
};

static const struct goflag flags[FLAGS] = {
	[FLAG_LOCALIP] = { "localip", GOFLAG_TEXT, "addresses of the node's cache, with commas between" },
	[FLAG_INTERFACE] = { "interfacename", GOFLAG_TEXT, "interface for them (default \"nodelocaldns\")" },
	[FLAG_SETUP_INTERFACE] = { "setupinterface", GOFLAG_YES, "set addresses (default true)" },
	[FLAG_SETUP_RULES] = { "setupiptables", GOFLAG_YES, "set rules against connection tracking (default true)" },
	[FLAG_SKIP_TEARDOWN] = { "skipteardown", GOFLAG_YES, "leave both to a successor at the end, for some seconds" },
	[FLAG_BASE] = { "basecorefile", GOFLAG_TEXT, "template of the Corefile (default /etc/coredns/Corefile.base)" },
	[FLAG_UPSTREAM] = { "upstreamsvc", GOFLAG_TEXT, "Service of the cluster's servers (default \"kube-dns\")" },
	[FLAG_SYNC] = { "syncinterval", GOFLAG_TEXT, "how often the template is read, in seconds (default 60)" },
	[FLAG_SIGNAL] = { "reloadwithsignal", GOFLAG_YES, "tell the resolver of a new Corefile by signal" },
	[FLAG_METRICS] = { "metrics-listen-address", GOFLAG_TEXT, "no effect: the Corefile's prometheus says where" },
	[FLAG_HEALTH] = { "health-port", GOFLAG_TEXT, "no effect: the Corefile's health says where" },
	[FLAG_CONF] = { "conf", GOFLAG_TEXT, "Corefile (default \"Corefile\")" },
	[FLAG_PORT] = { "dns.port", GOFLAG_TEXT, "port of the resolver (default 53)" },
	[FLAG_PIDFILE] = { "pidfile", GOFLAG_TEXT, "the resolver's pid file" },
	[FLAG_QUIET] = { "quiet", GOFLAG_YES, "no banner" },
};

struct keeper {
	struct goflag_value g[FLAGS];
	struct lease lease;
	struct probe probe;
	int signals;
	pid_t child;                 /* 0: none runs */
	int child_fd;                /* readable when it has ended; -1 */
	bool answered;               /* since it was started */
	unsigned misses;
	int64_t tick, restart, backoff, sync, sync_every;
};

static int64_t now_ms(void)
{
	struct now now;
	clock_now(&now);
	return now.ms;
}

static void say(const char *level, const char *text)
{
	printf("[%s] node-cache: %s\n", level, text);
	fflush(stdout);
}

/* --- leases ---- */

static void withdraw(struct keeper *k, const char *because)
{
	bool had = k->lease.have_rules || k->lease.have_addresses;
	lease_withdraw(&k->lease);
	if (had)
		say("WARNING", because);
}

/* An answer came: the node is ours for some seconds more. */
static bool renew(struct keeper *k, bool with_rules)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	if (lease_addresses(&k->lease, LIFE_S, &why) == OK &&
	    (!with_rules || lease_rules(&k->lease, LIFE_S, &why) == OK))
		return true;
	say("ERROR", buf_cstr(&why));
	return false;
}

/* --- the resolver ---- */

static int child_run(struct keeper *k)
{
	char *argv[8] = { (char *)"coredns" };
	int argc = 1;
	const struct { const char *flag, *value; } words[] = { { "-conf", k->g[FLAG_CONF].text },
		{ "-dns.port", k->g[FLAG_PORT].text }, { "-pidfile", k->g[FLAG_PIDFILE].text } };
	for (unsigned i = 0; i < COUNT(words); i++) {
		if (words[i].value != NULL) {
			argv[argc++] = (char *)words[i].flag;
			argv[argc++] = (char *)words[i].value;
		}
	}
	if (k->g[FLAG_QUIET].yes)
		argv[argc++] = (char *)"-quiet";
	lease_close(&k->lease);      /* or rules that end with the supervisor would not */
	probe_close(&k->probe);
	signals_close(k->signals);
	return command_coredns(argc, argv);
}

/* A fork, no exec: the capabilities that the resolver gives up cannot come back to root's name. */
static void child_start(struct keeper *k, int64_t now)
{
	pid_t parent = getpid();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
			_exit(1);
		exit(child_run(k));
	}
	k->answered = false;
	k->misses = 0;
	k->child_fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	k->child = k->child_fd >= 0 ? pid : 0;
	if (k->child != 0)
		return;
	say("ERROR", "the resolver cannot be started");
	k->restart = now + BACKOFF_MS_MAX;
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
}

/* It has ended, by itself or not. */
static void child_ended(struct keeper *k)
{
	int status = 0;
	char text[96];
	probe_forget(&k->probe);     /* what it still answered renews nothing */
	withdraw(k, "the resolver has ended: addresses and rules are withdrawn");
	(void)waitpid(k->child, &status, 0);
	snprintf(text, sizeof(text), "the resolver's end: %s %d; it is started again in %lld s",
	         WIFSIGNALED(status) ? "signal" : "exit status", WIFSIGNALED(status) ? WTERMSIG(status) :
	         WEXITSTATUS(status), (long long)k->backoff / 1000);
	say("INFO", text);
	close(k->child_fd);
	k->child_fd = -1;
	k->child = 0;
	k->restart = now_ms() + k->backoff;
	k->backoff = 2 * k->backoff < BACKOFF_MS_MAX ? 2 * k->backoff : BACKOFF_MS_MAX;
}

/* --- every second ---- */

static void heed_template(struct keeper *k, int64_t now)
{
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	bool wrote;
	if (now < k->sync)
		return;
	k->sync = now + k->sync_every;
	if (pillars_write(k->g[FLAG_BASE].text, k->g[FLAG_CONF].text, k->g[FLAG_UPSTREAM].text, &wrote, &why) != OK)
		say("ERROR", buf_cstr(&why));
	else if (wrote && k->child != 0 && k->g[FLAG_SIGNAL].yes)
		(void)kill(k->child, SIGUSR1);
}

static void heed_answer(struct keeper *k)
{
	if (!probe_answered(&k->probe))
		return;
	if (!k->answered)
		say("INFO", "the resolver answers: this node's questions are its own");
	k->answered = true;
	k->misses = 0;
	k->backoff = TICK_MS;
	(void)renew(k, true);
}

/* A probe that was not answered is a miss; the next one leaves. */
static void heed_tick(struct keeper *k, int64_t now)
{
	k->tick = now + TICK_MS;
	heed_template(k, now);
	if (k->child == 0 && now >= k->restart) {
		if (renew(k, false))
			child_start(k, now);
		else
			k->restart = now + BACKOFF_MS_MAX;
	}
	if (k->child == 0)
		return;
	k->misses += probe_waits(&k->probe);
	if (k->misses > (k->answered ? MISSES_MAX : START_MISSES_MAX) - 1) {
		withdraw(k, "the resolver does not answer: addresses and rules are withdrawn, it is ended");
		(void)kill(k->child, SIGKILL);
		return;
	}
	if (!k->answered)
		(void)renew(k, false);   /* the probe needs somewhere to go */
	probe_send(&k->probe);
}

/* --- life ---- */

/* Whoever comes next finds the node without us, or, with -skipteardown, has some seconds to take it over. */
static void end(struct keeper *k)
{
	if (!k->g[FLAG_SKIP_TEARDOWN].yes)
		withdraw(k, "addresses and rules are withdrawn");
	if (k->child == 0)
		return;
	struct pollfd p = { .fd = k->child_fd, .events = POLLIN };
	(void)kill(k->child, SIGTERM);
	if (poll(&p, 1, GRACE_MS) == 0)
		(void)kill(k->child, SIGKILL);
	(void)waitpid(k->child, NULL, 0);
}

static void keep(struct keeper *k)
{
	for (;;) {
		int64_t wait = k->tick - now_ms();
		struct pollfd p[] = { { .fd = k->signals, .events = POLLIN }, { .fd = k->child_fd, .events = POLLIN },
			              { .fd = k->probe.fd, .events = POLLIN } };
		(void)poll(p, COUNT(p), wait > 0 ? (int)wait : 0);
		int sig = p[0].revents != 0 ? signals_next(k->signals) : 0;
		if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT)
			return;
		if (sig == SIGUSR1 && k->child != 0)
			(void)kill(k->child, SIGUSR1);
		if (p[1].revents != 0)
			child_ended(k);
		else if (p[2].revents != 0)
			heed_answer(k);
		if (now_ms() >= k->tick)
			heed_tick(k, now_ms());
	}
}

/* What NodeLocal has and the Corefile says here. */
static void tell_inert(const struct keeper *k)
{
	static const unsigned inert[] = { FLAG_METRICS, FLAG_HEALTH };
	for (unsigned i = 0; i < COUNT(inert); i++) {
		if (k->g[inert[i]].text != NULL)
			printf("[WARNING] node-cache: -%s has %s\n", flags[inert[i]].name, flags[inert[i]].what);
	}
}

static int refuse(const char *flag, const char *value)
{
	fprintf(stderr, "node-cache: invalid value \"%s\" for flag -%s\n", value, flag);
	return 1;
}

/* "IP,IP" */
static bool addresses_take(struct lease *l, const char *text, uint16_t port)
{
	while (*text != 0) {
		size_t n = strcspn(text, ",");
		if (l->naddrs == LEASE_ADDRS_MAX || addr_parse(span_of(text, n), port, &l->addrs[l->naddrs]) != OK)
			return false;
		l->naddrs++;
		text += n + (text[n] == ',');
	}
	return l->naddrs > 0;
}

/* returns 0, or the exit status */
static int settings_take(struct keeper *k)
{
	struct goflag_value *g = k->g;
	const char *interface = g[FLAG_INTERFACE].text;
	char *rest = NULL;
	unsigned long port = g[FLAG_PORT].text != NULL ? strtoul(g[FLAG_PORT].text, &rest, 10) : LEASE_PORT;
	if (port == 0 || port > UINT16_MAX || (rest != NULL && *rest != 0))
		return refuse("dns.port", g[FLAG_PORT].text);
	if (g[FLAG_LOCALIP].text == NULL || !addresses_take(&k->lease, g[FLAG_LOCALIP].text, (uint16_t)port))
		return refuse("localip", g[FLAG_LOCALIP].text != NULL ? g[FLAG_LOCALIP].text : "");
	if (*interface == 0 || strlen(interface) >= sizeof(k->lease.interface))
		return refuse("interfacename", interface);
	if (g[FLAG_SETUP_INTERFACE].yes)
		memcpy(k->lease.interface, interface, strlen(interface) + 1);
	k->lease.with_rules = g[FLAG_SETUP_RULES].yes;
	k->lease.bound = !g[FLAG_SKIP_TEARDOWN].yes;
	k->sync_every = SYNC_MS;
	if (g[FLAG_SYNC].text != NULL)
		k->sync_every = 1000 * strtol(g[FLAG_SYNC].text, &rest, 10);
	if (k->sync_every < 1000 || k->sync_every > 86400000)
		return refuse("syncinterval", g[FLAG_SYNC].text);
	return 0;
}

int command_node_cache(int argc, char **argv)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	struct keeper k = { .child_fd = -1, .backoff = TICK_MS };
	k.g[FLAG_INTERFACE].text = "nodelocaldns";
	k.g[FLAG_SETUP_INTERFACE].yes = k.g[FLAG_SETUP_RULES].yes = true;
	k.g[FLAG_BASE].text = "/etc/coredns/Corefile.base";
	k.g[FLAG_UPSTREAM].text = "kube-dns";
	k.g[FLAG_CONF].text = "Corefile";
	int status = goflags_take(flags, FLAGS, k.g, argc, argv);
	if (status >= 0)
		return status;
	status = settings_take(&k);
	if (status != 0)
		return status;
	probe_init(&k.probe, &k.lease.addrs[0]);
	if (signals_open(&k.signals, &why) != OK || lease_open(&k.lease, &why) != OK ||
	    lease_addresses(&k.lease, LIFE_S, &why) != OK) {
		fprintf(stderr, "node-cache: %s\n", buf_cstr(&why));
		return 1;
	}
	tell_inert(&k);
	keep(&k);
	end(&k);
	lease_close(&k.lease);
	return 0;
}

bool node_cache_asked(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i] + (argv[i][0] == '-') + (argv[i][0] == '-' && argv[i][1] == '-');
		if (word != argv[i] && strncmp(word, "localip", 7) == 0 && (word[7] == 0 || word[7] == '='))
			return true;
	}
	return false;
}
