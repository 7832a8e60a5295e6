#include "core/kube_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/heap.h"
#include "core/kube_protobuf.h"
#include "core/kube_test.h"

static uint8_t bytes[1u << 20], list[1u << 20];
static char said[1u << 16];

static void say(struct buf *to, enum kube_form form, const struct kube_item *item)
{
	static const char letters[] = { '.', '+', '-', 'b', 'e', 'm' };
	struct arena a;
	struct kube_object o;
	struct kube_meta m;
	unsigned over = 0;
	buf_u8(to, (uint8_t)letters[item->kind]);
	if (form == KUBE_JSON) {
		buf_span_put(to, item->bytes);
		return;
	}
	arena_init(&a, 4u << 20);
	if (item->kind == KUBE_ITEM_META && kube_protobuf_list_meta(item->bytes, &m) == OK)
		buf_span_put(to, m.version);
	else if (item->kind == KUBE_ITEM_BOOKMARK && kube_protobuf_bookmark(item->bytes, &m) == OK)
		buf_span_put(to, m.version);
	else if (kube_protobuf_read(KUBE_SERVICE, item->bytes, &a, &over, &o) == OK)
		buf_span_put(to, o.name);
	arena_free(&a);
}

/* What a body says when it comes in pieces of n bytes: the items, and "!" where it is malformed, "~" where it ends
 * early. */
static const char *heard(enum kube_form form, bool watch, struct span body, size_t n)
{
	struct kube_stream s;
	struct buf b = buf_on(said, sizeof(said));
	size_t before = heap_blocks();
	enum err e = OK;
	kube_stream_init(&s, form, watch);
	while (body.n > 0 && e == OK) {
		struct span piece = span_of(body.p, MIN(n, body.n));
		struct kube_item item = { .kind = KUBE_ITEM_META };
		/* A copy of its own: what is read behind it is found by the sanitizer. */
		uint8_t *copy = heap_new(piece.n);
		memcpy(copy, piece.p, piece.n);
		body = span_from(body, piece.n);
		piece.p = copy;
		while (e == OK && item.kind != KUBE_ITEM_NONE) {
			e = kube_stream_next(&s, &piece, &item);
			if (e == OK && item.kind != KUBE_ITEM_NONE)
				say(&b, form, &item);
		}
		heap_free(copy);
	}
	buf_text(&b, e != OK ? "!" : kube_stream_end(&s) != OK ? "~" : "");
	if (s.over > 0)
		buf_printf(&b, " %u over", s.over);
	kube_stream_fini(&s);
	assert_int_equal(heap_blocks(), before);
	return buf_cstr(&b);
}

/* The same however it is cut. */
static void hears(enum kube_form form, bool watch, struct span body, const char *want)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 11, 16, 64, 100, 1000, 1u << 30 };
	for (size_t i = 0; i < COUNT(sizes); i++)
		assert_string_equal(heard(form, watch, body, sizes[i]), want);
}

static void add_item(struct buf *b, const char *name)
{
	uint8_t item[2048];
	struct buf in = buf_on(item, sizeof(item));
	enc_service(&in, name, "10.0.0.1", "5");
	enc_bytes(b, 2, buf_span(&in));
}

static void add_list_meta(struct buf *b, const char *version)
{
	uint8_t meta[256];
	struct buf in = buf_on(meta, sizeof(meta));
	enc_text(&in, 2, version);
	enc_bytes(b, 1, buf_span(&in));
}

static void list_is_cut_into_objects(void **state)
{
	(void)state;
	for (unsigned last = 0; last < 2; last++) {
		struct buf l = buf_on(list, sizeof(list)), b = buf_on(bytes, sizeof(bytes));
		if (!last)
			add_list_meta(&l, "42");
		add_item(&l, "a");
		enc_number(&l, 9, 300);
		add_item(&l, "b");
		enc_text(&l, 7, "of a later version");
		if (last)
			add_list_meta(&l, "42");
		enc_unknown(&b, "ServiceList", buf_span(&l));
		hears(KUBE_PROTOBUF, false, buf_span(&b), last ? "+a+bm42" : "m42+a+b");
		/* Cut short within the list, and behind it where only empty fields were to come. */
		assert_string_equal(heard(KUBE_PROTOBUF, false, span_of(bytes, b.n - 5), 64),
		                    last ? "+a+b~" : "m42+a+b~");
		assert_string_equal(heard(KUBE_PROTOBUF, false, span_of(bytes, b.n - 4), 64),
		                    last ? "+a+bm42" : "m42+a+b");
	}
}

static void empty_list_is_whole(void **state)
{
	struct buf l = buf_on(list, sizeof(list)), b = buf_on(bytes, sizeof(bytes));
	(void)state;
	add_list_meta(&l, "1");
	enc_unknown(&b, "ServiceList", buf_span(&l));
	hears(KUBE_PROTOBUF, false, buf_span(&b), "m1");
	hears(KUBE_JSON, false, span_text("{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}"),
	      "m{\"resourceVersion\":\"1\"}");
	hears(KUBE_JSON, false, span_text("{\"items\":null}"), "");
}

