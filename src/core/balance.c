#include "core/balance.h"

#include "wire/rr.h"

#define RECORD_MAX 300u      /* owner, fixed fields and an address */
#define WEIGHT_DEFAULT 1u    /* of addresses that the file does not name */

/* Rdata ends a record. */
static struct addr address_at(const struct balance_run *run, unsigned i)
{
	struct addr a = { .family = run->family };
	memcpy(a.ip, run->msg.p + run->at + (i + 1) * run->size - addr_len(&a), addr_len(&a));
	return a;
}

static uint8_t *record_at(const struct balance_run *run, unsigned i)
{
	return (uint8_t *)(uintptr_t)run->msg.p + run->at + i * run->size;
}

/* Record `from` goes to place `to`, those between move down by one. */
static void move(const struct balance_run *run, unsigned from, unsigned to)
{
	uint8_t record[RECORD_MAX];
	if (from == to)
		return;
	memcpy(record, record_at(run, from), run->size);
	memmove(record_at(run, to + 1), record_at(run, to), (from - to) * run->size);
	memcpy(record_at(run, to), record, run->size);
}

static const struct balance_name *find(const struct balance *b, struct name name)
{
	unsigned lo = 0, hi = b->nnames;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int c = name_cmp(b->names[mid].name, name);
		if (c == 0)
			return &b->names[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static unsigned weight_of(const struct balance_name *n, const struct addr *a)
{
	for (unsigned i = 0; i < n->n; i++)
		if (addr_eq(&n->weights[i].addr, a))
			return n->weights[i].weight;
	return WEIGHT_DEFAULT;
}

static void order_by_weight(const struct balance *b, const struct balance_run *run, struct name owner, uint32_t random)
{
	const struct balance_name *n = find(b, owner);
	if (n == NULL)
		return;
	uint32_t total = 0, i = 0;
	for (unsigned k = 0; k < run->n; k++) {
		struct addr a = address_at(run, k);
		total += weight_of(n, &a);
	}
	for (uint32_t left = random % total; i < run->n; i++) {
		struct addr a = address_at(run, i);
		unsigned weight = weight_of(n, &a);
		if (left < weight)
			break;
		left -= weight;
	}
	move(run, i, 0);
}

/* A shuffle (Fisher and Yates) with a small generator of its own, as one number is all there is of chance. */
static void shuffle(const struct balance_run *run, uint32_t random)
{
	uint8_t record[RECORD_MAX];
	uint64_t state = random * UINT64_C(0x9e3779b97f4a7c15) + 1;
	for (unsigned i = run->n - 1; i > 0; i--) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		unsigned k = (unsigned)((state >> 33) % (i + 1));
		memcpy(record, record_at(run, i), run->size);
		memmove(record_at(run, i), record_at(run, k), run->size);
		memcpy(record_at(run, k), record, run->size);
	}
}

static bool is_preferred(const struct balance *b, const struct addr *a)
{
	for (unsigned i = 0; i < b->nprefer; i++)
		if (prefix_holds(&b->prefer[i], a))
			return true;
	return false;
}

void balance_order(const struct balance *b, struct balance_run *run, uint32_t random)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name owner;
	size_t at = run->at;
	if (run->size > RECORD_MAX || name_parse(run->msg, &at, store, &owner) != OK)
		return;
	run->family = get_u16(run->msg.p + at) == RR_A ? ADDR_4 : ADDR_6;
	if (b->weighted)
		order_by_weight(b, run, owner, random);
	else
		shuffle(run, random);
	for (unsigned i = 0, first = 0; i < run->n && b->nprefer > 0; i++) {
		struct addr a = address_at(run, i);
		if (is_preferred(b, &a))
			move(run, i, first++);
	}
}
