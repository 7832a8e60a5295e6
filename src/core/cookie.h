/* cookie: server cookies of version 1 (RFC7873, RFC9018): 16 bytes that only a holder of the secret can make for one
 * client address and client cookie, good for an hour. Pure. */
#ifndef CORE_COOKIE_H
#define CORE_COOKIE_H

#include "core/client.h"

#define COOKIE_CLIENT_BYTES 8u
#define COOKIE_SERVER_BYTES 16u
#define COOKIE_AGE_MAX 3600u      /* RFC9018 4.3 */
#define COOKIE_FUTURE_MAX 300u
#define COOKIE_RENEW_AGE 1800u

struct cookie_secret {
	uint8_t k[16];
};

/* From 32 hexadecimal digits. ERR_SYNTAX */
enum err cookie_secret_parse(struct span hex, struct cookie_secret *ret) MUST_CHECK;
/* The 24 bytes to send back: the client's eight and ours. `wall` is seconds since 1970. */
void cookie_make(const struct cookie_secret *secret, const uint8_t client[COOKIE_CLIENT_BYTES], const struct addr *from,
                 uint32_t wall, uint8_t ret[COOKIE_CLIENT_BYTES + COOKIE_SERVER_BYTES]);
/* Is the cookie as received (client's part and server's part) one of ours, for this address, and of the right age?
 * *ret_age in seconds when it is. Takes the same time whatever differs. */
bool cookie_check(const struct cookie_secret *secret, struct span cookie, const struct addr *from, uint32_t wall,
                  uint32_t *ret_age);
/* A client that sent a cookie of 8 or 16 to 40 bytes: say whether it is valid, and set the one to send back: the same
 * for its first half hour, then a new one. */
void cookie_judge(const struct cookie_secret *secret, struct wall wall, struct client *c);

#endif
