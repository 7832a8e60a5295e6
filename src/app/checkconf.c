/* unbound-checkconf: the command of that name, with its flags, texts and exit status, over our own reading. What only
 * the machine can tell (users, directories, key files) is looked at here as that program does. */
#include <errno.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/heap.h"
#include "conf/model.h"

#define DEFAULT_FILE "/etc/unbound/unbound.conf"
#define DIAG_BYTES_MAX (4u << 20)
#define OPTION_BYTES_MAX (16u << 20)

struct checkconf {
	const char *file, *option;
	bool full, quiet;
	struct arena *arena;
	const struct model *model;
};

static int usage(void)
{
	printf("Usage:\tunbound-checkconf [file]\n"
	       "\tReads an unbound configuration file and reports errors in it.\n"
	       "file\tif omitted " DEFAULT_FILE " is used.\n"
	       "-o option\tprint the value of the option to stdout.\n"
	       "-f\t\tprint the full pathname, chroot applied, with -o pidfile.\n"
	       "-q\t\tquiet, say nothing when all is well.\n"
	       "-h\t\tthis text.\n"
	       "Version signet %s\n",
	       SIGNET_VERSION);
	return 1;
}

static void say(const char *level, const char *text)
{
	fprintf(stderr, "[%lld] unbound-checkconf[%d:0] %s: %s\n", (long long)time(NULL), (int)getpid(), level, text);
}

static int fatal(const char *text)
{
	say("fatal error", text == NULL ? "out of memory" : text);
	return 1;
}

/* A line without what was expected, which the borrowed words do not have. */
static const char *text_of(struct arena *a, const struct diag_line *l)
{
	const char *end = strstr(l->text, "; expected");
	size_t n = end == NULL ? strlen(l->text) : (size_t)(end - l->text);
	const char *text = arena_text(a, span_of(l->text, n));
	return text == NULL ? l->text : text;
}

/* ---- errors of the file ---- */

/* What is said in other words, or at another time, than ours: by what our text holds. */
static const struct wording {
	const char *holds;
	bool parser;       /* the parser of that program says it, with file and line; else it comes after all parsing */
	const char *text;  /* NULL: ours */
	const char *fatal; /* the line that ends the check; NULL: the text itself is that line */
} wordings[] = {
	{ "is no access control action", true,
	  "expected deny, refuse, deny_non_local, refuse_non_local, allow, "
	  "allow_setrd or allow_snoop as access control action",
	  NULL },
	{ "local-zone type", true,
	  "local-zone type: expected static, deny, refuse, redirect, transparent, "
	  "typetransparent, inform, inform_deny, inform_redirect, always_transparent, always_refuse, always_nxdomain, "
	  "always_nodata, always_deny, always_null, noview, nodefault or ipset",
	  NULL },
	{ "number expected", true, NULL, NULL },
	{ "port number or range", true, NULL, NULL },
	{ "the NSID must be", true, NULL, NULL },
	{ "edns buffer size too small", true, NULL, NULL },
	{ "expected 128 bit hex string", true, NULL, NULL },
	{ " value < 0", false, NULL, NULL },
	{ "local-data-ptr could not", true, NULL, NULL },
	{ "cannot parse forward", false, NULL, "Could not set forward zones" },
	{ "cannot parse stub", false, NULL, "Could not set stub zones" },
	{ "local-data", false, NULL, "failed local-zone, local-data configuration" },
	{ "cannot parse name", false, NULL, "failed local-zone, local-data configuration" },
};

static const struct wording *wording_of(const struct diag_line *l)
{
	const char *end = strstr(l->text, "; expected");
	for (unsigned i = 0; i < COUNT(wordings); i++) {
		const char *at = strstr(l->text, wordings[i].holds);
		if (at != NULL && (end == NULL || at < end))
			return &wordings[i];
	}
	return NULL;
}

/* What stands between the first quotes behind `mark`. */
static const char *quoted(struct checkconf *c, const char *text, const char *mark)
{
	const char *first = strstr(text, mark);
	if (first == NULL)
		return NULL;
	first += strlen(mark);
	return arena_text(c->arena, span_of(first, strcspn(first, "'")));
}

static const char *wording_text(struct checkconf *c, const struct diag_line *l)
{
	const struct wording *w = wording_of(l);
	return w != NULL && w->text != NULL ? w->text : text_of(c->arena, l);
}

