#include "plugin/kubernetes_api.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;
static struct diag diag;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 8u << 20);
	diag_init(&diag, &arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static const char *text_of(const struct kube_api *api)
{
	static char text[4096];
	struct buf b = buf_on(text, sizeof(text));
	kubernetes_api_text(api, &b);
	return buf_cstr(&b);
}

static void a_pod_is_told_where_it_is(void **state)
{
	struct kube_api api = { .host = "10.96.0.1", .port = "443" }, six = { .host = "fd00::1", .port = "6443" };
	struct kube_api none = { .host = "", .port = "443" };
	(void)state;
	kubernetes_api_ready(&api, &arena, &diag);
	assert_string_equal(api.config.base, "https://10.96.0.1:443");
	assert_string_equal(api.config.login.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
	assert_string_equal(api.config.login.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
	kubernetes_api_ready(&six, &arena, &diag);
	assert_string_equal(six.config.base, "https://[fd00::1]:6443");
	kubernetes_api_ready(&none, &arena, &diag);
	assert_null(none.config.base);
}

static void an_endpoint_goes_before(void **state)
{
	struct kube_api api = { .endpoint = "http://localhost:8080", .host = "10.96.0.1", .port = "443" };
	struct kube_api tls = { .endpoint = "https://192.0.2.1", .cert = "c", .key = "k", .ca = "a" };
	(void)state;
	kubernetes_api_ready(&api, &arena, &diag);
	assert_string_equal(api.config.base, "http://localhost:8080");
	assert_null(api.config.login.token_file);
	kubernetes_api_ready(&tls, &arena, &diag);
	assert_string_equal(tls.config.login.ca_file, "a");
	assert_string_equal(tls.config.login.cert_file, "c");
}

#define CONFIG CONFIG_OF("s3cret")
#define CONFIG_OF(token) \
	"apiVersion: v1\ncurrent-context: one\nclusters:\n- name: a\n  cluster:\n" \
	"    server: https://192.0.2.1:6443/\n    certificate-authority-data: aGVsbG8=\n- name: b\n  cluster:\n" \
	"    server: https://192.0.2.2\n    insecure-skip-tls-verify: true\n    tls-server-name: api.example\n" \
	"contexts:\n- name: one\n  context:\n    cluster: a\n    user: u\n- name: two\n" \
	"  context: {cluster: b, user: v}\n- name: lost\n  context: {cluster: z, user: v}\n- name: runs\n" \
	"  context: {cluster: b, user: w}\nusers:\n- name: u\n  user:\n    token: " token "\n- name: v\n  user:\n" \
	"    client-certificate: pki/c.pem\n    client-key: /abs/k.pem\n- name: w\n  user:\n" \
	"    exec: {command: aws}\n"

static struct kube_api configured(const char *context, const char *text)
{
	struct kube_api api = { .kubeconfig = "/etc/kube/config", .context = context, .host = "10.96.0.1",
		                .port = "443" };
	struct file_want want;
	kubernetes_api_ready(&api, &arena, &diag);
	assert_true(kubernetes_api_file_want(&api, 0, &want) && !kubernetes_api_file_want(&api, 1, &want));
	assert_true(want.secret);
	kubernetes_api_file_take(&api, span_text(text), &arena, &diag);
	return api;
}

static void a_kubeconfig_is_read(void **state)
{
	struct kube_api api = configured(NULL, CONFIG);
	(void)state;
	assert_int_equal(diag.errors, 0);
	assert_string_equal(api.config.base, "https://192.0.2.1:6443");
	assert_true(span_is(api.config.login.ca, "hello") && span_is(api.config.login.token, "s3cret"));
	assert_null(strstr(text_of(&api), "s3cret"));
	/* A new secret is the same user of the same API; another context may be another. */
	char before[1024];
	strcpy(before, text_of(&api));
	api = configured(NULL, CONFIG_OF("n3wer"));
	assert_true(span_is(api.config.login.token, "n3wer"));
	assert_string_equal(text_of(&api), before);
	api = configured("two", CONFIG);
	assert_string_not_equal(text_of(&api), before);
	assert_int_equal(diag.errors, 0);
	assert_string_equal(api.config.base, "https://192.0.2.2");
	assert_string_equal(api.config.login.cert_file, "/etc/kube/pki/c.pem");
	assert_string_equal(api.config.login.key_file, "/abs/k.pem");
	assert_string_equal(api.config.login.server_name, "api.example");
	assert_true(api.config.login.unchecked && api.config.login.token.n == 0);
}

static void what_is_wrong_with_it_is_said(void **state)
{
	(void)state;
	assert_null(configured("lost", CONFIG).config.base);
	assert_int_equal(diag.errors, 1);
	assert_null(configured("nowhere", CONFIG).config.base);
	assert_int_equal(diag.errors, 2);
	(void)configured("runs", CONFIG);
	assert_int_equal(diag.errors, 3);
	(void)configured(NULL, "{");
	assert_int_equal(diag.errors, 4);
	(void)configured(NULL, "clusters:\n- name: a\n  cluster: {server: h, certificate-authority-data: '***'}\n"
	                       "contexts:\n- name: c\n  context: {cluster: a}\ncurrent-context: c\n");
	assert_int_equal(diag.errors, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_pod_is_told_where_it_is), T(an_endpoint_goes_before), T(a_kubeconfig_is_read),
		T(what_is_wrong_with_it_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