static void watch_is_cut_into_events(void **state)
{
	struct buf b = buf_on(bytes, sizeof(bytes)), o = buf_on(list, sizeof(list));
	(void)state;
	enc_service(&o, "a", "10.0.0.1", "6");
	enc_frame(&b, "ADDED", "Service", buf_span(&o));
	enc_bookmark(&b, "7", "true");
	enc_frame(&b, "MODIFIED", "Service", buf_span(&o));
	enc_frame(&b, "UNHEARD", "Service", buf_span(&o));
	buf_u32(&b, 0);
	enc_frame(&b, "DELETED", "Service", buf_span(&o));
	enc_status(&b, 410, "too old");
	hears(KUBE_PROTOBUF, true, buf_span(&b), "+ab7+a-ae");
	assert_string_equal(heard(KUBE_PROTOBUF, true, span_of(bytes, b.n - 1), 50), "+ab7+a-a~");
}

static void json_is_cut_into_objects(void **state)
{
	(void)state;
	hears(KUBE_JSON, false, span_text("{ \"kind\" : \"SL\", \"x\":[[1,{\"items\":[{}]}]], \"items\" : [ "
	      "{\"metadata\":{\"name\":\"}]\\\"{\"},\"items\":[{}]} , {\"b\":[{}]}, {} ], \"metadata\":{\"c\":{}} }\n"),
	      "+{\"metadata\":{\"name\":\"}]\\\"{\"},\"items\":[{}]}+{\"b\":[{}]}+{}m{\"c\":{}}");
	hears(KUBE_JSON, true, span_text("{\"type\":\"ADDED\",\"object\":{\"type\":\"x\"}}\n"
	      "{ \"object\" : {\"a\":\"\\\\\"} , \"type\" : \"DELETED\" }{\"type\":\"BOOKMARK\",\"object\":{}}"),
	      "+{\"type\":\"x\"}- {\"a\":\"\\\\\"} b{}");
	hears(KUBE_JSON, true, span_text("]"), "!");
	hears(KUBE_JSON, true, span_text("{\"type\":\"ADDED\",\"object\":{"), "~");
}

static void nonsense_is_refused(void **state)
{
	static const uint8_t past[] = { 'k', '8', 's', 0, 0x12, 4, 0x12, 9, 1, 1 };        /* an item past the list */
	static const uint8_t group[] = { 'k', '8', 's', 0, 0x13 };
	static const uint8_t across[] = { 'k', '8', 's', 0, 0x12, 1, 0x92, 0x01 };         /* a key cut by its end */
	(void)state;
	hears(KUBE_PROTOBUF, false, span_text("<html>"), "!");
	hears(KUBE_PROTOBUF, false, span_of(past, sizeof(past)), "!");
	hears(KUBE_PROTOBUF, false, span_of(group, sizeof(group)), "!");
	hears(KUBE_PROTOBUF, false, span_of(across, sizeof(across)), "!");
}

/* What is too long is stepped over, what stands behind it is read, and no memory is taken for it. */
static void long_objects_are_stepped_over(void **state)
{
	static uint8_t huge[KUBE_OBJECT_MAX + 70000];
	struct buf l = buf_on(huge, sizeof(huge));
	(void)state;
	buf_put(&l, "k8s", 4);
	buf_u8(&l, 0x12);
	struct buf tail = buf_on(bytes, sizeof(bytes));
	add_item(&tail, "z");
	enc_varint(&l, KUBE_OBJECT_MAX + 1 + 5 + tail.n);
	buf_u8(&l, 0x12);
	enc_varint(&l, KUBE_OBJECT_MAX + 1);
	assert_non_null(buf_room(&l, KUBE_OBJECT_MAX + 1));
	buf_span_put(&l, buf_span(&tail));
	assert_true(buf_ok(&l));
	assert_string_equal(heard(KUBE_PROTOBUF, false, buf_span(&l), 4096), "+z 1 over");
	assert_string_equal(heard(KUBE_PROTOBUF, false, buf_span(&l), 1u << 30), "+z 1 over");
	memset(huge, 'x', sizeof(huge));
	memcpy(huge, "{\"items\":[{\"", 12);
	memcpy(huge + sizeof(huge) - 16, "\":1},{\"y\":1}]}  ", 16);
	assert_string_equal(heard(KUBE_JSON, false, span_of(huge, sizeof(huge)), 4096), "+{\"y\":1} 1 over");
	assert_string_equal(heard(KUBE_JSON, false, span_of(huge, sizeof(huge)), 1u << 30), "+{\"y\":1} 1 over");
	/* A frame that claims more than an object ever has may end one day; four gigabytes are no length. */
	assert_string_equal(heard(KUBE_PROTOBUF, true, span_text("\x03\xff\xff\xffxxxx"), 3), "~ 1 over");
	assert_string_equal(heard(KUBE_PROTOBUF, true, span_text("\xff\xff\xff\xffxxxx"), 3), "!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_cut_into_objects), cmocka_unit_test(empty_list_is_whole),
		cmocka_unit_test(watch_is_cut_into_events), cmocka_unit_test(json_is_cut_into_objects),
		cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(long_objects_are_stepped_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
