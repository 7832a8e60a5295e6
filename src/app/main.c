/* main: the table of commands, and of the names we answer to in place of other programs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/run.h"
#include "base/attr.h"
#include "base/heap.h"
#include "conf/manual.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what, *example;
	void (*more)(FILE *to);      /* NULL: that is all there is to say */
};

static int command_help(int argc, char **argv);
static int command_run(int argc, char **argv);

static const struct command commands[] = {
	{ "run", command_run, "[-c FILE]", "serve in the foreground", "signet run -c /etc/unbound/unbound.conf" },
	{ "check", command_check, "FILE [--dump|--posture|--json|...]",
	  "read a configuration and say what is wrong with it",
	  "signet check --posture /etc/unbound/unbound.conf" },
	{ "ask", command_ask, "[@SERVER] NAME [TYPE] [+trace]", "ask a question and show the answer",
	  "signet ask --server 127.0.0.1 example.com AAAA" },
	{ "verify", command_verify, "NAME [TYPE] [--anchor FILE] [--json]",
	  "prove an answer, or show where its chain breaks",
	  "signet verify --server 9.9.9.9#dns.quad9.net example.com AAAA" },
	{ "ctl", command_ctl, "[--socket PATH] [--json] COMMAND", "speak to the running program",
	  "signet ctl flush --below example.com", ctl_help },
	{ "manifests", command_manifests, "[--mode MODE] ... | --plan",
	  "a cluster's objects, as YAML for kubectl", "signet manifests --mode daemonset | kubectl apply -f -",
	  manifests_help },
	{ "help", command_help, "[COMMAND|options]", "this text; every option of a configuration",
	  "signet help options" },
};

static int command_unbound(int argc, char **argv);

/* Under a borrowed name flags, texts and exit status are that program's. */
static const struct command borrowed[] = {
	{ "unbound", command_unbound, "[-dpvhV] [-c FILE]", "serve", "unbound -d -c FILE" },
	{ "unbound-checkconf", command_unbound_checkconf, "[-fhqo] [FILE]", "check", "unbound-checkconf FILE" },
	{ "coredns", command_coredns, "[-conf FILE]", "serve a Corefile", "coredns -conf /etc/coredns/Corefile" },
	{ "node-cache", command_node_cache, "-localip IP,...", "keep a node's resolver",
	  "node-cache -localip 169.254.20.10 -conf /etc/Corefile" },
	{ "delv", command_delv, "[@server] [flags] [domain] [type]", "prove", "delv @127.0.0.1 example.com A" },
};

#define DEFAULT_CONF "/etc/signet/signet.conf"
#define DEFAULT_UNBOUND_CONF "/etc/unbound/unbound.conf"

static const char *default_conf(void)
{
	return access(DEFAULT_CONF, F_OK) == 0 ? DEFAULT_CONF : DEFAULT_UNBOUND_CONF;
}

static int usage(FILE *to, const struct command *c)
{
	if (c->more != NULL) {
		c->more(to);
		return to == stdout ? 0 : 2;
	}
	fprintf(to, "usage: signet %s %s\n  %s\n  example: %s\n", c->name, c->arguments, c->what, c->example);
	return to == stdout ? 0 : 2;
}

static int command_run(int argc, char **argv)
{
	struct run_flags f = { .ident = "signet", .no_pidfile = true };
	int opt;
	while ((opt = getopt(argc, argv, "c:vh")) != -1) {
		if (opt == 'c')
			f.conf = optarg;
		else if (opt == 'v')
			f.verbose++;
		else
			return usage(opt == 'h' ? stdout : stderr, &commands[0]);
	}
	if (optind < argc)
		return usage(stderr, &commands[0]);
	if (f.conf == NULL)
		f.conf = default_conf();
	return run_server(&f);
}

static int unbound_usage(int status)
{
	FILE *to = status == 0 ? stdout : stderr;
	fprintf(to, "usage:  unbound [options]\n"
	        "\tstart unbound daemon DNS resolver.\n"
	        "-h\tthis help.\n"
	        "-c file\tconfig file to read instead of %s\n"
	        "-d\tdo not fork into the background.\n"
	        "-p\tdo not create a pidfile.\n"
	        "-v\tverbose (more times to increase verbosity).\n"
	        "-V\tshow version number and build options.\n", DEFAULT_UNBOUND_CONF);
	return status;
}

static int command_unbound(int argc, char **argv)
{
	struct run_flags f = { .conf = DEFAULT_UNBOUND_CONF, .ident = "unbound", .daemonize = true, .borrowed = true };
	int opt;
	while ((opt = getopt(argc, argv, "c:dhpvV")) != -1) {
		switch (opt) {
		case 'c':
			f.conf = optarg;
			break;
		case 'd':
			f.daemonize = false;
			break;
		case 'p':
			f.no_pidfile = true;
			break;
		case 'v':
			f.verbose++;
			break;
		case 'V':
			printf("Version 1.26.1 (signet %s)\n", SIGNET_VERSION);
			return 0;
		default:
			return unbound_usage(opt == 'h' ? 0 : 1);
		}
	}
	if (optind < argc)
		return unbound_usage(1);
	return run_server(&f);
}

#define MANUAL_BYTES (256u * 1024u)

static int help_options(void)
{
	struct buf b = buf_on(heap_new(MANUAL_BYTES), MANUAL_BYTES);
	manual_options(&b);
	fwrite(b.p, 1, b.n, stdout);
	heap_free(b.p);
	return fflush(stdout) == 0 ? 0 : 3;
}

static int command_help(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "options") == 0)
		return help_options();
	for (size_t i = 0; argc > 1 && i < COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return usage(stdout, &commands[i]);
	}
	printf("signet %s: DNS you can prove\n\n", SIGNET_VERSION);
	for (size_t i = 0; i < COUNT(commands); i++)
		printf("  signet %-9s %-36s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
	printf("\nCalled by one of these names it is that program's replacement: ");
	for (size_t i = 0; i < COUNT(borrowed); i++)
		printf("%s%s", i > 0 ? ", " : "", borrowed[i].name);
	printf("\nexample: signet check --posture %s\n", DEFAULT_UNBOUND_CONF);
	return argc > 1 ? 2 : 0;
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "signet";
	for (size_t i = 0; i < COUNT(borrowed); i++) {
		if (strcmp(name, borrowed[i].name) == 0)
			return borrowed[i].run(argc, argv);
	}
	if (argc < 2) {
		command_help(1, argv);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return command_help(1, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("signet %s\n", SIGNET_VERSION);
		return 0;
	}
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "signet: unknown command '%s'; expected one of those that 'signet help' lists\n", argv[1]);
	return 2;
}
