/* Where the API is and how to log in there: each form of it, what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/kube_config.h"

static struct arena arena;
static struct json_error wrong;
static struct kube_config config;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 8u << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return heap_blocks() == 0 ? 0 : -1;
}

/* A kubeconfig of one cluster and one user, whose lines are these; "OK" or what is wrong with it. */
static const char *read_one(const char *cluster, const char *user)
{
	char text[4096];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts:\n- name: one\n  context:\n"
	           "    cluster: c\n    user: u\n    namespace: shop\nclusters:\n- name: c\n  cluster:\n%s\n"
	           "users:\n- name: u\n  user:\n%s\n", cluster, user);
	struct kube_config_text from = { .text = buf_span(&b), .folder = "/etc/kube/" };
	memset(&config, 0, sizeof(config));
	return kube_config_read(&arena, &from, &config, &wrong) == OK ? "OK" : wrong.text;
}

#define SERVER "    server: https://10.0.0.1:6443\n"

static void test_forms(void **state)
{
	(void)state;
	const struct fetch_login *l = &config.login;
	assert_string_equal(read_one("    server: https://api.example:6443/\n    certificate-authority: ca.pem",
	                             "    client-certificate: /abs/cert.pem\n    client-key: sub/key.pem"), "OK");
	assert_string_equal(config.base, "https://api.example:6443");
	assert_string_equal(config.ns, "shop");
	assert_string_equal(l->ca_file, "/etc/kube/ca.pem");
	assert_string_equal(l->cert_file, "/abs/cert.pem");
	assert_string_equal(l->key_file, "/etc/kube/sub/key.pem");
	assert_null(l->token_file);
	assert_false(l->unchecked);

	assert_string_equal(read_one(SERVER "    certificate-authority: ca.pem\n"
	                             "    certificate-authority-data: Q0Eg\n     ZGF0YQ==",
	                             "    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n"
	                             "    token: 12345"), "OK");
	assert_true(span_is(l->ca, "CA data") && span_is(l->cert, "cert") && span_is(l->key, "key"));
	assert_null(l->ca_file);
	assert_true(span_is(l->token, "12345"));

	assert_string_equal(read_one(SERVER "    tls-server-name: kubernetes\n    insecure-skip-tls-verify: true",
	                             "    token: old\n    tokenFile: token"), "OK");
	assert_string_equal(l->server_name, "kubernetes");
	assert_true(l->unchecked);
	assert_string_equal(l->token_file, "/etc/kube/token");
	assert_int_equal(l->token.n, 0);

	assert_string_equal(read_one(SERVER, "    username: admin\n    password: \"0123\""), "OK");
	assert_string_equal(l->user, "admin");
	assert_string_equal(l->password, "0123");

	assert_string_equal(read_one("    server: http://127.0.0.1:8080", "    {}"), "OK");
	assert_string_equal(config.base, "http://127.0.0.1:8080");
	assert_string_equal(read_one("    server: api:6443\n    certificate-authority: /ca", "    {}"), "OK");
	assert_string_equal(config.base, "https://api:6443");
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *cluster, *user, *why;
		unsigned line;
	} rows[] = {
		{ SERVER, "    exec:\n      command: aws\n",
		  "exec: no program is run to log in; expected a token or a client-certificate", 0 },
		{ SERVER, "    auth-provider: {name: gcp}",
		  "auth-provider: none is known here; expected a token or a client-certificate", 0 },
		{ SERVER, "    as: root", "as: nobody acts as somebody else here", 18 },
		{ SERVER "    proxy-url: http://p", "    {}", "proxy-url: there is no way through a proxy", 14 },
		{ SERVER "    certificate-authority: c\n    insecure-skip-tls-verify: true", "    {}",
		  "insecure-skip-tls-verify beside a certificate-authority; expected one of them", 0 },
		{ SERVER "    certificate-authority-data: '*'", "    {}",
		  "certificate-authority-data: this is no base 64", 14 },
		{ "    tls-server-name: x", "    {}", "there is no server in the cluster c", 0 },
		{ "    server: ftp://x", "    {}", "server: a scheme other than https and http", 0 },
		{ "    server: /", "    {}", "server: no address of an API", 0 },
		{ SERVER, "    token: a\n    username: b",
		  "a token beside a username in the user u", 0 },
		{ "    server: [", "    {}", NULL, 0 },
	};
	for (unsigned i = 0; i < COUNT(rows); i++) {
		const char *why = read_one(rows[i].cluster, rows[i].user);
		assert_string_not_equal(why, "OK");
		if (rows[i].why != NULL)
			assert_string_equal(why, rows[i].why);
		if (rows[i].line != 0)
			assert_int_equal(wrong.line, rows[i].line);
		assert_null(config.base);
	}
}

