#include "app/zones_check.h"

#include "core/zonecheck.h"
#include "io/clock.h"
#include "plugin/file.h"

#define SCRATCH_MAX (8u << 20)
#define KEYS 64u            /* of a zone and its rollovers */
#define LINES_MAX 20u       /* of one zone; the rest is a number */
#define TURNS_MAX 6250u     /* a hundred thousand sets: ten seconds */
#define WHY_BYTES 200u

static void tell(const struct zonecheck *c, const char *file, unsigned *lines, struct diag *diag)
{
	for (unsigned i = 0; i < c->nfound; i++) {
		char text[NAME_TEXT_MAX + 256];
		struct buf b = buf_on(text, sizeof(text));
		if ((*lines)++ >= LINES_MAX)
			continue;
		zone_finding_text(&c->found[i], c->zone->origin, &b);
		diag_warning(diag, file, 0, 0, "%s; expected a zone whose signatures are good today", buf_cstr(&b));
	}
}

static void zone_check(const struct zone *z, const char *file, struct verifier *crypto, struct diag *diag)
{
	struct zonecheck *c = ARENA_NEW(diag->arena, struct zonecheck);
	struct effort effort;
	struct now now;
	unsigned lines = 0, turns = 0;
	bool more = zone_set_of(&z->nodes[z->apex], RR_DNSKEY) != NULL;
	if (c == NULL || !more)
		return;
	clock_now(&now);
	zonecheck_init(c, z);
	while (more && turns++ < TURNS_MAX) {
		struct arena scratch;
		arena_init(&scratch, SCRATCH_MAX);
		struct validator v = { crypto, &validate_usual, &effort, &scratch, (uint32_t)now.wall.sec };
		more = zonecheck_turn(c, &v);
		arena_free(&scratch);
		tell(c, file, &lines, diag);
	}
	if (lines > LINES_MAX)
		diag_warning(diag, file, 0, 0, "%u more sets are not in order; expected none", lines - LINES_MAX);
	if (more)
		diag_warning(diag, file, 0, 0, "only %llu sets were checked; expected a zone with fewer",
		             (unsigned long long)c->verified);
}

void zones_check(const struct model *m, struct diag *diag)
{
	static const struct hash_key key = { { 'z' } };
	char why[WHY_BYTES];
	struct buf b = buf_on(why, sizeof(why));
	struct verifier *crypto = NULL;
	for (unsigned i = 0; i < m->ninstances; i++) {
		const struct instance *in = &m->instances[i];
		const struct zone *z;
		const char *file;
		for (unsigned k = 0; in->plugin == &plugin_file && (z = file_zone(in->self, k, &file)) != NULL; k++) {
			if (crypto == NULL)
				crypto = verifier_new(NULL, &key, KEYS, &b);
			if (crypto == NULL) {
				diag_warning(diag, file, 0, 0, "signatures are not checked: %s", buf_cstr(&b));
				return;
			}
			zone_check(z, file, crypto, diag);
		}
	}
	verifier_free(crypto);
}
