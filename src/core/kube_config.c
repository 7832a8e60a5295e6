#include "core/kube_config.h"

#include "base/base64.h"

#define BASE_MAX (FETCH_URL_MAX / 2)   /* a path goes behind it */

/* A reading. */
struct reading {
	struct arena *arena;
	const struct kube_config_text *from;
	struct kube_config out;
	struct json_error *error;
};

/* About the value j, if there is one. text, of: what is wrong, and with what */
static enum err refuse(struct reading *r, enum err err, const struct json *j, const char *text, const char *of)
{
	*r->error = (struct json_error){ .line = j == NULL ? 0 : j->line, .column = j == NULL ? 0 : j->column };
	struct buf b = buf_on(r->error->text, sizeof(r->error->text));
	buf_printf(&b, "%s%s", text, of == NULL ? "" : of);
	buf_cstr(&b);
	return err;
}

static enum err no_room(struct reading *r)
{
	return refuse(r, ERR_LIMIT, NULL, "a kubeconfig larger than there is room for", NULL);
}

/* The member as text; "" is as good as none. */
static const char *text_of(const struct json *j, const char *key)
{
	const char *text = json_cstr(json_get(j, key));
	return text == NULL || *text == 0 ? NULL : text;
}

/* Of a list of { name: ..., part: { ... } }, the part of that name. */
static const struct json *named(const struct json *root, const char *list, const char *part, const char *name)
{
	const struct json *all = json_get(root, list);
	for (unsigned i = 0; json_is(all, JSON_LIST) && i < all->n; i++) {
		const char *own = text_of(&all->list[i], "name");
		if (own != NULL && strcmp(own, name) == 0)
			return json_get(&all->list[i], part);
	}
	return NULL;
}

static enum err path_of(struct reading *r, const struct json *j, const char *key, const char **ret)
{
	const char *path = text_of(j, key), *folder = r->from->folder;
	if (path == NULL)
		return OK;
	*ret = *path == '/' || folder == NULL ? path : arena_printf(r->arena, "%s%s", folder, path);
	return *ret == NULL ? no_room(r) : OK;
}

/* PEM text in base 64. */
static enum err data_of(struct reading *r, const struct json *j, const char *key, struct span *ret)
{
	const struct json *value = json_get(j, key);
	struct span text = json_text(value);
	if (text.n == 0)
		return OK;
	enum err err = base64_read(r->arena, text, ret);
	if (err == ERR_LIMIT)
		return no_room(r);
	if (err != OK || ret->n == 0)
		return refuse(r, ERR_SYNTAX, value, key, ": this is no base 64");
	return OK;
}

/* Data goes before a file. */
static enum err pem_of(struct reading *r, const struct json *j, const char *const keys[2], struct span *data,
                       const char **file)
{
	TRY(data_of(r, j, keys[0], data));
	return data->n > 0 ? OK : path_of(r, j, keys[1], file);
}

/* Words that mean what is not done here: ignored they would end in a login as somebody else, or a way around what the
 * file's owner has put in between. */
static enum err refuse_words(struct reading *r, const struct json *j, const char *const rows[][2], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct json *value = json_get(j, rows[i][0]);
		if (value != NULL && value->kind != JSON_NOTHING)
			return refuse(r, ERR_SYNTAX, value, rows[i][0], rows[i][1]);
	}
	return OK;
}

