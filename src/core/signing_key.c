#include "core/signing_key.h"

#include <stdlib.h>

#include "base/heap.h"
#include "base/time.h"
#include "wire/zonefile.h"

#define DNSKEY_HEAD 4u     /* bytes in front of the key itself */

bool signing_key_public(struct arena *a, struct span text, const char *file, struct diag *diag,
                        struct signing_key *ret)
{
	struct zonefile_conf conf = { .origin = name_root, .ttl = HOUR, .ttl_known = true, .class = CLASS_IN };
	struct zonefile *z = zonefile_new(a, text, &conf);
	struct zonefile_item item = { .kind = ZF_END };
	uint8_t lower[NAME_MAX_BYTES];
	if (z != NULL)
		zonefile_next(z, &item);
	if (item.kind == ZF_ERROR) {
		diag_error(diag, file, item.line, item.column, "%s", item.what);
		return false;
	}
	if (item.kind != ZF_RR || item.rr.type != RR_DNSKEY || item.rr.rdata.n <= DNSKEY_HEAD) {
		diag_error(diag, file, 1, 1, "no public key is in it; expected a DNSKEY record");
		return false;
	}
	struct signing_key k = { .owner = name_dup(a, name_fold(item.rr.owner, lower)),
		                 .rdata = arena_span(a, item.rr.rdata) };
	if (k.rdata.p == NULL || k.owner.wire == NULL) {
		diag_error(diag, file, 1, 1, "no room for the key");
		return false;
	}
	k.flags = get_u16(k.rdata.p);
	k.algorithm = k.rdata.p[3];
	k.tag = dnskey_tag(k.rdata);
	*ret = k;
	return true;
}

bool signing_key_secret(struct signing_key *k, struct span text, struct buf *why)
{
	struct sign_key *secret = sign_key_parse(NULL, text, k->algorithm, span_from(k->rdata, DNSKEY_HEAD), why);
	if (secret == NULL)
		return false;
	signing_key_drop(k);
	k->secret = secret;
	return true;
}

void signing_key_drop(struct signing_key *k)
{
	sign_key_free(k->secret);
	k->secret = NULL;
}

static int key_cmp(const void *a, const void *b)
{
	const struct signing_key *x = a, *y = b;
	int diff = name_cmp(x->owner, y->owner);
	return diff != 0 ? diff : (int)x->tag - (int)y->tag;
}

void signing_keys_sort(struct signing_key *keys, unsigned n)
{
	if (n > 0)
		qsort(keys, n, sizeof(*keys), key_cmp);
}

struct signing_desk {
	struct crypto_lib *lib;
	struct sign_keys *keys;
};

struct signing_desk *signing_desk_new(struct buf *why)
{
	struct signing_desk *d = heap_new(sizeof(*d));
	d->lib = crypto_lib_new(why);
	if (d->lib != NULL)
		d->keys = sign_keys_new(d->lib, why);
	if (d->keys != NULL)
		return d;
	signing_desk_free(d);
	return NULL;
}

void signing_desk_free(struct signing_desk *d)
{
	if (d == NULL)
		return;
	sign_keys_free(d->keys);
	crypto_lib_free(d->lib);
	heap_free(d);
}

struct sign_keys *signing_desk_keys(struct signing_desk *d)
{
	return d->keys;
}
