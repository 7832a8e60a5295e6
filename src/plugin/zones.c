#include "plugin/zones.h"

#define REVERSE_TEXT_MAX 80u   /* 32 nibbles with dots, and ip6.arpa. */

static bool keep(struct arena *a, struct span text, struct name *ret)
{
	uint8_t store[NAME_MAX_BYTES], lower[NAME_MAX_BYTES];
	struct name n;
	if (text.n == 0 || name_from_text(text, NULL, store, &n) != OK)
		return false;
	*ret = name_dup(a, name_fold(n, lower));
	return ret->wire != NULL;
}

/* The zone of the first `labels` octets or nibbles of an address. */
static void reverse_put(const uint8_t ip[16], bool is_4, unsigned labels, struct buf *to)
{
	for (unsigned i = labels; i-- > 0;) {
		if (is_4)
			buf_printf(to, "%u.", ip[i]);
		else
			buf_printf(to, "%x.", i % 2 == 0 ? ip[i / 2] >> 4 : ip[i / 2] & 15);
	}
	buf_text(to, is_4 ? "in-addr.arpa." : "ip6.arpa.");
}

/* A network that ends within a label is all the zones that this label can begin. */
static unsigned reverse_zones(const struct prefix *p, struct arena *a, struct name ret[REVERSE_ZONES_MAX])
{
	bool is_4 = p->addr.family == ADDR_4;
	unsigned width = is_4 ? 8 : 4, labels = (p->bits + width - 1) / width, left = labels * width - p->bits;
	unsigned n = 1u << left;
	for (unsigned i = 0; i < n; i++) {
		uint8_t ip[16];
		char text[REVERSE_TEXT_MAX];
		struct buf b = buf_on(text, sizeof(text));
		memcpy(ip, p->addr.ip, sizeof(ip));
		if (left > 0) {
			uint8_t *last = &ip[is_4 ? labels - 1 : (labels - 1) / 2];
			unsigned shift = is_4 || labels % 2 == 0 ? 0 : 4;
			*last = (uint8_t)((*last & ~((n - 1) << shift)) | i << shift);
		}
		reverse_put(ip, is_4, labels, &b);
		if (!keep(a, buf_span(&b), &ret[i]))
			return 0;
	}
	return n;
}

unsigned zones_of(const char *text, struct arena *a, struct name ret[REVERSE_ZONES_MAX])
{
	struct prefix p;
	if (strchr(text, '/') != NULL && prefix_parse(span_text(text), &p) == OK)
		return reverse_zones(&p, a, ret);
	return keep(a, span_text(text), &ret[0]) ? 1 : 0;
}

struct zone_list zones_or_all(const struct directive *d, unsigned first, struct arena *a, struct diag *diag)
{
	struct name some[REVERSE_ZONES_MAX];
	if (d->nargs <= first)
		return (struct zone_list){ &name_root, 1 };
	struct name *names = NULL;
	unsigned n = 0;
	for (unsigned i = first; i < d->nargs; i++) {
		unsigned more = zones_of(d->args[i].text, a, some);
		if (more == 0)
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "zone is not a valid domain name: %.200s; expected a name or ADDRESS/BITS",
			           d->args[i].text);
		struct name *longer = n + more > ZONES_MAX ? NULL : ARENA_ARRAY(a, struct name, n + more + 1);
		if (longer == NULL) {
			diag_error(diag, d->file, d->args[i].line, d->args[i].column,
			           "too many zones; expected at most %u", ZONES_MAX);
			break;
		}
		if (n > 0)
			memcpy(longer, names, sizeof(*names) * n);
		memcpy(longer + n, some, sizeof(*some) * more);
		names = longer;
		n += more;
	}
	return (struct zone_list){ names, n };
}

struct zone_list zones_read(const struct directive *d, unsigned first, struct arena *a, struct diag *diag)
{
	if (d->nargs <= first && d->server != NULL)
		return (struct zone_list){ d->server->zones, d->server->nzones };
	return zones_or_all(d, first, a, diag);
}

const struct name *zones_find(const struct zone_list *z, struct name name)
{
	const struct name *best = NULL;
	for (unsigned i = 0; i < z->n; i++) {
		if (name_below(name, z->names[i]) && (best == NULL || z->names[i].labels > best->labels))
			best = &z->names[i];
	}
	return best;
}