static enum err set_base(struct reading *r, const char *url)
{
	const struct fetch_login *l = &r->out.login;
	bool tls = l->ca.n > 0 || l->ca_file != NULL || l->cert.n > 0 || l->cert_file != NULL || l->unchecked;
	size_t n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	const char *scheme = strstr(url, "://") != NULL ? "" : tls ? "https://" : "http://";
	if (n == 0 || n > BASE_MAX)
		return refuse(r, ERR_SYNTAX, NULL, "server: no address of an API", NULL);
	if (*scheme == 0 && strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return refuse(r, ERR_SYNTAX, NULL, "server: a scheme other than https and http", NULL);
	r->out.base = arena_printf(r->arena, "%s%.*s", scheme, (int)n, url);
	return r->out.base == NULL ? no_room(r) : OK;
}

static enum err read_cluster(struct reading *r, const struct json *cluster, const char *name)
{
	static const char *const refused[][2] = {
		{ "proxy-url", ": there is no way through a proxy" },
	};
	static const char *const ca[2] = { "certificate-authority-data", "certificate-authority" };
	struct fetch_login *l = &r->out.login;
	if (cluster == NULL)
		return refuse(r, ERR_NOTFOUND, NULL, "there is no cluster named ", name);
	TRY(refuse_words(r, cluster, refused, COUNT(refused)));
	TRY(pem_of(r, cluster, ca, &l->ca, &l->ca_file));
	l->server_name = text_of(cluster, "tls-server-name");
	l->unchecked = json_is(json_get(cluster, "insecure-skip-tls-verify"), JSON_YES);
	if (l->unchecked && (l->ca.n > 0 || l->ca_file != NULL))
		return refuse(r, ERR_SYNTAX, cluster,
		              "insecure-skip-tls-verify beside a certificate-authority; expected one of them", NULL);
	const char *server = text_of(cluster, "server");
	return server == NULL ? refuse(r, ERR_NOTFOUND, cluster, "there is no server in the cluster ", name) :
		set_base(r, server);
}

static enum err read_user(struct reading *r, const struct json *user, const char *name)
{
	static const char *const refused[][2] = {
		{ "exec", ": no program is run to log in; expected a token or a client-certificate" },
		{ "auth-provider", ": none is known here; expected a token or a client-certificate" },
		{ "as", ": nobody acts as somebody else here" },
	};
	static const char *const cert[2] = { "client-certificate-data", "client-certificate" };
	static const char *const key[2] = { "client-key-data", "client-key" };
	struct fetch_login *l = &r->out.login;
	if (user == NULL)
		return refuse(r, ERR_NOTFOUND, NULL, "there is no user named ", name);
	TRY(refuse_words(r, user, refused, COUNT(refused)));
	TRY(pem_of(r, user, cert, &l->cert, &l->cert_file));
	TRY(pem_of(r, user, key, &l->key, &l->key_file));
	TRY(path_of(r, user, "tokenFile", &l->token_file));
	if (l->token_file == NULL && text_of(user, "token") != NULL)
		l->token = json_text(json_get(user, "token"));
	l->user = text_of(user, "username");
	l->password = text_of(user, "password");
	bool token = l->token_file != NULL || l->token.n > 0;
	if (token && l->user != NULL)
		return refuse(r, ERR_SYNTAX, user, "a token beside a username in the user ", name);
	return OK;
}

static enum err read_context(struct reading *r, const struct json *root)
{
	const char *name = r->from->context;
	if (name == NULL || *name == 0)
		name = text_of(root, "current-context");
	if (name == NULL)
		return refuse(r, ERR_NOTFOUND, root, "there is no current-context; expected one, or its name", NULL);
	const struct json *context = named(root, "contexts", "context", name);
	if (context == NULL)
		return refuse(r, ERR_NOTFOUND, NULL, "there is no context named ", name);
	const char *cluster = text_of(context, "cluster"), *user = text_of(context, "user");
	if (cluster == NULL)
		return refuse(r, ERR_NOTFOUND, context, "there is no cluster in the context ", name);
	r->out.ns = text_of(context, "namespace");
	TRY(read_cluster(r, named(root, "clusters", "cluster", cluster), cluster));
	return user == NULL ? OK : read_user(r, named(root, "users", "user", user), user);
}

enum err kube_config_read(struct arena *a, const struct kube_config_text *from, struct kube_config *ret,
                          struct json_error *error)
{
	struct reading r = { .arena = a, .from = from, .error = error };
	const struct json *root;
	TRY(yaml_parse(a, from->text, &root, error));
	if (!json_is(root, JSON_MAP))
		return refuse(&r, ERR_SYNTAX, root, "no kubeconfig; expected clusters, users and contexts", NULL);
	TRY(read_context(&r, root));
	*ret = r.out;
	return OK;
}

enum err kube_config_pod(struct arena *a, const char *host, const char *port, struct kube_config *ret)
{
	if (host == NULL || *host == 0 || port == NULL || *port == 0)
		return ERR_NOTFOUND;
	bool six = strchr(host, ':') != NULL;
	struct kube_config c = { .login = { .ca_file = KUBE_CA_FILE, .token_file = KUBE_TOKEN_FILE } };
	c.base = arena_printf(a, six ? "https://[%s]:%s" : "https://%s:%s", host, port);
	if (c.base == NULL || strlen(c.base) > BASE_MAX)
		return ERR_LIMIT;
	*ret = c;
	return OK;
}

enum err kube_config_endpoint(struct arena *a, const char *url, const struct fetch_login *files,
                              struct kube_config *ret)
{
	struct json_error error;
	struct reading r = { .arena = a, .error = &error };
	if (files != NULL)
		r.out.login = *files;
	TRY(set_base(&r, url));
	*ret = r.out;
	return OK;
}
