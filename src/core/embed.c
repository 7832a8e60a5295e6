#include "core/embed.h"

#include "base/assert.h"

#define U_BYTE 8u   /* bits 64 to 71 are zero and hold nothing (RFC4291 2.5.1) */

bool embed_fits(const struct prefix *p)
{
	return p->addr.family == ADDR_6 && p->bits % 8 == 0 && p->bits >= 32 && (p->bits <= 64 || p->bits == 96);
}

struct addr embed_addr(const struct prefix *p, const struct addr *v4)
{
	ASSERT(embed_fits(p) && v4->family == ADDR_4);
	struct addr a = { .family = ADDR_6, .port = v4->port };
	unsigned at = p->bits / 8;
	memcpy(a.ip, p->addr.ip, at);
	for (unsigned i = 0; i < 4; i++) {
		if (at == U_BYTE)
			at++;
		a.ip[at++] = v4->ip[i];
	}
	return a;
}
