/* pillars: a NodeLocal Corefile's places, filled in. */
#include "app/pillars.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "io/file.h"

#define COREFILE_MAX (1u << 20)
#define ARENA_BYTES (4u << 20)
#define VARIABLE_MAX 256u
#define UPSTREAM_SERVERS "/etc/resolv.conf"

struct pillar {
	const char *name, *value;
};

/* The variable that the kubelet gives every container of the service's namespace. NULL: it did not */
static const char *service_host(const char *service)
{
	char name[VARIABLE_MAX];
	struct buf b = buf_on(name, sizeof(name));
	for (const char *c = service; *c != 0; c++)
		buf_u8(&b, (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c == '-' ? '_' : *c));
	buf_text(&b, "_SERVICE_HOST");
	buf_u8(&b, 0);
	return buf_ok(&b) ? getenv(name) : NULL;
}

/* returns false: a place has no value, or it gets too long */
static bool fill(struct span text, const struct pillar *pillars, unsigned n, struct buf *to)
{
	while (text.n > 0) {
		unsigned i = 0;
		while (i < n && (strlen(pillars[i].name) > text.n ||
		                 memcmp(text.p, pillars[i].name, strlen(pillars[i].name)) != 0))
			i++;
		if (i < n && pillars[i].value == NULL)
			return false;
		if (i < n)
			buf_text(to, pillars[i].value);
		else
			buf_u8(to, *text.p);
		size_t step = i < n ? strlen(pillars[i].name) : 1;
		text = span_of(text.p + step, text.n - step);
	}
	return buf_ok(to);
}

static enum err write_filled(struct arena *a, const char *conf, struct span text, bool *ret_wrote, struct buf *why)
{
	struct span old;
	char ignored_text[256];
	struct buf ignored = buf_on(ignored_text, sizeof(ignored_text));
	if (file_read(conf, COREFILE_MAX, a, &old, &ignored) == OK && span_eq(old, text))
		return OK;
	TRY(file_save(conf, text, 0644, why));
	*ret_wrote = true;
	return OK;
}

enum err pillars_write(const char *base, const char *conf, const char *service, bool *ret_wrote, struct buf *why)
{
	const struct pillar pillars[] = { { "__PILLAR__CLUSTER__DNS__", service_host(service) },
		                          { "__PILLAR__UPSTREAM__SERVERS__", UPSTREAM_SERVERS } };
	struct arena a;
	struct span text;
	*ret_wrote = false;
	arena_init(&a, ARENA_BYTES);
	enum err e = file_read(base, COREFILE_MAX, &a, &text, why);
	if (e == OK) {
		struct buf filled = buf_on(heap_new(COREFILE_MAX), COREFILE_MAX);
		if (fill(text, pillars, COUNT(pillars), &filled)) {
			e = write_filled(&a, conf, buf_span(&filled), ret_wrote, why);
		} else {
			buf_printf(why, "%s: Service %s has no address here", base, service);
			e = ERR_LIMIT;
		}
		heap_free(filled.p);
	}
	arena_free(&a);
	return e == ERR_NOTFOUND ? OK : e;
}
