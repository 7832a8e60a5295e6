/* serving: the directives of a Corefile that say where a server block listens, and below which folder its files are. */
#include <string.h>

#include "conf/tables.h"

#define BINDS_MAX 4096u   /* statements; more addresses than that are refused later */

static void root_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (d->nargs == 1)
		((struct rooting *)self)->path = d->args[0].text;
	else
		count_wrong(d, "one folder", diag);
}

static void bind_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct binding *b = self;
	if (d->nargs == 0)
		count_wrong(d, "addresses or interfaces", diag);
	else if (b->places.n == BINDS_MAX || !text_list_add(&b->places, d, a))
		diag_error(diag, d->file, d->word.line, d->word.column, "too many of them; expected fewer of this");
}

static void except_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct binding *b = self;
	if (d->nargs == 0)
		count_wrong(d, "addresses", diag);
	else if (b->except.n == BINDS_MAX || !text_list_add(&b->except, d, a))
		diag_error(diag, d->file, d->word.line, d->word.column, "too many of them; expected fewer of this");
}

static const char *path_kept(const struct directive *d, unsigned i, struct arena *a)
{
	return i < d->nargs ? directive_path(d, d->args[i].text, a) : NULL;
}

static void tls_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct securing *t = self;
	if (t->at != NULL) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "TLS already configured for this server instance; expected tls once");
		return;
	}
	t->at = d;
	if (d->nargs == 0)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "certificates are not fetched here (ACME); expected CERTIFICATE KEY");
	else if (d->nargs == 1 || d->nargs > 3)
		count_wrong(d, "CERTIFICATE KEY [AUTHORITIES]", diag);
	t->pem = path_kept(d, 0, a);
	t->key = path_kept(d, 1, a);
	t->ca = path_kept(d, 2, a);
}

static void auth_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	static const char *const words[] = {
		[AUTH_NONE] = "nocert",
		[AUTH_REQUEST] = "request",
		[AUTH_REQUIRE] = "require",
		[AUTH_VERIFY_GIVEN] = "verify_if_given",
		[AUTH_REQUIRE_VERIFY] = "require_and_verify",
	};
	struct securing *t = self;
	(void)a;
	if (d->nargs != 1) {
		count_wrong(d, "one word", diag);
		return;
	}
	for (unsigned i = 0; i < COUNT(words); i++)
		if (strcmp(words[i], d->args[0].text) == 0) {
			t->auth = (enum client_auth)i;
			return;
		}
	diag_error(diag, d->file, d->word.line, d->args[0].column,
	           "unknown authentication type '%.200s'; expected nocert, request, require, verify_if_given or "
	           "require_and_verify", d->args[0].text);
}

static void keylog_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	diag_warning(diag, d->file, d->word.line, d->word.column,
	             "keylog: has no effect: the secrets of connections are not written to files");
}

static void tls_other(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	diag_error(diag, d->file, d->word.line, d->word.column, "unknown option '%.200s'; expected client_auth",
	           d->word.text);
}

const struct settings root_settings = {
	.name = "root", .doc = "the folder that names of files are relative to",
	.corefile = { "root", DIRECTIVE_ONCE, root_head }, .size = sizeof(struct rooting),
};

static const struct opt bind_opts[] = {
	{ { "except", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = except_parse,
	  .doc = "Addresses of the interfaces that stay closed." },
};

const struct settings bind_settings = {
	.name = "bind", .doc = "the addresses or interfaces to listen on, instead of all",
	.corefile = { "bind", DIRECTIVE_ADDS, bind_head },
	.size = sizeof(struct binding), .opts = bind_opts, .nopts = COUNT(bind_opts),
};

static const struct opt tls_opts[] = {
	{ { "client_auth", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = auth_parse,
	  .doc = "What is asked of clients' certificates." },
	{ { "keylog", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = keylog_parse,
	  .doc = "Has no effect: the secrets of connections are not written to files." },
	{ { "*", 1, NULL }, { NULL, NULL }, CUSTOM, .parse = tls_other, .doc = "Any other line is an error." },
};

const struct settings tls_settings = {
	.name = "tls", .doc = "the certificate of tls:// and https://",
	.corefile = { "tls", DIRECTIVE_ADDS, tls_head },
	.size = sizeof(struct securing), .opts = tls_opts, .nopts = COUNT(tls_opts),
};
