/* signing_key: a key pair that signs, out of the two files of BIND's tools, and the desk at which a worker uses it. The
 * secret half is shared by workers and freed by whoever read it; a desk is one worker's.
 * source  RFC4034 2; coredns-parity 7.12 */
#ifndef CORE_SIGNING_KEY_H
#define CORE_SIGNING_KEY_H

#include "base/diag.h"
#include "core/rrset.h"
#include "crypto/sign.h"

struct signing_key {
	struct name owner;               /* lower case; .len 0: not read */
	struct span rdata;               /* of its DNSKEY */
	uint16_t tag, flags;
	uint8_t algorithm;
	struct sign_key *secret;         /* NULL: not read */
};

/* The public half: the one DNSKEY of a .key file. returns whether it is one; what is wrong is in diag under `file` */
bool signing_key_public(struct arena *a, struct span text, const char *file, struct diag *diag,
                        struct signing_key *ret) MUST_CHECK;
/* The other half. returns whether it is that; why says what is wrong */
bool signing_key_secret(struct signing_key *k, struct span text, struct buf *why) MUST_CHECK;
/* Wipe the secret. */
void signing_key_drop(struct signing_key *k);
/* In the order of their owners' names, as signing_zone_make() wants them. */
void signing_keys_sort(struct signing_key *keys, unsigned n);

struct signing_desk;

/* NULL: why says what failed. */
struct signing_desk *signing_desk_new(struct buf *why) MUST_CHECK;
/* Wipes what was made of keys. NULL is fine. */
void signing_desk_free(struct signing_desk *d);
struct sign_keys *signing_desk_keys(struct signing_desk *d);

#endif
