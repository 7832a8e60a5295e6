/* signet manifests: the cluster's objects as one YAML stream, made of the templates under deploy/kubernetes. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/manifests_text.h"
#include "app/plan.h"
#include "app/template.h"
#include "base/addr.h"
#include "base/assert.h"
#include "io/file.h"

#define COREFILE_MAX (768u << 10)     /* a ConfigMap may hold 1 MiB in all */
#define ARENA_BYTES (4u << 20)
#define KINDS_MAX 32u                 /* --only and --without, each */
#define LOCAL_IP "169.254.20.10"

enum { M_DEPLOYMENT = 1, M_DAEMONSET = 2, M_NODE_LOCAL = 4 };

static const struct {
	const char *kind, *file;
	unsigned modes;
} manifests[] = {
#define MANIFEST(kind, file, modes) { kind, file, modes },
#include "app/manifests.def"
#undef MANIFEST
};

static const struct {
	const char *name;
	unsigned mode;
} modes[] = { { "deployment", M_DEPLOYMENT }, { "daemonset", M_DAEMONSET }, { "node-local", M_NODE_LOCAL } };

struct kinds {
	const char *names[KINDS_MAX];
	unsigned n;
};

struct asked {
	unsigned mode;
	const char *namespace, *image, *domain, *cluster_ip, *local_ip, *corefile;
	struct kinds only, without;
	bool plan;
	const char *kubeconfig, *context;    /* of the plan */
};

static int usage(FILE *to)
{
	fputs("usage: signet manifests [--mode deployment|daemonset|node-local] [--namespace NS] [--image IMAGE]\n"
	      "                        [--domain NAME] [--cluster-ip IP] [--local-ip IP] [--corefile FILE]\n"
	      "                        [--only KIND]... [--without KIND]...\n"
	      "       signet manifests --plan [--kubeconfig FILE] [--context NAME]\n"
	      "  Prints the cluster's objects as one YAML stream. Nothing is applied.\n"
	      "  --mode       deployment: kubeadm's shape, scaled (default); daemonset: one a node;\n"
	      "               node-local: a cache on each node at a link-local address, beside the cluster's servers\n"
	      "  --namespace  default kube-system\n"
	      "  --image      default signet:" SIGNET_VERSION "\n"
	      "  --domain     of the cluster, default cluster.local\n"
	      "  --cluster-ip of Service kube-dns; left out: the cluster chooses, or keeps what it has.\n"
	      "               In node-local mode each node's cache answers at that address too\n"
	      "  --local-ip   of node-local, default " LOCAL_IP "\n"
	      "  --corefile   for the ConfigMap, as it stands; default: kubeadm's\n"
	      "  --only, --without  objects of that kind, or all others\n"
	      "  --plan       reads the cluster and prints the namespaces that the NetworkPolicy would cut off,\n"
	      "               as the commands that label them. Exit status 0: none; 1: some; 3: it could not be read\n"
	      "  example: signet manifests --image registry.example/signet:" SIGNET_VERSION
	      " --cluster-ip 10.96.0.10 | kubectl apply -f -\n", to);
	return to == stdout ? 0 : 2;
}

static int wrong(const char *flag, const char *value, const char *expected)
{
	fprintf(stderr, "signet manifests: --%s: '%s'; expected %s\n", flag, value, expected);
	return 2;
}

static bool kind_is_known(const char *kind)
{
	for (unsigned i = 0; i < COUNT(manifests); i++) {
		if (strcmp(manifests[i].kind, kind) == 0)
			return true;
	}
	return false;
}

static bool kinds_have(const struct kinds *k, const char *kind)
{
	for (unsigned i = 0; i < k->n; i++) {
		if (strcmp(k->names[i], kind) == 0)
			return true;
	}
	return false;
}

