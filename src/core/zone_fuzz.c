/* Any zone file: what can be loaded answers any question at or near its names, within bounds, and the answer packs. The
 * first two bytes choose the type asked for and how; the rest is the file of the zone "z.". */
#include <stdlib.h>

#include "core/zone_answer.h"
#include "core/zone_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES_MAX 50u    /* asked about, so that an input costs little */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void ask(struct arena *scratch, const struct zone *z, struct name name, const uint8_t how[2])
{
	static const uint16_t types[] = { RR_A, RR_NS, RR_CNAME, RR_DS, RR_MX, RR_ANY, RR_RRSIG, RR_DNAME };
	struct question q = { name, types[how[0] % COUNT(types)], CLASS_IN };
	struct zone_ask asks = { .zone = z, .question = &q, .dnssec = how[1] & 1 };
	struct zone_reply r;
	const struct packed *p;
	if (name.len == 0 || !name_below(name, z->origin))
		return;
	if (zone_answer(scratch, &asks, &r) == OK && packed_make(scratch, &q, &r.msg, &zone_packing, &p) == OK)
		must(packed_ok(span_of(p, p->size)));
	arena_free(scratch);
}

static void ask_all(const struct zone *z, const uint8_t how[2])
{
	static const struct name below[] = { { (const uint8_t *)"\001x", 3, 1 }, { (const uint8_t *)"\001*", 3, 1 },
		                             { (const uint8_t *)"\001~\001b", 5, 2 } };
	struct arena scratch;
	arena_init(&scratch, 8u << 20);
	for (uint32_t i = 0; i < z->n && i < NODES_MAX; i++) {
		must(i == 0 || name_cmp(z->nodes[i - 1].name, z->nodes[i].name) < 0);
		ask(&scratch, z, z->nodes[i].name, how);
		for (unsigned k = 0; k < COUNT(below); k++) {
			uint8_t store[NAME_MAX_BYTES];
			struct name name;
			if (name_join(below[k], below[k].labels, z->nodes[i].name, store, &name) == OK)
				ask(&scratch, z, name, how);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct name origin = { (const uint8_t *)"\001z", 3, 1 };
	struct arena keep, scratch, words;
	struct diag diag;
	struct span file;
	const char *from;
	unsigned files = 0;
	if (size < 2)
		return 0;
	arena_init(&keep, 32u << 20);
	arena_init(&scratch, 32u << 20);
	arena_init(&words, 4u << 20);
	diag_init(&diag, &words);
	struct zone_load *l = zone_load_new(&keep, &scratch, origin, &diag);
	must(l != NULL);
	zone_load_text(l, "fuzz", span_of(data + 2, size - 2));
	while (zone_load_run(l, &file, &from) == ZONE_WANTS_FILE) {
		if (files++ % 2 == 0)
			zone_load_text(l, "again", span_of(data + 2, MIN(size - 2, 200u)));
		else
			zone_load_missing(l, "not there");
	}
	const struct zone *z = zone_load_done(l);
	must((z == NULL) == (diag.errors > 0));
	arena_free(&scratch);
	if (z != NULL)
		ask_all(z, data);
	arena_free(&words);
	arena_free(&keep);
	return 0;
}
