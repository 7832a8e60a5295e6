#include "core/cookie.h"

#include "base/hash.h"

#define VERSION 1u
#define HASH_AT 16u      /* behind client cookie, version, reserved and time */
#define HASH_BYTES 8u

_Static_assert(sizeof(struct cookie_secret) == sizeof(struct hash_key), "SipHash-2-4");

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = fold(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err cookie_secret_parse(struct span hex, struct cookie_secret *ret)
{
	struct cookie_secret secret;
	if (hex.n != 2 * sizeof(secret.k))
		return ERR_SYNTAX;
	for (size_t i = 0; i < sizeof(secret.k); i++) {
		int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		secret.k[i] = (uint8_t)(high << 4 | low);
	}
	*ret = secret;
	return OK;
}

/* Over client cookie, version, reserved, time and address (RFC9018 4.4). */
static uint64_t hash(const struct cookie_secret *secret, const uint8_t lead[HASH_AT], const struct addr *from)
{
	struct hash_key key;
	uint8_t in[HASH_AT + 16];
	size_t n = addr_len(from);
	memcpy(key.k, secret->k, sizeof(key.k));
	memcpy(in, lead, HASH_AT);
	memcpy(in + HASH_AT, from->ip, n);
	return hash_bytes(&key, span_of(in, HASH_AT + n));
}

void cookie_make(const struct cookie_secret *secret, const uint8_t client[COOKIE_CLIENT_BYTES], const struct addr *from,
                 uint32_t wall, uint8_t ret[COOKIE_CLIENT_BYTES + COOKIE_SERVER_BYTES])
{
	memmove(ret, client, COOKIE_CLIENT_BYTES);
	put_u32(ret + COOKIE_CLIENT_BYTES, VERSION << 24);
	put_u32(ret + COOKIE_CLIENT_BYTES + 4, wall);
	uint64_t h = hash(secret, ret, from);
	memcpy(ret + HASH_AT, &h, HASH_BYTES);
}

bool cookie_check(const struct cookie_secret *secret, struct span cookie, const struct addr *from, uint32_t wall,
                  uint32_t *ret_age)
{
	uint64_t got;
	if (cookie.n != COOKIE_CLIENT_BYTES + COOKIE_SERVER_BYTES || cookie.p[COOKIE_CLIENT_BYTES] != VERSION)
		return false;
	memcpy(&got, cookie.p + HASH_AT, HASH_BYTES);
	uint64_t differs = got ^ hash(secret, cookie.p, from);   /* one word: nothing to be timed */
	/* Serial arithmetic, as for the times of signatures (RFC9018 4.3, RFC1982). */
	int32_t age = (int32_t)(wall - get_u32(cookie.p + COOKIE_CLIENT_BYTES + 4));
	if (differs != 0 || age > (int32_t)COOKIE_AGE_MAX ||
	    age < -(int32_t)COOKIE_FUTURE_MAX)
		return false;
	*ret_age = age < 0 ? 0 : (uint32_t)age;
	return true;
}

void cookie_judge(const struct cookie_secret *secret, struct wall wall, struct client *c)
{
	struct span sent = c->edns.cookie;
	uint32_t age = COOKIE_RENEW_AGE, now = (uint32_t)wall.sec;
	if (sent.n < COOKIE_CLIENT_BYTES)
		return;
	c->cookie_valid = cookie_check(secret, sent, &c->from, now, &age);
	c->ncookie = COOKIE_CLIENT_BYTES + COOKIE_SERVER_BYTES;
	if (age < COOKIE_RENEW_AGE)
		memcpy(c->cookie, sent.p, c->ncookie);
	else
		cookie_make(secret, sent.p, &c->from, now, c->cookie);
}
