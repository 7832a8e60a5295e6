#include "core/nta.h"

#include "base/heap.h"

unsigned ntas_place(const struct ntas *l, struct name zone, bool *ret_found)
{
	unsigned i = 0;
	while (i < l->n && name_cmp(l->list[i].zone, zone) < 0)
		i++;
	*ret_found = i < l->n && name_eq(l->list[i].zone, zone);
	return i;
}

void ntas_drop(struct ntas *l, unsigned at)
{
	heap_free((void *)(uintptr_t)l->list[at].zone.wire);
	memmove(l->list + at, l->list + at + 1, (--l->n - at) * sizeof(l->list[0]));
}

bool ntas_drop_ended(struct ntas *l, int64_t wall)
{
	unsigned before = l->n;
	for (unsigned i = l->n; i-- > 0;) {
		if (l->list[i].until != 0 && l->list[i].until <= wall)
			ntas_drop(l, i);
	}
	return l->n != before;
}

void ntas_put(struct ntas *l, unsigned at, struct name zone)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name folded = name_fold(zone, store);
	folded.wire = memcpy(heap_new(folded.len), folded.wire, folded.len);
	memmove(l->list + at + 1, l->list + at, (l->n++ - at) * sizeof(l->list[0]));
	l->list[at] = (struct nta){ .zone = folded };
}

int64_t ntas_first_end(const struct ntas *l)
{
	int64_t at = INT64_MAX;
	for (unsigned i = 0; i < l->n; i++)
		at = l->list[i].until == 0 ? at : MIN(at, l->list[i].until);
	return at;
}

void ntas_free(struct ntas *l)
{
	while (l->n > 0)
		ntas_drop(l, l->n - 1);
}
