/* skydns: what an etcd holds of names, in the form of SkyDNS: the key of a name is a path with its labels from the top,
 * and each value is a map of JSON. Bytes in, values out; what is asked and how stands in etcd_api.
 * bounds     one answer is JSON_BYTES_MAX bytes and SKYDNS_VALUES_MAX values at most; those beyond are left out
 * source     coredns.io/plugins/etcd, etcd.io/docs (API v3, its gateway for JSON) */
#ifndef PLUGIN_SKYDNS_H
#define PLUGIN_SKYDNS_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "wire/name.h"

#define SKYDNS_VALUES_MAX 64u
#define SKYDNS_LEASES_MAX 8u      /* that are asked about for one answer */
#define SKYDNS_PATH_MAX 256u
#define SKYDNS_KEY_MAX (SKYDNS_PATH_MAX + NAME_MAX_BYTES + 1u)
#define SKYDNS_BODY_MAX 4096u     /* of the request for a name */

/* Where a name's values are. */
struct skydns_key {
	struct span at;               /* the key itself; with wildcards: down to the first of them */
	struct span full;             /* with all labels */
	bool wild;                    /* a label is * or any: it stands for each */
};

struct skydns_value {
	struct span key;              /* below the path, without a slash before it */
	bool exact;                   /* it stands at the name, not below it */
	struct name owner;            /* the name that the key is of */
	struct addr addr;             /* family ADDR_NONE: host is a name, or there is none */
	struct name host;             /* len 0: an address, or none */
	struct span text, group;      /* n 0: none */
	uint32_t ttl;                 /* 0: none is given */
	uint64_t lease;               /* 0: none */
	uint16_t port, weight, priority;
	uint8_t strip;                /* labels that SRV and MX leave out of the target */
	bool mail;
};

struct skydns {
	unsigned n, unreadable;
	bool found;                   /* a key is there, readable or not */
	struct skydns_value list[SKYDNS_VALUES_MAX];
};

/* returns OK | ERR_NAME no key can be this name's: a label has a slash in it | ERR_LIMIT the arena's */
enum err skydns_key(struct arena *a, const char *path, struct name n, struct skydns_key *ret) MUST_CHECK;
/* The body of the request for the values at a name and below it. */
void skydns_ask(const struct skydns_key *k, struct buf *to);
/* The body of its answer. What cannot be read is counted and left out, be it one value. A name's own values are there
 * when none stand below it. returns OK | ERR_SYNTAX it is no answer | ERR_LIMIT */
enum err skydns_read(struct arena *a, const char *path, const struct skydns_key *k, struct span body,
                     struct skydns *ret) MUST_CHECK;
/* Leave out those of other groups than that of the topmost value. */
void skydns_group(struct skydns *s);

#endif