static const char *read_text(const char *text, const char *context)
{
	struct kube_config_text from = { .text = span_text(text), .context = context };
	return kube_config_read(&arena, &from, &config, &wrong) == OK ? "OK" : wrong.text;
}

static void test_contexts(void **state)
{
	(void)state;
	static const char two[] =
		"{\"current-context\": \"b\", \"contexts\": ["
		"{\"name\": \"a\", \"context\": {\"cluster\": \"x\", \"user\": \"u\"}},"
		"{\"name\": \"b\", \"context\": {\"cluster\": \"y\"}},"
		"{\"name\": \"c\", \"context\": {\"cluster\": \"gone\"}},"
		"{\"name\": \"d\", \"context\": {\"cluster\": \"x\", \"user\": \"gone\"}},"
		"{\"name\": \"e\", \"context\": {}}],"
		"\"clusters\": [{\"name\": \"x\", \"cluster\": {\"server\": \"http://x\"}},"
		"{\"name\": \"y\", \"cluster\": {\"server\": \"http://y\"}}],"
		"\"users\": [{\"name\": \"u\", \"user\": {\"token\": \"t\", \"tokenFile\": \"rel\"}}]}";
	assert_string_equal(read_text(two, NULL), "OK");
	assert_string_equal(config.base, "http://y");
	assert_string_equal(read_text(two, ""), "OK");
	assert_string_equal(config.base, "http://y");
	assert_string_equal(read_text(two, "a"), "OK");
	assert_string_equal(config.base, "http://x");
	assert_string_equal(config.login.token_file, "rel");
	assert_string_equal(read_text(two, "z"), "there is no context named z");
	assert_string_equal(read_text(two, "c"), "there is no cluster named gone");
	assert_string_equal(read_text(two, "d"), "there is no user named gone");
	assert_string_equal(read_text(two, "e"), "there is no cluster in the context e");
	assert_string_equal(read_text("a: b", NULL), "there is no current-context; expected one, or its name");
	assert_string_equal(read_text("- a", NULL), "no kubeconfig; expected clusters, users and contexts");
	assert_string_equal(read_text("x", NULL), "no kubeconfig; expected clusters, users and contexts");
}

static void test_pod(void **state)
{
	(void)state;
	assert_int_equal(kube_config_pod(&arena, "10.96.0.1", "443", &config), OK);
	assert_string_equal(config.base, "https://10.96.0.1:443");
	assert_string_equal(config.login.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
	assert_string_equal(config.login.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
	assert_int_equal(kube_config_pod(&arena, "fd00::1", "6443", &config), OK);
	assert_string_equal(config.base, "https://[fd00::1]:6443");
	assert_int_equal(kube_config_pod(&arena, NULL, "443", &config), ERR_NOTFOUND);
	assert_int_equal(kube_config_pod(&arena, "10.96.0.1", "", &config), ERR_NOTFOUND);
}

static void test_endpoint(void **state)
{
	(void)state;
	const struct fetch_login files = { .ca_file = "/ca", .cert_file = "/cert", .key_file = "/key" };
	assert_int_equal(kube_config_endpoint(&arena, "https://api:6443//", &files, &config), OK);
	assert_string_equal(config.base, "https://api:6443");
	assert_string_equal(config.login.key_file, "/key");
	assert_int_equal(kube_config_endpoint(&arena, "http://api", NULL, &config), OK);
	assert_null(config.login.ca_file);
	assert_int_equal(kube_config_endpoint(&arena, "unix:///x", NULL, &config), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_contexts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pod, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endpoint, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
