/* goflags: a command line as Go's flag package reads it. */
#include "app/goflags.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"

#define STATUS_FATAL 1
#define STATUS_USAGE 2

struct taking {
	const struct goflag *flags;
	unsigned n;
	struct goflag_value *values;
	const char *program;
	int argc, at;
	char **argv;
};

static int usage(const struct taking *t, int status)
{
	fprintf(stderr, "Usage of %s:\n", t->program);
	for (const struct goflag *f = t->flags; f < t->flags + t->n; f++)
		fprintf(stderr, "  -%s%s\n    \t%s\n", f->name, f->kind == GOFLAG_TEXT ? " string" : "", f->what);
	return status;
}

/* "-name", "--name", either with "=value". returns the flag's number, t->n: there is none of that name */
static unsigned flag_find(const struct taking *t, const char *word, const char **ret_value)
{
	word += word[1] == '-' ? 2 : 1;
	size_t n = strcspn(word, "=");
	*ret_value = word[n] == '=' ? word + n + 1 : NULL;
	for (unsigned i = 0; i < t->n; i++) {
		if (strlen(t->flags[i].name) == n && strncmp(t->flags[i].name, word, n) == 0)
			return i;
	}
	return t->n;
}

static bool yes_parse(const char *text, bool *ret)
{
	static const char *const words[][2] = { { "true", "false" }, { "1", "0" }, { "t", "f" }, { "T", "F" },
		                                { "TRUE", "FALSE" }, { "True", "False" } };
	for (unsigned i = 0; i < COUNT(words); i++) {
		for (unsigned k = 0; k < 2; k++) {
			if (strcmp(words[i][k], text) == 0) {
				*ret = k == 0;
				return true;
			}
		}
	}
	return false;
}

/* One word of the command line and what belongs to it. returns the status to end with, -1: go on */
static int flag_take(struct taking *t)
{
	const char *value, *word = t->argv[t->at++];
	if (strcmp(word, "-h") == 0 || strcmp(word, "-help") == 0 || strcmp(word, "--help") == 0)
		return usage(t, 0);
	unsigned f = flag_find(t, word, &value);
	if (f == t->n) {
		fprintf(stderr, "flag provided but not defined: -%.*s\n", (int)strcspn(word + 1, "="),
		        word + (word[1] == '-' ? 2 : 1));
		return usage(t, STATUS_USAGE);
	}
	if (t->flags[f].kind == GOFLAG_YES) {
		t->values[f].yes = true;
		if (value == NULL || yes_parse(value, &t->values[f].yes))
			return -1;
		fprintf(stderr, "invalid boolean value \"%s\" for -%s: parse error\n", value, t->flags[f].name);
		return usage(t, STATUS_USAGE);
	}
	if (value == NULL && t->at == t->argc) {
		fprintf(stderr, "flag needs an argument: -%s\n", t->flags[f].name);
		return usage(t, STATUS_USAGE);
	}
	t->values[f].text = value != NULL ? value : t->argv[t->at++];
	return -1;
}

int goflags_take(const struct goflag *flags, unsigned n, struct goflag_value *ret, int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	struct taking t = { flags, n, ret, slash != NULL ? slash + 1 : argv[0], argc, 1, argv };
	int status = -1;
	bool over = false;
	while (status < 0 && !over && t.at < argc && argv[t.at][0] == '-' && argv[t.at][1] != 0) {
		over = strcmp(argv[t.at], "--") == 0;
		if (over)
			t.at++;
		else
			status = flag_take(&t);
	}
	if (status >= 0 || t.at == argc)
		return status;
	fputs("extra command line arguments: [", stderr);
	for (int i = t.at; i < argc; i++)
		fprintf(stderr, "%s%s", i > t.at ? " " : "", argv[i]);
	fputs("]\n", stderr);
	return STATUS_FATAL;
}
