/* balance: in which order a client gets the addresses of one name (loadbalance). Works on the reply that is being made,
 * so that answers from a cache are balanced too. Belongs to the configuration; any thread. */
#ifndef CORE_BALANCE_H
#define CORE_BALANCE_H

#include "base/addr.h"
#include "wire/name.h"

struct balance_weight {
	struct addr addr;
	uint8_t weight;
};

struct balance_name {
	struct name name;
	const struct balance_weight *weights;
	unsigned n;
};

struct balance {
	bool weighted;                       /* else every address is first as often as any other */
	const struct balance_name *names;    /* in canonical order */
	unsigned nnames;
	const struct prefix *prefer;         /* addresses of these come first */
	unsigned nprefer;
};

/* Address records of one name, of one size, in a message: n of them from `at` on. */
struct balance_run {
	struct span msg;
	size_t at, size;
	unsigned n;                          /* 2..255 */
	uint8_t family;                      /* found out */
};

/* The records change places within msg, which is the caller's to write to. random: any number, another each time.
 * cost  n records moved; with prefer up to n * n / 2 */
void balance_order(const struct balance *b, struct balance_run *run, uint32_t random);

#endif