struct place {
	const struct diag_line *line;
	unsigned nr;
};

static int place_cmp(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	if (strcmp(a->line->file, b->line->file) == 0 && a->line->line != b->line->line)
		return a->line->line < b->line->line ? -1 : 1;
	return (int)a->nr - (int)b->nr;
}

/* Errors that the parser of that program would find, in its order: those of types come first in d. */
static unsigned places_find(const struct diag *d, unsigned syntax, struct place *ret)
{
	unsigned nr = 0, n = 0;
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		if (l->level != DIAG_ERROR)
			continue;
		const struct wording *w = wording_of(l);
		if (w == NULL ? nr++ < syntax : w->parser)
			ret[n++] = (struct place){ l, nr };
	}
	if (n > 0)
		qsort(ret, n, sizeof(ret[0]), place_cmp);
	return n;
}

/* What is wrong with the meaning ends the check at once. */
static int meaning_error(struct checkconf *c, const struct diag *d)
{
	const struct diag_line *l = d->first;
	while (l != NULL && l->level != DIAG_ERROR)
		l = l->next;
	if (l == NULL)
		return fatal("bad configuration");
	const struct wording *w = wording_of(l);
	const char *text = wording_text(c, l), *net = strstr(text, " address ");
	if (l->line == 0 && strncmp(text, "Could not open", 14) == 0) {
		say("error", text);
		return 1;
	}
	if (w != NULL && w->fatal != NULL) {
		const char *record = quoted(c, text, "error parsing local-data at ");
		record = record == NULL ? NULL : quoted(c, text, " '");
		const char *kind = quoted(c, l->text, "expected a domain name, then '");
		say("error", text);
		if (record != NULL)
			say("error", arena_printf(c->arena, "Bad local-data RR %s", record));
		if (kind != NULL)
			say("error",
			    arena_printf(c->arena, "bad zone name %s %s", text + strlen("cannot parse name "), kind));
		return fatal(w->fatal);
	}
	if (net != NULL && strchr(net, '/') != NULL) {
		net += strlen(" address ");
		say("error", arena_printf(c->arena, "netblock too large: %.*s", (int)strcspn(net, " "), net));
	}
	return fatal(text);
}

static int file_errors(struct checkconf *c, const struct diag *d, unsigned syntax)
{
	struct place *places = ARENA_ARRAY(c->arena, struct place, MIN(d->errors, DIAG_LINES_MAX));
	unsigned n = places == NULL ? 0 : places_find(d, syntax, places);
	if (n == 0)
		return meaning_error(c, d);
	for (unsigned i = 0; i < n; i++) {
		const struct diag_line *l = places[i].line;
		const char *size = strncmp(l->text, "memory size", 11) == 0 ? quoted(c, l->text, ", not '") : NULL;
		if (size != NULL)
			say("error", arena_printf(c->arena, "unknown size specifier: '%s'", size));
		fprintf(stderr, "%s:%u: error: %s\n", l->file, l->line, wording_text(c, l));
	}
	fprintf(stderr, "read %s failed: %u errors in configuration file\n", c->file, n);
	return 1;
}

/* ---- what the machine says ---- */

/* A file's name as the program sees it before it changes its root. */
static const char *full_name(struct checkconf *c, const char *name)
{
	const struct process_conf *p = &c->model->process;
	const char *directory = p->directory == NULL ? "" : p->directory;
	size_t n = strlen(p->chroot);
	if (name[0] == 0)
		return name;
	if (n > 0 && strncmp(name, p->chroot, n) == 0)
		return name;
	if (name[0] == '/' || directory[0] == 0)
		return arena_printf(c->arena, "%s%s", name[0] == '/' ? p->chroot : "", name);
	bool rooted = n > 0 && strncmp(directory, p->chroot, n) == 0;
	return arena_printf(c->arena, "%s%s/%s", rooted ? "" : p->chroot, directory, name);
}

