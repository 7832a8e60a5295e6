#include "app/road.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Sites 0.. are the zones in this order; whoami has no other class, forward has. */
static const struct plugin whoami = { .settings = { .name = "whoami" } };
static const struct plugin forward = { .settings = { .name = "forward" } };

#define ZONES_MAX 200u

struct world {
	struct arena arena;
	struct site sites[ZONES_MAX];
	struct route routes[ZONES_MAX];
	struct listen listen;
	struct road road;
	struct addr from;          /* who asks */
};

static struct name name_of(struct arena *a, const char *text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	assert_int_equal(name_from_text(span_text(text), NULL, store, &n), OK);
	return name_dup(a, n);
}

static void world_make(struct world *w, const char *const *zones, unsigned n, const struct plugin *plugin)
{
	*w = (struct world){ 0 };
	arena_init(&w->arena, 1u << 20);
	for (unsigned i = 0; i < n; i++) {
		w->sites[i].label = zones[i];
		w->sites[i].chain.n = 1;
		w->sites[i].plugins[0] = plugin;
		w->routes[i] = (struct route){ name_of(&w->arena, zones[i]), i };
	}
	w->listen = (struct listen){ .routes = w->routes, .nroutes = n };
	assert_int_equal(road_make(&w->listen, w->sites, &w->arena, &w->road), OK);
}

/* The zone a question goes to, "" for none. */
static const char *goes(struct world *w, const char *name, uint16_t type, uint16_t class)
{
	struct client c = { .from = w->from };
	c.question = (struct question){ .name = name_of(&w->arena, name), .type = type, .class = class };
	const struct route *r = road_route(&w->road, NULL, &c);
	return r == NULL ? "" : w->sites[r->site].label;
}

static void longest_zone_wins(void **state)
{
	static const char *const zones[] = { "sub.example.org.", "example.org.", "cluster.local.", "." };
	struct world w;
	(void)state;
	world_make(&w, zones, 4, &whoami);
	assert_string_equal(goes(&w, "a.b.SUB.example.ORG.", RR_A, CLASS_IN), "sub.example.org.");
	assert_string_equal(goes(&w, "sub.example.org.", RR_A, CLASS_IN), "sub.example.org.");
	assert_string_equal(goes(&w, "xsub.example.org.", RR_A, CLASS_IN), "example.org.");
	assert_string_equal(goes(&w, "org.", RR_A, CLASS_IN), ".");
	assert_string_equal(goes(&w, ".", RR_NS, CLASS_IN), ".");
	arena_free(&w.arena);
}

static void nobody_is_responsible(void **state)
{
	static const char *const zones[] = { "example.org." };
	struct world w;
	(void)state;
	world_make(&w, zones, 1, &whoami);
	assert_string_equal(goes(&w, "a.example.org.", RR_A, CLASS_IN), "example.org.");
	assert_string_equal(goes(&w, "example.com.", RR_A, CLASS_IN), "");
	assert_string_equal(goes(&w, ".", RR_A, CLASS_IN), "");
	arena_free(&w.arena);
}

static void rfc4035_s3_1_4_1_ds_is_the_parents(void **state)
{
	static const char *const zones[] = { "sub.example.org.", "example.org.", "." };
	struct world w;
	(void)state;
	world_make(&w, zones, 3, &whoami);
	assert_string_equal(goes(&w, "sub.example.org.", RR_DS, CLASS_IN), "example.org.");
	assert_string_equal(goes(&w, "deep.sub.example.org.", RR_DS, CLASS_IN), "sub.example.org.");
	/* The root's block is no parent: it asks elsewhere. */
	assert_string_equal(goes(&w, "example.org.", RR_DS, CLASS_IN), "example.org.");
	assert_string_equal(goes(&w, "com.", RR_DS, CLASS_IN), ".");
	arena_free(&w.arena);
}

