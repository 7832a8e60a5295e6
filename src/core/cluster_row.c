#include "core/cluster_row.h"

#include "base/assert.h"

#define DIGIT_BITS 5u
#define NS_DIGITS 4u
#define SLICE_DIGITS 6u
#define BUCKET_DIGITS 3u
#define HASH_BYTES 6u
#define COUNT_MAX UINT8_MAX

/* ---- keys ---- */

/* Digits and letters are one step of the store each, other bytes may be two. */
static void put_digits(struct cluster_key *k, uint32_t number, unsigned digits)
{
	for (unsigned i = digits; i-- > 0;)
		k->bytes[k->n++] = (uint8_t)"0123456789abcdefghijklmnopqrstuv"[number >> i * DIGIT_BITS & 31u];
}

static uint32_t get_digits(const uint8_t *p, unsigned digits)
{
	uint32_t number = 0;
	for (unsigned i = 0; i < digits; i++)
		number = number << DIGIT_BITS | (uint32_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
	return number;
}

static void put_bytes(struct cluster_key *k, const void *p, size_t n)
{
	ASSERT(n <= sizeof(k->bytes) - k->n);
	memcpy(k->bytes + k->n, p, n);
	k->n = (uint8_t)(k->n + n);
}

static struct cluster_key key_of(enum cluster_rows row)
{
	struct cluster_key k;
	k.bytes[0] = (uint8_t)row;
	k.n = 1;
	return k;
}

struct cluster_key cluster_row_namespace(struct span text)
{
	struct cluster_key k = key_of(ROW_NAMESPACE);
	put_bytes(&k, text.p, text.n);
	return k;
}

struct cluster_key cluster_row_number(uint32_t ns)
{
	struct cluster_key k = key_of(ROW_NUMBER);
	put_digits(&k, ns, NS_DIGITS);
	return k;
}

struct cluster_key cluster_row_service(enum cluster_rows row, uint32_t ns, struct span service)
{
	struct cluster_key k = key_of(row);
	put_digits(&k, ns, NS_DIGITS);
	put_bytes(&k, service.p, service.n);
	return k;
}

struct span cluster_row_service_read(struct span key, uint32_t *ret_ns)
{
	*ret_ns = get_digits(key.p + 1, NS_DIGITS);
	return span_from(key, 1 + NS_DIGITS);
}

struct cluster_key cluster_row_slice(uint32_t slice)
{
	struct cluster_key k = key_of(ROW_SLICE);
	put_digits(&k, slice, SLICE_DIGITS);
	return k;
}

static void put_addr(struct cluster_key *k, const struct addr *a, size_t n)
{
	k->bytes[k->n++] = a->family == ADDR_4 ? '4' : '6';
	put_bytes(k, a->ip, n);
}

struct cluster_key cluster_row_owner(enum cluster_rows row, const struct addr *a)
{
	struct cluster_key k = key_of(row);
	put_addr(&k, a, addr_len(a));
	return k;
}

void cluster_row_owned(struct cluster_key *k, uint32_t ns, struct span service)
{
	put_digits(k, ns, NS_DIGITS);
	put_bytes(k, service.p, service.n);
}

bool cluster_row_owner_read(struct span key, const struct addr *a, uint32_t *ret_ns, struct span *ret_service)
{
	size_t head = 2 + addr_len(a);
	if (key.n < head + NS_DIGITS || key.p[1] != (a->family == ADDR_4 ? '4' : '6') ||
	    memcmp(key.p + 2, a->ip, addr_len(a)) != 0)
		return false;
	*ret_ns = get_digits(key.p + head, NS_DIGITS);
	*ret_service = span_from(key, head + NS_DIGITS);
	return true;
}

struct cluster_key cluster_row_block(enum cluster_rows row, const struct addr *a)
{
	struct cluster_key k = key_of(row);
	put_addr(&k, a, addr_len(a) - 1);
	return k;
}

struct cluster_key cluster_row_bucket(enum cluster_rows row, uint64_t hash)
{
	struct cluster_key k = key_of(row);
	put_digits(&k, (uint32_t)(hash >> 8 * HASH_BYTES) & (CLUSTER_BUCKETS - 1), BUCKET_DIGITS);
	return k;
}

/* ---- entries ---- */

void cluster_row_hash_put(uint8_t *entry, uint64_t hash)
{
	for (unsigned i = 0; i < HASH_BYTES; i++)
		entry[i] = (uint8_t)(hash >> 8 * i);
}

bool cluster_row_hash_is(const uint8_t *entry, uint64_t hash)
{
	uint8_t own[HASH_BYTES];
	cluster_row_hash_put(own, hash);
	return memcmp(own, entry, HASH_BYTES) == 0;
}

uint64_t cluster_row_hash(struct span key, const uint8_t *entry)
{
	uint64_t hash = get_digits(key.p + 1, BUCKET_DIGITS);
	for (unsigned i = HASH_BYTES; i-- > 0;)
		hash = hash << 8 | entry[i];
	return hash;
}

size_t cluster_row_pod_size(const uint8_t *entry)
{
	return ENTRY_POD_HEAD + 4u * (entry[9] & 15u) + 16u * (entry[9] >> 4);
}

/* ---- packing ---- */

static void put_text(struct buf *to, struct span s)
{
	uint8_t *at = buf_room(to, s.n + 1);
	if (at == NULL)
		return;
	*at++ = (uint8_t)s.n;
	for (size_t i = 0; i < s.n; i++)
		at[i] = fold(s.p[i]);
}

static struct span get_text(const uint8_t **at)
{
	struct span s = span_of(*at + 1, **at);
	*at += s.n + 1;
	return s;
}

static bool is_label(struct span s)
{
	return s.n > 0 && s.n <= LABEL_MAX && memchr(s.p, '.', s.n) == NULL;
}

/* Those of a family; returns how many. */
static uint8_t put_addrs(struct buf *to, const struct addr *addrs, unsigned n, uint8_t family)
{
	unsigned put = 0;
	for (unsigned i = 0; i < n && put < COUNT_MAX; i++) {
		if (addrs[i].family != family)
			continue;
		buf_put(to, addrs[i].ip, addr_len(&addrs[i]));
		put++;
	}
	return (uint8_t)put;
}

/* Names of ports are labels behind '_'; one that is longer than a label is never asked for. */
static void put_ports(struct buf *to, const struct kube_port *ports, unsigned n)
{
	size_t at = to->n;
	uint8_t put = 0;
	buf_u8(to, 0);
	for (unsigned i = 0; i < n && put < COUNT_MAX; i++) {
		if (ports[i].name.n > LABEL_MAX)
			continue;
		buf_u16(to, ports[i].number);
		buf_u8(to, ports[i].protocol);
		put_text(to, ports[i].name);
		put++;
	}
	if (buf_ok(to))
		to->p[at] = put;
}

/* A name of somewhere else, as bytes behind their number; 0: it is none, or an address. */
static void put_name(struct buf *to, struct span text)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name name;
	struct addr addr;
	bool is = text.n > 0 && addr_parse(text, 0, &addr) != OK && name_from_text(text, NULL, store, &name) == OK &&
	          name.labels > 0;
	buf_u8(to, is ? name.len : 0);
	if (is)
		buf_put(to, name.wire, name.len);
}

