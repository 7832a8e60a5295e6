#include "crypto/keyshape.h"

#define DSA_Q_BYTES 20u
#define DSA_T_MAX 8u

bool algorithm_known(uint8_t algorithm)
{
	switch (algorithm) {
	case ALG_DSA: case ALG_RSASHA1: case ALG_DSA_NSEC3_SHA1: case ALG_RSASHA1_NSEC3_SHA1: case ALG_RSASHA256:
	case ALG_RSASHA512: case ALG_ECDSAP256SHA256: case ALG_ECDSAP384SHA384: case ALG_ED25519: case ALG_ED448:
		return true;
	default:
		return false;
	}
}

static struct span skip_zeros(struct span s)
{
	while (s.n > 0 && *s.p == 0)
		s = span_from(s, 1);
	return s;
}

static unsigned bits_of(struct span s)
{
	unsigned bits = (unsigned)s.n * 8;
	for (uint8_t top = s.n > 0 ? *s.p : 0xff; (top & 0x80) == 0; top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

/* The exponent's length in one byte, or in two behind a zero (RFC3110 2). */
static enum key_verdict shape_rsa(struct span key, struct key_shape *ret)
{
	if (key.n < 3)
		return KEY_MALFORMED;
	size_t n = key.p[0], at = 1;
	if (n == 0) {
		n = get_u16(key.p + 1);
		at = 3;
	}
	if (n == 0 || key.n - at <= n)
		return KEY_MALFORMED;
	ret->e = skip_zeros(span_of(key.p + at, n));
	ret->n = skip_zeros(span_from(key, at + n));
	if (ret->e.n == 0 || ret->n.n == 0 || (ret->e.p[ret->e.n - 1] & 1) == 0 || (ret->n.p[ret->n.n - 1] & 1) == 0)
		return KEY_MALFORMED;
	ret->family = FAMILY_RSA;
	ret->bits = bits_of(ret->n);
	bool costly = ret->bits > RSA_BITS_MAX || bits_of(ret->e) > RSA_EXPONENT_BITS_MAX;
	return ret->bits < RSA_BITS_MIN || costly ? KEY_UNSUPPORTED : KEY_USABLE;
}

/* T, Q, and P, G and Y of 64 + 8 T bytes each (RFC2536 2). */
static enum key_verdict shape_dsa(struct span key, struct key_shape *ret)
{
	if (key.n < 1 || key.p[0] > DSA_T_MAX)
		return KEY_MALFORMED;
	size_t n = 64 + 8u * key.p[0];
	if (key.n != 1 + DSA_Q_BYTES + 3 * n)
		return KEY_MALFORMED;
	const uint8_t *at = key.p + 1;
	ret->q = span_of(at, DSA_Q_BYTES);
	ret->p = span_of(at + DSA_Q_BYTES, n);
	ret->g = span_of(at + DSA_Q_BYTES + n, n);
	ret->y = span_of(at + DSA_Q_BYTES + 2 * n, n);
	ret->family = FAMILY_DSA;
	ret->bits = (unsigned)n * 8;
	return KEY_USABLE;
}

static enum key_verdict shape_curve(enum key_family family, size_t bytes, struct span key, struct key_shape *ret)
{
	if (key.n != bytes)
		return KEY_MALFORMED;
	ret->family = family;
	ret->point = key;
	ret->bits = (unsigned)(family == FAMILY_P256 || family == FAMILY_P384 ? bytes * 4 : bytes * 8);
	return KEY_USABLE;
}

enum key_verdict key_shape(uint8_t algorithm, struct span key, struct key_shape *ret)
{
	*ret = (struct key_shape){ 0 };
	switch (algorithm) {
	case ALG_RSASHA1: case ALG_RSASHA1_NSEC3_SHA1: case ALG_RSASHA256: case ALG_RSASHA512:
		return shape_rsa(key, ret);
	case ALG_DSA: case ALG_DSA_NSEC3_SHA1:
		return shape_dsa(key, ret);
	case ALG_ECDSAP256SHA256:
		return shape_curve(FAMILY_P256, 64, key, ret);
	case ALG_ECDSAP384SHA384:
		return shape_curve(FAMILY_P384, 96, key, ret);
	case ALG_ED25519:
		return shape_curve(FAMILY_ED25519, 32, key, ret);
	case ALG_ED448:
		return shape_curve(FAMILY_ED448, 57, key, ret);
	default:
		return KEY_UNSUPPORTED;
	}
}
