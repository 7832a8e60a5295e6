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

bool embed_holds(const struct prefix *p, const struct addr *v6, struct addr *ret_v4)
{
	ASSERT(embed_fits(p));
	struct addr a = { .family = ADDR_4, .port = v6->port };
	if (v6->family != ADDR_6 || !prefix_holds(p, v6))
		return false;
	unsigned at = p->bits / 8;
	for (unsigned i = 0; i < 4; i++) {
		if (at == U_BYTE)
			at++;
		a.ip[i] = v6->ip[at++];
	}
	*ret_v4 = a;
	return true;
}