bool cluster_service_pack(const struct kube_object *o, struct buf *to)
{
	bool external = o->external_name.n > 0;
	unsigned flags = (o->headless ? SERVICE_HEADLESS : 0u) | (external ? SERVICE_EXTERNAL : 0u) |
	                 (o->selected ? SERVICE_SELECTED : 0u);
	size_t at = to->n;
	uint8_t head[5] = { (uint8_t)flags };
	buf_put(to, head, sizeof(head));
	if (!external && !o->headless) {
		head[1] = put_addrs(to, o->addrs, o->naddrs, ADDR_4);
		head[2] = put_addrs(to, o->addrs, o->naddrs, ADDR_6);
	}
	head[3] = put_addrs(to, o->external, o->nexternal, ADDR_4);
	head[4] = put_addrs(to, o->external, o->nexternal, ADDR_6);
	put_ports(to, o->ports, o->nports);
	put_name(to, o->external_name);
	put_name(to, o->external_host);
	if (buf_ok(to))
		memcpy(to->p + at, head, sizeof(head));
	return buf_ok(to);
}

/* The number of the text in a list of texts, from 1; a new one is put there. 0: it is empty, or there are too many. */
static unsigned number_in(struct buf *list, struct span text)
{
	const uint8_t *at = list->p, *end = list->p + list->n;
	unsigned n = 1;
	if (text.n == 0 || text.n > LABEL_MAX)
		return 0;
	for (; at < end; n++) {   /* COUNT_MAX */
		struct span had = get_text(&at);
		bool same = had.n == text.n;
		for (size_t i = 0; same && i < text.n; i++)
			same = had.p[i] == fold(text.p[i]);
		if (same)
			return n;
	}
	if (n >= COUNT_MAX || list->cap - list->n <= text.n)
		return 0;
	put_text(list, text);
	return n;
}

enum { ENDPOINT_SIX = 1, ENDPOINT_NAMED = 2, ENDPOINT_MANY = 4 };

static void put_endpoint(struct buf *to, const struct kube_endpoint *e, unsigned zone, bool pod_names)
{
	uint8_t family = e->addrs[0].family;
	struct span name = is_label(e->hostname) ? e->hostname :
	                   pod_names && is_label(e->pod) ? e->pod : span_of(NULL, 0);
	unsigned n = 0;
	for (unsigned i = 0; i < e->naddrs; i++)
		n += e->addrs[i].family == family;
	buf_u8(to, (uint8_t)((family == ADDR_6 ? ENDPOINT_SIX : 0u) | (name.n > 0 ? ENDPOINT_NAMED : 0u) |
	                     (n > 1 ? ENDPOINT_MANY : 0u)));
	buf_u8(to, (uint8_t)zone);
	if (n > 1)
		buf_u8(to, (uint8_t)MIN(n, COUNT_MAX));
	put_addrs(to, e->addrs, e->naddrs, family);
	if (name.n > 0)
		put_text(to, name);
}