static int kind_add(struct kinds *k, const char *flag, const char *kind)
{
	if (!kind_is_known(kind) || k->n == KINDS_MAX) {
		fprintf(stderr, "signet manifests: --%s: '%s'; expected one of", flag, kind);
		for (unsigned i = 0; i < COUNT(manifests); i++) {
			bool told = false;
			for (unsigned j = 0; j < i; j++)
				told |= strcmp(manifests[j].kind, manifests[i].kind) == 0;
			if (!told)
				fprintf(stderr, "%s %s", i > 0 ? "," : "", manifests[i].kind);
		}
		fputc('\n', stderr);
		return 2;
	}
	k->names[k->n++] = kind;
	return 0;
}

/* --- the arguments ---- */

/* Whether the word is of such bytes alone, so that it stands in YAML as it is. */
static bool word_is(const char *word, const char *also, size_t max)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < n; i++) {
		char c = word[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (!plain && (i == 0 || strchr(also, c) == NULL))
			return false;
	}
	return n > 0 && n <= max;
}

static bool ip_is(const char *text)
{
	struct addr a;
	return addr_parse(span_text(text), 53, &a) == OK && a.scope == 0;
}

static int check_words(const struct asked *a)
{
	if (!word_is(a->namespace, "-", 63))
		return wrong("namespace", a->namespace, "a namespace's name");
	if (!word_is(a->image, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._/:@-", 512))
		return wrong("image", a->image, "an image's reference, such as registry.example/signet:1");
	if (!word_is(a->domain, ".-", 253))
		return wrong("domain", a->domain, "the cluster's domain, such as cluster.local");
	if (a->cluster_ip != NULL && !ip_is(a->cluster_ip))
		return wrong("cluster-ip", a->cluster_ip, "an IP address");
	if (!ip_is(a->local_ip))
		return wrong("local-ip", a->local_ip, "an IP address");
	return 0;
}

static int mode_take(struct asked *a, const char *value)
{
	for (unsigned i = 0; i < COUNT(modes); i++) {
		if (strcmp(modes[i].name, value) == 0) {
			a->mode = modes[i].mode;
			return 0;
		}
	}
	return wrong("mode", value, "deployment, daemonset or node-local");
}

/* returns 0, or the exit status */
static int argument_take(struct asked *a, const char *flag, const char *value)
{
	const struct {
		const char *name, **to;
	} words[] = { { "namespace", &a->namespace }, { "image", &a->image }, { "domain", &a->domain },
		      { "cluster-ip", &a->cluster_ip }, { "local-ip", &a->local_ip }, { "corefile", &a->corefile },
		      { "kubeconfig", &a->kubeconfig }, { "context", &a->context } };
	if (strcmp(flag, "mode") == 0)
		return mode_take(a, value);
	if (strcmp(flag, "only") == 0)
		return kind_add(&a->only, flag, value);
	if (strcmp(flag, "without") == 0)
		return kind_add(&a->without, flag, value);
	for (unsigned i = 0; i < COUNT(words); i++) {
		if (strcmp(flag, words[i].name) == 0) {
			*words[i].to = value;
			return 0;
		}
	}
	fprintf(stderr, "signet manifests: unknown argument '--%s'\n", flag);
	return usage(stderr);
}

/* returns -1: go on; else the exit status */
static int arguments_take(struct asked *a, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage(stdout);
		if (strcmp(argv[i], "--plan") == 0) {
			a->plan = true;
			continue;
		}
		if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
			return usage(stderr);
		int status = argument_take(a, argv[i] + 2, argv[i + 1]);
		if (status != 0)
			return status;
		i++;
	}
	int status = check_words(a);
	return status != 0 ? status : -1;
}

/* --- the objects ---- */

static struct span text_of(const char *file)
{
	for (unsigned i = 0; i < COUNT(embedded); i++) {
		if (strcmp(embedded[i].name, file) == 0)
			return span_text(embedded[i].text);
	}
	return (struct span){ 0 };
}

static struct span value_of(const char *text)
{
	return text != NULL ? span_text(text) : (struct span){ 0 };
}

/* "A,B" or "A B": both addresses that a node's cache answers at. */
static struct span addresses(struct arena *arena, const struct asked *a, char between)
{
	char *text = a->cluster_ip == NULL ? arena_printf(arena, "%s", a->local_ip) :
		arena_printf(arena, "%s%c%s", a->local_ip, between, a->cluster_ip);
	return value_of(text);
}

static bool objects_write(const struct asked *a, struct arena *arena, struct span corefile)
{
	bool first = true, theirs = corefile.p != NULL;
	const struct template_word words[] = {
		{ "namespace", value_of(a->namespace), false, false },
		{ "image", value_of(a->image), false, false },
		{ "domain", value_of(a->domain), false, false },
		{ "cluster-ip", value_of(a->cluster_ip), false, false },
		{ "local-ip", value_of(a->local_ip), false, false },
		{ "local-ips", addresses(arena, a, ','), false, false },
		{ "bind-ips", addresses(arena, a, ' '), false, false },
		{ "corefile", theirs ? corefile : text_of("Corefile"), true, !theirs },
		{ "node-corefile", theirs ? corefile : text_of("node-Corefile"), true, !theirs },
		{ "pod", text_of("pod.yaml"), true, true },
		{ "dashboard", text_of("dashboard.json"), true, false },
	};
	for (unsigned i = 0; i < COUNT(manifests); i++) {
		if (!(manifests[i].modes & a->mode) || kinds_have(&a->without, manifests[i].kind) ||
		    (a->only.n > 0 && !kinds_have(&a->only, manifests[i].kind)))
			continue;
		if (!first)
			puts("---");
		first = false;
		struct span text = text_of(manifests[i].file);
		bool good = text.p != NULL && template_write(stdout, text, words, COUNT(words), 0);
		ASSERT(good);   /* tables and templates of this tree */
	}
	return !first;
}

static bool policy_is_in(const struct asked *a)
{
	return a->mode != M_NODE_LOCAL && !kinds_have(&a->without, "NetworkPolicy") &&
	       (a->only.n == 0 || kinds_have(&a->only, "NetworkPolicy"));
}

static bool corefile_good(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' && s.p[i] != '\n' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	}
	return s.n > 0;
}

static int print(const struct asked *a)
{
	struct arena arena;
	struct span corefile = { 0 };
	char text[512];
	struct buf why = buf_on(text, sizeof(text));
	int status = 0;
	arena_init(&arena, ARENA_BYTES);
	if (a->corefile != NULL && file_read(a->corefile, COREFILE_MAX, &arena, &corefile, &why) != OK) {
		fprintf(stderr, "signet manifests: %.*s\n", (int)why.n, text);
		status = 2;
	} else if (a->corefile != NULL && !corefile_good(corefile)) {
		status = wrong("corefile", a->corefile, "a text: a ConfigMap holds no control characters");
	} else if (!objects_write(a, &arena, corefile)) {
		fputs("signet manifests: this mode has no objects of that kind\n", stderr);
		status = 2;
	} else if (policy_is_in(a)) {
		fputs("signet manifests: NetworkPolicy coredns-allow cuts off every namespace without the label\n"
		      "  dns-access=allowed: --plan lists them, --without NetworkPolicy leaves it out\n", stderr);
	}
	arena_free(&arena);
	return fflush(stdout) == 0 ? status : 3;
}

int command_manifests(int argc, char **argv)
{
	struct asked a = { .mode = M_DEPLOYMENT, .namespace = "kube-system", .image = "signet:" SIGNET_VERSION,
		           .domain = "cluster.local", .local_ip = LOCAL_IP };
	int status = arguments_take(&a, argc, argv);
	if (status >= 0)
		return status;
	return a.plan ? plan_print(a.kubeconfig, a.context) : print(&a);
}

void manifests_help(FILE *to)
{
	usage(to);
}
