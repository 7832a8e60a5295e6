/* check: read a configuration and say what is wrong with it, what it comes to, what every option is, or what becomes of
 * a name. */
#include <stdio.h>
#include <string.h>

#include "app/anchors.h"
#include "app/commands.h"
#include "app/show.h"
#include "app/zones_check.h"
#include "base/heap.h"
#include "conf/model.h"
#include "conf/story.h"
#include "conf/translate.h"

#define DIAG_BYTES_MAX (4u << 20)
#define TEXT_FIRST (1u << 20)
#define TEXT_MAX ((size_t)1 << 30)

enum show { SHOW_NOTHING, SHOW_DUMP, SHOW_POSTURE, SHOW_JSON, SHOW_CHAIN, SHOW_TO };

static int usage(FILE *to)
{
	fputs("usage: signet check FILE [--dump|--posture|--json|--chain NAME|--to DIALECT]\n"
	      "  Reads a configuration and says what is wrong with it. Exit status 0: it can be served; 2: it cannot.\n"
	      "  --dump     every option with its value\n"
	      "  --posture  what is enforced, what is inert, what leaks\n"
	      "  --json     errors and warnings as JSON\n"
	      "  --chain NAME  where questions for the name go, and which plugins they meet\n"
	      "  --to corefile|unbound  the same in the other program's words; exit status 1: it lacks some\n"
	      "  example: signet check --posture /etc/unbound/unbound.conf\n",
	      to);
	return to == stdout ? 0 : 2;
}

static void line_print(const struct diag_line *l)
{
	const char *level = l->level == DIAG_WARNING ? "warning: " : "";
	if (l->line == 0)
		fprintf(stderr, "%s: %s%s\n", l->file, level, l->text);
	else
		fprintf(stderr, "%s:%u:%u: %s%s\n", l->file, l->line, l->column, level, l->text);
}

static void json_text(const char *text)
{
	struct span s = span_text(text);
	size_t cap = 6 * s.n + 3;   /* a byte becomes six at most, in quotes */
	struct buf b = buf_on(heap_new(cap), cap);
	show_string(s, &b);
	fwrite(b.p, 1, b.n, stdout);
	heap_free(b.p);
}

static void json_print(const char *file, const struct diag *d)
{
	fputs("{\"file\":", stdout);
	json_text(file);
	printf(",\"ok\":%s,\"errors\":%u,\"warnings\":%u,\"lines\":[", d->errors == 0 ? "true" : "false", d->errors,
	       d->warnings);
	for (const struct diag_line *l = d->first; l != NULL; l = l->next) {
		printf("%s{\"level\":\"%s\",\"file\":", l == d->first ? "" : ",",
		       l->level == DIAG_WARNING ? "warning" : "error");
		json_text(l->file);
		printf(",\"line\":%u,\"column\":%u,\"text\":", l->line, l->column);
		json_text(l->text);
		putchar('}');
	}
	puts("]}");
}

/* The size of a text about a configuration is known when it is written. */
static void model_print(const struct model *m, void (*write)(const struct model *, struct buf *))
{
	for (size_t cap = TEXT_FIRST; cap <= TEXT_MAX; cap *= 4) {
		struct buf b = buf_on(heap_new(cap), cap);
		write(m, &b);
		if (buf_ok(&b))
			fwrite(b.p, 1, b.n, stdout);
		heap_free(b.p);
		if (buf_ok(&b))
			return;
	}
}

static bool chain_print(const struct model *m, const char *name)
{
	struct buf b = buf_on(heap_new(TEXT_FIRST), TEXT_FIRST);
	bool good = model_story(m, name, &b);
	if (good)
		fwrite(b.p, 1, b.n, stdout);
	else
		fprintf(stderr, "signet check: --chain: '%s' is no name; expected a domain name\n", name);
	heap_free(b.p);
	return good;
}

/* returns whether all of it could be said */
static bool translation_print(const struct model *m, const char *to, struct diag *lost)
{
	bool corefile = strcmp(to, "corefile") == 0;
	if (corefile == m->daemon.corefile) {
		model_print(m, model_dump);
		return true;
	}
	struct buf b = buf_on(heap_new(TEXT_FIRST), TEXT_FIRST);
	if (corefile)
		translate_to_corefile(m, &b, lost);
	else
		translate_to_unbound(m, &b, lost);
	fwrite(b.p, 1, b.n, stdout);
	if (!buf_ok(&b))
		diag_warning(lost, m->file, 0, 0, "it is too long to be told whole");
	heap_free(b.p);
	for (const struct diag_line *l = lost->first; l != NULL; l = l->next)
		line_print(l);
	return lost->warnings == 0;
}

/* returns the exit status */
static int translate(const struct model *m, const char *to)
{
	struct arena a;
	struct diag lost;
	arena_init(&a, DIAG_BYTES_MAX);
	diag_init(&lost, &a);
	bool whole = translation_print(m, to, &lost);
	arena_free(&a);
	return whole ? 0 : 1;
}

static int check(const char *file, enum show show, const char *name)
{
	int status = 0;
	struct arena a;
	struct diag d;
	arena_init(&a, DIAG_BYTES_MAX);
	diag_init(&d, &a);
	struct model *m = model_load(file, &d);
	bool good = m != NULL && anchors_load(m, NULL, &d);
	if (good && (show == SHOW_NOTHING || show == SHOW_JSON))
		zones_check(m, &d);
	if (show == SHOW_JSON)
		json_print(file, &d);
	else
		for (const struct diag_line *l = d.first; l != NULL; l = l->next)
			line_print(l);
	if (m != NULL && show == SHOW_DUMP)
		model_print(m, model_dump);
	else if (m != NULL && show == SHOW_POSTURE)
		model_print(m, model_posture);
	else if (m != NULL && show == SHOW_CHAIN)
		good &= chain_print(m, name);
	else if (m != NULL && show == SHOW_TO)
		status = translate(m, name);
	else if (show == SHOW_NOTHING)
		printf("%s: %u error%s, %u warning%s\n", file, d.errors, d.errors == 1 ? "" : "s", d.warnings,
		       d.warnings == 1 ? "" : "s");
	if (m != NULL)
		model_free(m);
	arena_free(&a);
	return good && fflush(stdout) == 0 ? status : 2;
}

int command_check(int argc, char **argv)
{
	static const struct {
		const char *flag;
		enum show show;
	} flags[] = { { "--dump", SHOW_DUMP }, { "--posture", SHOW_POSTURE }, { "--json", SHOW_JSON } };
	const char *file = NULL, *name = NULL;
	enum show show = SHOW_NOTHING;
	for (int i = 1; i < argc; i++) {
		bool known = false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage(stdout);
		for (unsigned k = 0; k < COUNT(flags); k++)
			if (strcmp(flags[k].flag, argv[i]) == 0) {
				known = true;
				show = flags[k].show;
			}
		if (strcmp(argv[i], "--chain") == 0 && i + 1 < argc) {
			show = SHOW_CHAIN;
			name = argv[++i];
			continue;
		}
		if (strcmp(argv[i], "--to") == 0 && i + 1 < argc) {
			show = SHOW_TO;
			name = argv[++i];
			if (strcmp(name, "corefile") != 0 && strcmp(name, "unbound") != 0)
				return usage(stderr);
			continue;
		}
		if (known)
			continue;
		if (argv[i][0] == '-' || file != NULL)
			return usage(stderr);
		file = argv[i];
	}
	return file == NULL ? usage(stderr) : check(file, show, name);
}
