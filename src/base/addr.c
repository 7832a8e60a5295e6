#include "base/addr.h"

#include <arpa/inet.h>

#define V4_TEXT_MAX 15u

/* A number of one to nine digits, at most max. */
static enum err number(struct span s, uint32_t max, uint32_t *ret)
{
	uint32_t v = 0;
	if (s.n == 0 || s.n > 9)
		return ERR_RANGE;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_SYNTAX;
		v = v * 10 + (s.p[i] - '0');
	}
	if (v > max)
		return ERR_RANGE;
	*ret = v;
	return OK;
}

enum err addr_parse(struct span text, uint16_t port, struct addr *ret)
{
	struct addr a = { .port = port };
	const uint8_t *percent = text.n == 0 ? NULL : memchr(text.p, '%', text.n);
	if (percent != NULL) {
		struct span zone = span_from(text, (size_t)(percent - text.p) + 1);
		TRY(number(zone, INT32_MAX, &a.scope));
		text.n = (size_t)(percent - text.p);
	}
	char s[ADDR_TEXT_MAX];
	if (text.n == 0 || text.n >= sizeof(s) || memchr(text.p, 0, text.n) != NULL)
		return ERR_SYNTAX;
	memcpy(s, text.p, text.n);
	s[text.n] = 0;
	if (percent == NULL && text.n <= V4_TEXT_MAX && inet_pton(AF_INET, s, a.ip) == 1)
		a.family = ADDR_4;
	else if (inet_pton(AF_INET6, s, a.ip) == 1)
		a.family = ADDR_6;
	else
		return ERR_SYNTAX;
	*ret = a;
	return OK;
}

enum err prefix_parse(struct span text, struct prefix *ret)
{
	struct prefix p = { 0 };
	const uint8_t *slash = text.n == 0 ? NULL : memchr(text.p, '/', text.n);
	struct span ip = text;
	if (slash != NULL)
		ip.n = (size_t)(slash - text.p);
	TRY(addr_parse(ip, 0, &p.addr));
	uint32_t max = p.addr.family == ADDR_4 ? 32 : 128, bits = max;
	if (slash != NULL)
		TRY(number(span_from(text, ip.n + 1), max, &bits));
	p.bits = (uint8_t)bits;
	*ret = p;
	return OK;
}

bool prefix_holds(const struct prefix *p, const struct addr *a)
{
	if (p->addr.family != a->family)
		return false;
	size_t whole = p->bits / 8, rest = p->bits % 8;
	if (memcmp(p->addr.ip, a->ip, whole) != 0)
		return false;
	return rest == 0 || ((p->addr.ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, addr_len(a)) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };
	if (a->family == ADDR_4)
		return a->ip[0] == 127;
	return a->family == ADDR_6 && memcmp(a->ip, one, sizeof(one)) == 0;
}

void addr_text(const struct addr *a, struct buf *to)
{
	if (a->family == ADDR_4) {
		for (int i = 0; i < 4; i++) {
			if (i > 0)
				buf_u8(to, '.');
			buf_uint(to, a->ip[i]);
		}
		return;
	}
	char s[INET6_ADDRSTRLEN];
	if (a->family != ADDR_6 || inet_ntop(AF_INET6, a->ip, s, sizeof(s)) == NULL)
		return;
	buf_text(to, s);
	if (a->scope != 0)
		buf_printf(to, "%%%u", a->scope);
}

void addr_port_text(const struct addr *a, struct buf *to)
{
	addr_text(a, to);
	buf_u8(to, '@');
	buf_uint(to, a->port);
}
