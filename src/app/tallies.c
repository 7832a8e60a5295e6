#include "app/tallies.h"

#include <string.h>

#include "base/heap.h"

#define LABEL_TEXT_MAX (2u * NAME_TEXT_MAX)
#define ZONES_TEXT_MAX 8192u

struct tally_row *tallies_take(struct tallies *t, unsigned workers, const char *server, const char *zone,
                               const char *view)
{
	char text[LABEL_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "server=\"%s\"", server);
	if (zone != NULL)
		buf_printf(&b, ",zone=\"%s\",view=\"%s\"", zone, view);
	struct tally_row *first = atomic_load(&t->first);
	for (struct tally_row *r = first; r != NULL; r = r->next) {
		if (strcmp(r->labels, buf_cstr(&b)) == 0)
			return r;
	}
	if (t->n == TALLIES_MAX)
		return NULL;
	t->n++;
	struct tally_row *r = heap_new(sizeof(*r));
	r->labels = memcpy(heap_new(b.n + 1), text, b.n + 1);
	r->workers = workers;
	r->of = heap_new(sizeof(*r->of) * workers);
	r->next = first;
	atomic_store(&t->first, r);
	return r;
}

void tallies_fini(struct tallies *t)
{
	for (struct tally_row *r = atomic_load(&t->first), *next; r != NULL; r = next) {
		next = r->next;
		heap_free((void *)(uintptr_t)r->labels);
		heap_free(r->of);
		heap_free(r);
	}
	atomic_store(&t->first, NULL);
}

#define WORKERS_LISTED 64u

void tallies_samples(const struct tallies *t, struct samples *to)
{
	const struct tally *list[WORKERS_LISTED];
	for (const struct tally_row *r = atomic_load(&t->first); r != NULL; r = r->next) {
		unsigned n = MIN(r->workers, WORKERS_LISTED);
		for (unsigned i = 0; i < n; i++)
			list[i] = &r->of[i];
		tally_samples(list, n, r->labels, to);
	}
}

void server_label(const struct listen *l, struct buf *to)
{
	static const char *const schemes[] = { [TRANSPORT_DNS] = "dns", [TRANSPORT_TLS] = "tls",
		                               [TRANSPORT_HTTPS] = "https" };
	static const uint8_t every[16];
	const struct addr *a = &l->addr;
	bool wild = memcmp(a->ip, every, addr_len(a)) == 0;
	buf_printf(to, "%s://", schemes[l->transport]);
	if (!wild && a->family == ADDR_6)
		buf_u8(to, '[');
	if (!wild)
		addr_text(a, to);
	if (!wild && a->family == ADDR_6)
		buf_u8(to, ']');
	buf_printf(to, ":%u", a->port);
}

enum err site_labels(const struct site *site, const char *server, struct arena *a, struct sample_labels *ret)
{
	char text[ZONES_TEXT_MAX], first[NAME_TEXT_MAX];
	struct buf all = buf_on(text, sizeof(text)), one = buf_on(first, sizeof(first));
	for (unsigned i = 0; i < site->nzones; i++) {
		if (i > 0)
			buf_u8(&all, ',');
		name_text(site->zones[i], &all);
	}
	if (site->nzones > 0)
		name_text(site->zones[0], &one);
	ret->server = server == NULL ? "" : arena_printf(a, "server=\"%s\"", server);
	ret->view = arena_printf(a, "view=\"%s\"", site->view);
	if (ret->server == NULL || ret->view == NULL)
		return ERR_LIMIT;
	ret->zone_view = arena_printf(a, "zone=\"%s\",%s", buf_cstr(&one), ret->view);
	ret->zones_view = arena_printf(a, "zones=\"%s\",%s", buf_cstr(&all), ret->view);
	return ret->zone_view == NULL || ret->zones_view == NULL ? ERR_LIMIT : OK;
}