bool cluster_slice_pack(const struct kube_object *o, uint32_t ns, bool pod_names, struct buf *to)
{
	uint8_t texts[COUNT_MAX * 16];
	struct buf zones = buf_on(texts, sizeof(texts));
	uint8_t numbers[CLUSTER_ENDPOINTS_MAX];
	unsigned n = MIN(o->nendpoints, CLUSTER_ENDPOINTS_MAX), ready = 0;
	for (unsigned i = 0; i < n; i++) {
		bool is = o->endpoints[i].ready && o->endpoints[i].naddrs > 0;
		numbers[i] = is ? (uint8_t)number_in(&zones, o->endpoints[i].zone) : 0;
		ready += is;
	}
	buf_u8(to, o->cluster.n > 0);
	buf_u32(to, ns);
	put_text(to, o->service);
	put_text(to, o->cluster);
	put_ports(to, o->ports, o->nports);
	buf_u16(to, (uint16_t)zones.n);
	buf_span_put(to, buf_span(&zones));
	buf_u16(to, (uint16_t)ready);
	for (unsigned i = 0; i < n; i++)
		if (o->endpoints[i].ready && o->endpoints[i].naddrs > 0)
			put_endpoint(to, &o->endpoints[i], numbers[i], pod_names);
	return buf_ok(to);
}

/* ---- reading ---- */

bool cluster_port_next(struct span *rest, struct cluster_port *ret)
{
	if (rest->n == 0)
		return false;
	const uint8_t *at = rest->p + 3;
	*ret = (struct cluster_port){ .number = get_u16(rest->p), .protocol = rest->p[2] };
	ret->name = get_text(&at);
	*rest = span_from(*rest, (size_t)(at - rest->p));
	return true;
}

static struct span get_ports(const uint8_t **at)
{
	unsigned n = *(*at)++;
	const uint8_t *from = *at;
	for (; n > 0; n--)
		*at += 4u + (*at)[3];
	return span_of(from, (size_t)(*at - from));
}

static struct name get_name(const uint8_t **at)
{
	struct span wire = get_text(at);
	struct name name = { 0 };
	return wire.n > 0 && name_from_wire(wire, &name) == OK ? name : (struct name){ 0 };
}

static struct span get_addrs(const uint8_t **at, size_t n)
{
	struct span s = span_of(*at, n);
	*at += n;
	return s;
}

void cluster_service_read(struct span value, struct cluster_service *ret)
{
	const uint8_t *head = value.p, *at = value.p + 5;
	ret->flags = head[0];
	ret->v4 = get_addrs(&at, 4u * head[1]);
	ret->v6 = get_addrs(&at, 16u * head[2]);
	ret->out4 = get_addrs(&at, 4u * head[3]);
	ret->out6 = get_addrs(&at, 16u * head[4]);
	ret->ports = get_ports(&at);
	ret->external = get_name(&at);
	ret->host = get_name(&at);
}

void cluster_slice_read(struct span value, struct cluster_slice *ret)
{
	const uint8_t *at = value.p + 5;
	ret->import = value.p[0] != 0;
	ret->ns = get_u32(value.p + 1);
	ret->service = get_text(&at);
	ret->cluster = get_text(&at);
	ret->ports = get_ports(&at);
	ret->zones = span_of(at + 2, get_u16(at));
	at += 2 + ret->zones.n;
	ret->nendpoints = get_u16(at);
	ret->endpoints = span_from(value, (size_t)(at + 2 - value.p));
}

bool cluster_endpoint_next(struct cluster_slice *s, struct cluster_endpoint *ret)
{
	if (s->endpoints.n == 0)
		return false;
	const uint8_t *at = s->endpoints.p;
	unsigned form = *at++;
	ret->zone = *at++;
	ret->family = form & ENDPOINT_SIX ? ADDR_6 : ADDR_4;
	ret->naddrs = form & ENDPOINT_MANY ? *at++ : 1;
	ret->addrs = at;
	at += ret->naddrs * (form & ENDPOINT_SIX ? 16u : 4u);
	ret->name = form & ENDPOINT_NAMED ? get_text(&at) : span_of(NULL, 0);
	s->endpoints = span_from(s->endpoints, (size_t)(at - s->endpoints.p));
	return true;
}

struct span cluster_slice_zone(const struct cluster_slice *s, unsigned zone)
{
	const uint8_t *at = s->zones.p;
	for (unsigned i = 1; i < zone; i++)
		get_text(&at);
	return zone == 0 ? span_of(NULL, 0) : get_text(&at);
}

uint64_t cluster_slice_hash(const struct hash_key *key, const struct cluster_slice *s, struct span name)
{
	uint8_t bytes[6 + 2 * LABEL_MAX];
	struct buf b = buf_on(bytes, sizeof(bytes));
	buf_u8(&b, s->import);
	buf_u32(&b, s->ns);
	buf_u8(&b, (uint8_t)s->service.n);
	buf_span_put(&b, s->service);
	buf_span_put(&b, name);
	return hash_bytes(key, buf_span(&b)) & CLUSTER_HASH_MASK;
}