static void other_classes_need_somebody(void **state)
{
	static const char *const zones[] = { "." };
	struct world w;
	(void)state;
	world_make(&w, zones, 1, &whoami);
	assert_string_equal(goes(&w, "version.bind.", RR_TXT, CLASS_CH), "");
	arena_free(&w.arena);
	world_make(&w, zones, 1, &forward);
	assert_string_equal(goes(&w, "version.bind.", RR_TXT, CLASS_CH), ".");
	arena_free(&w.arena);
}

static void many_zones(void **state)
{
	static char texts[128][40];
	const char *zones[128];
	struct world w;
	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		struct buf b = buf_on(texts[i], sizeof(texts[i]));
		buf_printf(&b, "%u.1.168.192.in-addr.arpa.", i);
		zones[i] = buf_cstr(&b);
	}
	world_make(&w, zones, 128, &whoami);
	assert_string_equal(goes(&w, "127.1.168.192.in-addr.arpa.", RR_PTR, CLASS_IN), zones[127]);
	assert_string_equal(goes(&w, "5.0.1.168.192.in-addr.arpa.", RR_PTR, CLASS_IN), zones[0]);
	assert_string_equal(goes(&w, "128.1.168.192.in-addr.arpa.", RR_PTR, CLASS_IN), "");
	arena_free(&w.arena);
}

/* The n-th site is for what meets the condition. */
static void condition(struct world *w, unsigned n, const char *text)
{
	struct expr_source s = { .text = span_text(text) };
	struct formula_wrong wrong;
	const struct node **list = ARENA_ARRAY(&w->arena, const struct node *, 1);
	assert_non_null(list);
	list[0] = expr_read(&w->arena, &s, &wrong);
	assert_non_null(list[0]);
	w->sites[n].conditions = list;
	w->sites[n].nconditions = 1;
	w->sites[n].label = text;
	assert_int_equal(road_make(&w->listen, w->sites, &w->arena, &w->road), OK);
}

static void r08_views_are_tried_in_their_order(void **state)
{
	static const char *const zones[] = { "example.org.", "example.org.", "example.org.", "org.", "." };
	static const char loop[] = "incidr(client_ip(), '127.0.0.0/8')", mail[] = "type() == 'MX'";
	struct world w;
	(void)state;
	world_make(&w, zones, 5, &whoami);
	condition(&w, 0, loop);
	condition(&w, 1, mail);
	w.from = (struct addr){ .family = ADDR_4, .ip = { 127, 0, 0, 1 } };
	assert_string_equal(goes(&w, "a.example.org.", RR_MX, CLASS_IN), loop);
	w.from.ip[0] = 10;
	assert_string_equal(goes(&w, "a.example.org.", RR_MX, CLASS_IN), mail);
	assert_string_equal(goes(&w, "a.example.org.", RR_A, CLASS_IN), "example.org.");
	condition(&w, 2, "name() == 'b.example.org.'");
	assert_string_equal(goes(&w, "B.example.org.", RR_A, CLASS_IN), "name() == 'b.example.org.'");
	assert_string_equal(goes(&w, "a.example.org.", RR_A, CLASS_IN), "org.");
	condition(&w, 3, "do()");
	assert_string_equal(goes(&w, "a.example.org.", RR_A, CLASS_IN), ".");
	condition(&w, 4, "false");
	assert_string_equal(goes(&w, "a.example.org.", RR_A, CLASS_IN), "");
	arena_free(&w.arena);
}

static void a_root_with_a_view_alone(void **state)
{
	static const char *const zones[] = { "." };
	struct world w;
	(void)state;
	world_make(&w, zones, 1, &whoami);
	condition(&w, 0, "type() in ['A', 'AAAA']");
	assert_string_not_equal(goes(&w, "x.", RR_A, CLASS_IN), "");
	assert_string_equal(goes(&w, "x.", RR_MX, CLASS_IN), "");
	arena_free(&w.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_zone_wins), cmocka_unit_test(nobody_is_responsible),
		cmocka_unit_test(rfc4035_s3_1_4_1_ds_is_the_parents), cmocka_unit_test(other_classes_need_somebody),
		cmocka_unit_test(many_zones), cmocka_unit_test(r08_views_are_tried_in_their_order),
		cmocka_unit_test(a_root_with_a_view_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
