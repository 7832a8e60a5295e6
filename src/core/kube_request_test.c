#include "core/kube_request.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *url(const struct kube_want *want, const struct kube_request *r)
{
	static char text[4096];
	struct buf b = buf_on(text, sizeof(text));
	assert_int_equal(kube_request_url(want, r, &b), OK);
	return buf_cstr(&b);
}

static void urls_are_the_apis(void **state)
{
	struct kube_want want = { .kind = KUBE_SLICE, .base = "https://10.96.0.1:443" };
	struct kube_request r = { .how = KUBE_ASK_LIST, .version = span_text("0"), .limit = 500 };
	(void)state;
	assert_string_equal(url(&want, &r), "https://10.96.0.1:443/apis/discovery.k8s.io/v1/endpointslices"
	                    "?limit=500&resourceVersion=0");
	r = (struct kube_request){ .how = KUBE_ASK_WATCH, .version = span_text("77"), .timeout_secs = 400 };
	want.kind = KUBE_SERVICE;
	assert_string_equal(url(&want, &r), "https://10.96.0.1:443/api/v1/services?watch=true&allowWatchBookmarks=true"
	                    "&timeoutSeconds=400&resourceVersion=77");
	r = (struct kube_request){ .how = KUBE_ASK_STREAM, .timeout_secs = 300 };
	want.kind = KUBE_IMPORT;
	assert_string_equal(url(&want, &r), "https://10.96.0.1:443/apis/multicluster.x-k8s.io/v1alpha1/serviceimports"
	                    "?watch=true&allowWatchBookmarks=true&timeoutSeconds=300&sendInitialEvents=true"
	                    "&resourceVersionMatch=NotOlderThan");
	want.kind = KUBE_POD;
	r = (struct kube_request){ .how = KUBE_ASK_LIST };
	assert_string_equal(url(&want, &r), "https://10.96.0.1:443/api/v1/pods?fieldSelector="
	                    "status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed%2Cstatus.phase%21%3DUnknown");
}

static void what_users_and_servers_say_is_escaped(void **state)
{
	struct kube_want want = { .kind = KUBE_SERVICE, .base = "http://h/prefix", .ns = span_text("a/b?c&d"),
		                  .labels = span_text("app in (a, b),x!=y") };
	struct kube_request r = { .how = KUBE_ASK_LIST, .more = span_text("to+k=n&x#") };
	char small[64];
	struct buf b = buf_on(small, sizeof(small));
	(void)state;
	assert_string_equal(url(&want, &r), "http://h/prefix/api/v1/namespaces/a%2Fb%3Fc%26d/services?labelSelector="
	                    "app%20in%20%28a%2C%20b%29%2Cx%21%3Dy&continue=to%2Bk%3Dn%26x%23");
	assert_int_equal(kube_request_url(&want, &r, &b), ERR_LIMIT);
	want = (struct kube_want){ .kind = KUBE_NAMESPACE, .base = "http://h", .ns = span_text("shop") };
	r = (struct kube_request){ 0 };
	assert_string_equal(url(&want, &r), "http://h/api/v1/namespaces?fieldSelector=metadata.name%3Dshop");
}

static void namespaces_come_as_metadata(void **state)
{
	(void)state;
	assert_non_null(strstr(kube_request_accept(KUBE_NAMESPACE, KUBE_ASK_LIST), "as=PartialObjectMetadataList;"));
	assert_non_null(strstr(kube_request_accept(KUBE_NAMESPACE, KUBE_ASK_STREAM), "as=PartialObjectMetadata;"));
	assert_null(strstr(kube_request_accept(KUBE_POD, KUBE_ASK_LIST), "PartialObject"));
	assert_string_equal(kube_request_accept(KUBE_IMPORT, KUBE_ASK_LIST), "application/json");
}

static void requests_are_counted(void **state)
{
	struct kube_rate r;
	(void)state;
	kube_rate_init(&r, 2, 3, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kube_rate_take(&r, 1000, false), 0);
	msec when = kube_rate_take(&r, 1000, false);
	assert_in_range(when, 1500, 1510);
	assert_true(kube_rate_take(&r, 1400, true) > 0);   /* given by the user: pages count */
	assert_int_equal(kube_rate_take(&r, when, false), 0);
	assert_true(kube_rate_take(&r, when, false) > 0);
	/* After a long rest no more than the burst. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kube_rate_take(&r, 1000000, false), 0);
	assert_true(kube_rate_take(&r, 1000000, false) > 1000000);
	/* A clock that went back gives nothing away and holds nothing up for ever. */
	assert_true(kube_rate_take(&r, 10, false) > 0);
}

static void usual_rate_lets_pages_through(void **state)
{
	struct kube_rate r;
	(void)state;
	kube_rate_init(&r, 0, 0, 0);
	for (unsigned i = 0; i < KUBE_BURST; i++)
		assert_int_equal(kube_rate_take(&r, 0, false), 0);
	assert_true(kube_rate_take(&r, 0, false) > 0);
	assert_int_equal(kube_rate_take(&r, 0, true), 0);
}

static void requests_under_way_are_bounded(void **state)
{
	struct kube_rate r;
	(void)state;
	kube_rate_init(&r, 0, 0, 2);
	assert_int_equal(kube_rate_take(&r, 0, false), 0);
	assert_int_equal(kube_rate_take(&r, 0, false), 0);
	assert_true(kube_rate_take(&r, 0, false) > 0);
	kube_rate_done(&r);
	assert_int_equal(kube_rate_take(&r, 0, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_the_apis), cmocka_unit_test(what_users_and_servers_say_is_escaped),
		cmocka_unit_test(namespaces_come_as_metadata), cmocka_unit_test(requests_are_counted),
		cmocka_unit_test(usual_rate_lets_pages_through), cmocka_unit_test(requests_under_way_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
