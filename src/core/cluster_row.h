/* cluster_row: how the rows of a cluster's store are written and read: their keys and the packed forms of what stands
 * in them. Numbers stand for namespaces and slices, so that each name is kept once.
 *
 *   n NS           number of the namespace, shown or only mentioned by objects
 *   i ns           its name
 *   s ns SERVICE   a service              m ns SERVICE   an import
 *   g ns SERVICE   numbers of its slices  k ns SERVICE   those of an import
 *   x slice        a slice: its service, ports and ready endpoints
 *   c ADDR ns SERVICE   a ClusterIP, e ADDR ns SERVICE an external address: no value
 *   a ADDR         in which slices the addresses are that differ in the last byte alone
 *   q ADDR         the same of pods: how many of which namespace
 *   w ADDR         the pod that has it: hash and namespace as in row p, name; where names of pods are wanted
 *   h hash         in which slices endpoints of that hash of their name are
 *   o hash         slices by a hash of namespace and name; p hash  pods likewise, with their addresses
 *
 * Rows a, q, h, o and p hold entries of one size (p: of several). Those by hash are CLUSTER_BUCKETS. */
#ifndef CORE_CLUSTER_ROW_H
#define CORE_CLUSTER_ROW_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "core/kube_object.h"
#include "wire/name.h"

enum cluster_rows {
	ROW_NAMESPACE = 'n', ROW_NUMBER = 'i', ROW_SERVICE = 's', ROW_IMPORT = 'm', ROW_GROUP = 'g',
	ROW_IMPORT_GROUP = 'k', ROW_SLICE = 'x', ROW_CLUSTER_IP = 'c', ROW_EXTERNAL = 'e', ROW_ENDPOINTS = 'a',
	ROW_POD_ADDRS = 'q', ROW_HOSTS = 'h', ROW_SLICES = 'o', ROW_PODS = 'p', ROW_POD_NAMES = 'w',
};

#define CLUSTER_KEY_MAX 96u
#define CLUSTER_NAMESPACES_MAX (1u << 20)    /* four characters of a key, three bytes of an entry */
#define CLUSTER_SLICES_MAX (1u << 30)
#define CLUSTER_BUCKETS 4096u
#define CLUSTER_HASH_MASK ((UINT64_C(1) << 60) - 1)   /* 12 bits choose the bucket, 48 stand in the entry */

struct cluster_key {
	uint8_t bytes[CLUSTER_KEY_MAX];
	uint8_t n;
};

static inline struct span cluster_key_span(const struct cluster_key *k)
{
	return span_of(k->bytes, k->n);
}

/* text: a namespace, in lower case. */
struct cluster_key cluster_row_namespace(struct span text);
struct cluster_key cluster_row_number(uint32_t ns);
/* ROW_SERVICE and its like; service: lower case, at most LABEL_MAX bytes. */
struct cluster_key cluster_row_service(enum cluster_rows row, uint32_t ns, struct span service);
/* The service of such a key. */
struct span cluster_row_service_read(struct span key, uint32_t *ret_ns);
struct cluster_key cluster_row_slice(uint32_t slice);
/* ROW_CLUSTER_IP, ROW_EXTERNAL; service empty: what all of the address begin with. */
struct cluster_key cluster_row_owner(enum cluster_rows row, const struct addr *a);
void cluster_row_owned(struct cluster_key *k, uint32_t ns, struct span service);
/* Namespace and service of such a key. */
bool cluster_row_owner_read(struct span key, const struct addr *a, uint32_t *ret_ns, struct span *ret_service);
/* ROW_ENDPOINTS, ROW_POD_ADDRS. */
struct cluster_key cluster_row_block(enum cluster_rows row, const struct addr *a);
/* ROW_HOSTS, ROW_SLICES, ROW_PODS. */
struct cluster_key cluster_row_bucket(enum cluster_rows row, uint64_t hash);

/* ---- entries ---- */

#define ENTRY_ENDPOINT 5u    /* last byte of the address, slice */
#define ENTRY_POD_ADDR 6u    /* last byte, namespace (23: it has its node's address), how many */
#define ENTRY_HASH 10u       /* hash, slice */
#define ENTRY_POD_HEAD 10u   /* hash, namespace (23: as above), addresses: v4 in the low half, v6 in the high */
#define ENTRY_POD_NAMED 9u   /* of a pod entry, in front of its name */
#define POD_NAME_MAX 253u
#define POD_ADDRS_MAX 8u     /* of each family; the API has one */
#define POD_ON_HOST 0x800000u

void cluster_row_hash_put(uint8_t *entry, uint64_t hash);
bool cluster_row_hash_is(const uint8_t *entry, uint64_t hash);
/* The whole hash of an entry, by the row's key. */
uint64_t cluster_row_hash(struct span key, const uint8_t *entry);
size_t cluster_row_pod_size(const uint8_t *entry);
static inline uint32_t get_u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}
static inline void put_u24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

/* ---- values ---- */

struct cluster_port {
	struct span name;        /* lower case */
	uint16_t number;
	uint8_t protocol;        /* enum kube_protocol */
};

/* Ports one behind the other; p NULL: none. */
bool cluster_port_next(struct span *rest, struct cluster_port *ret);

enum { SERVICE_HEADLESS = 1, SERVICE_EXTERNAL = 2, SERVICE_SELECTED = 4 };

struct cluster_service {
	unsigned flags;          /* of the enum above */
	struct span v4, v6;      /* ClusterIPs, 4 and 16 bytes each */
	struct span out4, out6;  /* external addresses */
	struct span ports;
	struct name external;    /* of SERVICE_EXTERNAL: the name; len 0: it is none */
	struct name host;        /* of the load balancer; len 0: none */
};

struct cluster_slice {
	bool import;
	uint32_t ns;
	struct span service, cluster, ports;   /* lower case; cluster: of an import */
	struct span zones;
	unsigned nendpoints;
	struct span endpoints;   /* walked by cluster_endpoint_next, which eats it up */
};

struct cluster_endpoint {
	uint8_t family, naddrs;
	const uint8_t *addrs;    /* naddrs of 4 or 16 bytes */
	struct span name;        /* empty: none but its address */
	uint8_t zone;            /* cluster_slice_zone; 0: none */
};

#define CLUSTER_ENDPOINTS_MAX 1000u

/* false: it does not fit. zones and ports beyond 255 are left out. */
bool cluster_service_pack(const struct kube_object *o, struct buf *to) MUST_CHECK;
bool cluster_slice_pack(const struct kube_object *o, uint32_t ns, bool pod_names, struct buf *to) MUST_CHECK;
/* Values are our own: they hold together. */
void cluster_service_read(struct span value, struct cluster_service *ret);
void cluster_slice_read(struct span value, struct cluster_slice *ret);
bool cluster_endpoint_next(struct cluster_slice *s, struct cluster_endpoint *ret);
struct span cluster_slice_zone(const struct cluster_slice *s, unsigned zone);
/* Under which an endpoint of that name stands in ROW_HOSTS; name: lower case, at most LABEL_MAX bytes. */
uint64_t cluster_slice_hash(const struct hash_key *key, const struct cluster_slice *s, struct span name);

#endif