static bool is_there(const char *path, bool directory)
{
	struct stat st;
	if (path == NULL)
		return false;
	if (stat(path, &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	return !directory || S_ISDIR(st.st_mode);
}

static bool has_directory(struct checkconf *c, const char *file)
{
	const char *path = full_name(c, file), *slash = path == NULL ? NULL : strrchr(path, '/');
	if (slash == NULL || slash == path)
		return true;
	return is_there(arena_text(c->arena, span_of(path, (size_t)(slash - path))), true);
}

static int check_interfaces(struct checkconf *c)
{
	for (unsigned i = 0; i < c->model->listen.nlistens; i++) {
		const char *name = c->model->listen.listens[i].name, *percent;
		if (name == NULL)
			continue;
		percent = strchr(name, '%');
		if (if_nametoindex(percent == NULL ? name : percent + 1) == 0)
			return fatal(arena_printf(c->arena, "cannot parse interface specified as '%s'", name));
	}
	return 0;
}

/* Every file that an option of this name names must be there. */
static int check_files(struct checkconf *c, const char *option)
{
	for (const struct directive *d = c->model->statements; d != NULL; d = d->next) {
		if (strcmp(d->word.text, option) != 0 || d->args[0].text[0] == 0)
			continue;
		const char *name = full_name(c, d->args[0].text);
		if (!is_there(name, false))
			return fatal(
				arena_printf(c->arena, "%s: \"%s\" does not exist", option, name == NULL ? "" : name));
	}
	return 0;
}

static int check_machine(struct checkconf *c)
{
	static const char *const files[] = { "auto-trust-anchor-file", "trust-anchor-file", "trusted-keys-file",
		                             "root-hints" };
	const struct process_conf *p = &c->model->process;
	if (check_interfaces(c) != 0)
		return 1;
	if (p->chroot[0] != 0 && !is_there(p->chroot, true))
		return fatal("bad chroot directory");
	const char *directory = p->directory == NULL ? "" : full_name(c, p->directory);
	if (directory == NULL || (directory[0] != 0 && access(directory, F_OK) != 0)) {
		say("error",
		    arena_printf(c->arena, "cannot chdir to directory: %s (%s)", p->directory, strerror(errno)));
		is_there(directory, true);
		return fatal("bad chdir directory");
	}
	for (unsigned i = 0; i < COUNT(files); i++)
		if (check_files(c, files[i]) != 0)
			return 1;
	if (p->logfile[0] != 0 && !has_directory(c, p->logfile))
		return fatal("logfile directory does not exist");
	if (p->pidfile != NULL && p->pidfile[0] != 0 && !has_directory(c, p->pidfile))
		return fatal("pidfile directory does not exist");
	if (p->username != NULL && p->username[0] != 0 && getpwnam(p->username) == NULL)
		return fatal(arena_printf(c->arena, "user '%s' does not exist.", p->username));
	return 0;
}

/* ---- what is said of a good file ---- */

static bool is_local(const char *text)
{
	struct addr a;
	return addr_parse(span_of(text, strcspn(text, "@#")), 0, &a) == OK && addr_is_loopback(&a);
}

/* Servers that will not be asked. Clauses were numbered as they came. */
static void localhost_print(const struct checkconf *c)
{
	const struct directive *first = c->model->statements, *name;
	for (const struct directive *d = first; d != NULL; d = d->next)
		if (strcmp(d->word.text, "do-not-query-localhost") == 0 && strcmp(d->args[0].text, "no") == 0)
			return;
	for (const struct directive *d = first; d != NULL; d = d->next) {
		bool addr = strcmp(d->word.text, "forward-addr") == 0 || strcmp(d->word.text, "stub-addr") == 0;
		if (!addr || !is_local(d->args[0].text))
			continue;
		for (name = first; name != NULL; name = name->next)
			if (name->clause_nr == d->clause_nr && strcmp(name->word.text, "name") == 0)
				break;
		fprintf(stderr,
		        "unbound-checkconf: warning: %s: '%s' is specified for %s: '%s', but "
		        "do-not-query-localhost: yes means that the address will not be used for lookups.\n",
		        d->word.text, d->args[0].text, d->clause, name == NULL ? "" : name->args[0].text);
	}
}

/* Of our warnings those that the other program has too. */
static void warnings_print(struct checkconf *c, const struct diag *d)
{
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		size_t n = strcspn(l->text, ";");
		const char *dot = n > 0 && l->text[n - 1] != '.' ? "." : "";
		if (strncmp(l->text, "duplicate local-zone ", 21) == 0)
			say("warning", arena_printf(c->arena, "%.*s%s", (int)n, l->text, dot));
		else if (strncmp(l->text, "duplicate ", 10) == 0)
			say("error", text_of(c->arena, l));
	}
	localhost_print(c);
}

/* Modules in an order that program is known to work with. */
static int check_modules(struct checkconf *c)
{
	static const char *const known[] = { "python",    "subnetcache", "respip", "dns64",
		                             "validator", "cachedb",     "ipset",  "iterator" };
	const char *at = NULL, *list;
	for (const struct directive *d = c->model->statements; d != NULL; d = d->next)
		if (strcmp(d->word.text, "module-config") == 0)
			at = d->args[0].text;
	unsigned last = 0;
	bool ordered = true;
	list = at;
	while (at != NULL && *(at += strspn(at, " \t")) != 0) {
		size_t n = strcspn(at, " \t");
		unsigned rank = 0;
		for (unsigned i = 0; i < COUNT(known); i++)
			if (strlen(known[i]) == n && strncmp(known[i], at, n) == 0)
				rank = i + 1;
		if (rank == 0)
			return fatal(arena_printf(c->arena,
			                          "module_conf lists module '%.*s' but that module is not available.",
			                          (int)n, at));
		ordered = ordered && (rank == 1 || rank > last);
		last = rank;
		at += n;
	}
	if (list != NULL && (!ordered || last != COUNT(known)))
		return fatal(arena_printf(c->arena, "module conf '%s' is not known to work", list));
	return 0;
}

/* ---- -o ---- */

/* Where our default is a choice made at start, the value that the other program starts from. */
static const char *chosen_default(const struct model *m, const char *option)
{
	const struct process_conf *p = &m->process;
	if (strcmp(option, "num-threads") == 0 && p->threads == 0)
		return "1";
	if (strcmp(option, "username") == 0 && p->username == NULL)
		return "unbound";
	if (strcmp(option, "directory") == 0 && p->directory == NULL)
		return "/etc/unbound";
	if (strcmp(option, "pidfile") == 0 && p->pidfile == NULL)
		return "/run/unbound.pid";
	return NULL;
}

static int option_print(struct checkconf *c)
{
	const char *chosen = chosen_default(c->model, c->option);
	struct buf b = buf_on(heap_new(OPTION_BYTES_MAX), OPTION_BYTES_MAX);
	int status = 0;
	if (chosen != NULL)
		buf_printf(&b, "%s\n", chosen);
	else if (!model_option(c->model, c->option, &b))
		status = fatal(arena_printf(c->arena, "cannot print option '%s'", c->option));
	bool path = strcmp(c->option, "pidfile") == 0 || strcmp(c->option, "auto-trust-anchor-file") == 0;
	char *text = buf_cstr(&b), *rest = NULL;
	if (status == 0 && c->full && path)
		for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
			puts(full_name(c, line));
	else if (status == 0)
		fputs(text, stdout);
	heap_free(b.p);
	return status;
}

/* ---- the story ---- */

static int check(struct checkconf *c)
{
	struct diag d;
	uint32_t syntax = 0;
	diag_init(&d, c->arena);
	struct model *m = model_load_as_unbound(c->file, &d, &syntax);
	if (m == NULL)
		return file_errors(c, &d, syntax);
	c->model = m;
	if (!c->quiet)
		warnings_print(c, &d);
	int status = check_machine(c);
	if (status == 0)
		status = check_modules(c);
	if (status == 0 && c->option != NULL)
		status = option_print(c);
	else if (status == 0 && !c->quiet)
		printf("unbound-checkconf: no errors in %s\n", c->file);
	model_free(m);
	return status;
}

int command_unbound_checkconf(int argc, char **argv)
{
	struct checkconf c = { .file = DEFAULT_FILE };
	struct arena a;
	int flag;
	while ((flag = getopt(argc, argv, "fhqo:")) != -1) {
		switch (flag) {
		case 'f': c.full = true; break;
		case 'q': c.quiet = true; break;
		case 'o': c.option = optarg; break;
		default: return usage();
		}
	}
	if (argc - optind > 1)
		return usage();
	if (argc - optind == 1)
		c.file = argv[optind];
	arena_init(&a, DIAG_BYTES_MAX);
	c.arena = &a;
	int status = check(&c);
	arena_free(&a);
	return fflush(stdout) == 0 ? status : 1;
}
