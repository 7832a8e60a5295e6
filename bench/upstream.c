/* upstream: the host behind every resolver of the benchmark, over TLS (port 853) and UDP (port 53).
 *
 *   bench_upstream ADDR PORT CERT KEY ANCHOR
 *
 * It is a world of four zones. The root is signed with a fresh P-256 key, whose DNSKEY is written to
 * the file ANCHOR, so that a validating resolver has real work to do; below it stand the delegation
 * `bench.` without DS, like most of the real tree, and `signed.` with one, which delegates
 * `deep.signed.` in the same way. Names below these are made when asked for, so that any number of
 * cold names exist:
 *
 *   *.bench., *.deep.signed.   one A record
 *   h*.d000 to d399.signed.    one A record; each of these domains has a, h* and w
 *   x*.d000 to d399.signed.    none, as NSEC records say
 *
 * What does not depend on a name is signed once, A records when they are asked for. */
#include "frames.h"

#include <ctype.h>
#include <err.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TTL 86400u /* longer than any run, so that nothing is fetched twice */
#define UPSTREAM_LIFE_S 1800
#define ALGORITHM 13 /* ECDSAP256SHA256, RFC 6605 */
#define KEY_LEN 64u
#define SIG_LEN 64u
#define DOMAINS 400u
#define UDP_MAX 1232u

enum { T_A = 1, T_NS = 2, T_SOA = 6, T_DS = 43, T_RRSIG = 46, T_NSEC = 47, T_DNSKEY = 48 };
enum { NOERROR = 0, NXDOMAIN = 3 };

/* Bytes being written; what does not fit is an error of this file's own tables. */
struct out {
	uint8_t *data;
	size_t len, cap;
};

/* An RRset with its signature, in wire form, ready to be copied into an answer. */
struct rrset {
	uint8_t data[512];
	size_t len;
	uint16_t count;
};

struct cut {
	uint8_t name[16]; /* in wire form */
	size_t len;
	EVP_PKEY *key;
	uint16_t tag;
	uint8_t key_rdata[4 + KEY_LEN];
	struct rrset soa, ns, dnskey, ds; /* ds: the parent's */
};

enum { ROOT, SIGNED, DEEP, CUTS };

struct zone {
	struct cut cuts[CUTS];
	struct rrset unsigned_ds;      /* an NSEC: bench. has no DS */
	struct rrset gaps[DOMAINS + 1];  /* NSECs of signed.: from w in the domain before to h in this */
};

static void put(struct out *o, const void *data, size_t len)
{
	if (len > o->cap - o->len)
		errx(3, "answer too long");
	memcpy(o->data + o->len, data, len);
	o->len += len;
}

static void put16(struct out *o, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(o, b, 2);
}

static void put32(struct out *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o, v & 0xffff);
}

static void put_rr(struct out *o, const struct out *owner, unsigned type, const struct out *rdata)
{
	put(o, owner->data, owner->len);
	put16(o, type);
	put16(o, 1);
	put32(o, TTL);
	put16(o, (unsigned)rdata->len);
	put(o, rdata->data, rdata->len);
}

/* r and s of an ECDSA signature, 32 bytes each (RFC 6605 4). */
static void sign(EVP_PKEY *key, const struct out *text, uint8_t *ret_sig)
{
	uint8_t der[128];
	const uint8_t *p = der;
	size_t len = sizeof(der);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	ECDSA_SIG *sig;

	if (md == NULL || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(md, der, &len, text->data, text->len) != 1)
		errx(3, "cannot sign");
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	if (sig == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_sig, 32) != 32 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_sig + 32, 32) != 32)
		errx(3, "cannot read the signature");
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(md);
}

/* One record and the zone's signature over it (RFC 4034 3.1.8.1). */
static struct rrset signed_rr(const struct cut *z, const struct out *owner, unsigned type, const struct out *rdata)
{
	uint8_t text_data[512], sig_data[160], sig[SIG_LEN], labels = 0;
	struct out text = { text_data, 0, sizeof(text_data) };
	struct out rrsig = { sig_data, 0, sizeof(sig_data) };
	struct rrset set = { .count = 2 };
	struct out o = { set.data, 0, sizeof(set.data) };
	uint32_t now = (uint32_t)time(NULL);

	for (size_t at = 0; owner->data[at] != 0; at += 1u + owner->data[at])
		labels++;
	put16(&rrsig, type);
	put(&rrsig, (uint8_t[]){ ALGORITHM, labels }, 2);
	put32(&rrsig, TTL);
	put32(&rrsig, now + 30 * 86400);
	put32(&rrsig, now - 86400);
	put16(&rrsig, z->tag);
	put(&rrsig, z->name, z->len); /* the signer */
	put(&text, rrsig.data, rrsig.len);
	put_rr(&text, owner, type, rdata);
	sign(z->key, &text, sig);
	put(&rrsig, sig, SIG_LEN);
	put_rr(&o, owner, type, rdata);
	put_rr(&o, owner, T_RRSIG, &rrsig);
	set.len = o.len;
	return set;
}

static uint16_t key_tag(const struct out *rdata)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < rdata->len; i++)
		sum += i & 1 ? rdata->data[i] : (uint32_t)rdata->data[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

static void anchor_write(const char *path, const uint8_t *key)
{
	uint8_t text[4 * ((KEY_LEN + 2) / 3) + 1];
	FILE *file = fopen(path, "w");

	EVP_EncodeBlock(text, key, KEY_LEN);
	if (file == NULL || fprintf(file, ". %u IN DNSKEY 257 3 %d %s\n", TTL, ALGORITHM, (char *)text) < 0 ||
	    fclose(file) != 0)
		err(3, "%s", path);
}

static void cut_init(struct cut *z, const char *name, size_t len)
{
	static const uint8_t soa[] = "\0\0\0\0\0\1\0\0\16\20\0\0\3\204\0\11\72\200\0\1\121\200";
	struct out owner = { z->name, len, len };
	uint8_t point[1 + KEY_LEN];
	struct out key = { z->key_rdata, 0, sizeof(z->key_rdata) };
	size_t n = 0;

	memcpy(z->name, name, len);
	z->len = len;
	z->key = EVP_EC_gen("P-256");
	if (z->key == NULL ||
	    EVP_PKEY_get_octet_string_param(z->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) != 1)
		errx(3, "cannot make a key");
	put16(&key, 257);
	put(&key, (uint8_t[]){ 3, ALGORITHM }, 2);
	put(&key, point + 1, KEY_LEN); /* without the mark "uncompressed" */
	z->tag = key_tag(&key);
	z->dnskey = signed_rr(z, &owner, T_DNSKEY, &key);
	z->soa = signed_rr(z, &owner, T_SOA, &(struct out){ (uint8_t *)soa, sizeof(soa) - 1, 0 });
	z->ns = signed_rr(z, &owner, T_NS, &(struct out){ (uint8_t *)"\2ns\5bench", 10, 0 }); /* nobody asks it */
}

/* The parent's word on a zone: a digest of its key (RFC 4509). */
static void delegate(const struct cut *parent, struct cut *z)
{
	uint8_t text_data[128], data[4 + 32];
	struct out text = { text_data, 0, sizeof(text_data) }, ds = { data, 0, sizeof(data) };
	unsigned n = 0;

	put(&text, z->name, z->len);
	put(&text, z->key_rdata, sizeof(z->key_rdata));
	put16(&ds, z->tag);
	put(&ds, (uint8_t[]){ ALGORITHM, 2 }, 2);
	if (EVP_Digest(text.data, text.len, data + 4, &n, EVP_sha256(), NULL) != 1 || n != 32)
		errx(3, "cannot digest");
	ds.len = sizeof(data);
	z->ds = signed_rr(parent, &(struct out){ z->name, z->len, z->len }, T_DS, &ds);
}

/* "w.d007.signed." or its like, in wire form. */
static struct out domain_name(uint8_t *to, size_t cap, char leaf, unsigned i)
{
	struct out name = { to, 0, cap };
	char label[8];

	snprintf(label, sizeof(label), "%cd%03u", 4, i % 1000u);
	put(&name, (uint8_t[]){ 1, (uint8_t)leaf }, 2);
	put(&name, label, 5);
	put(&name, "\6signed", 8);
	return name;
}

/* The NSEC from w in domain i - 1 to a in domain i; before the first stands the zone, behind the last deep. */
static struct rrset gap(const struct cut *z, unsigned i)
{
	uint8_t owner_data[32], next_data[32], data[64];
	struct out owner = domain_name(owner_data, sizeof(owner_data), 'w', i - 1);
	struct out next = domain_name(next_data, sizeof(next_data), 'a', i), rdata = { data, 0, sizeof(data) };
	struct out apex = { (uint8_t *)z->name, z->len, z->len };

	if (i == DOMAINS)
		put(&rdata, "\4deep\6signed", 13);
	else
		put(&rdata, next.data, next.len);
	if (i == 0) /* NS SOA RRSIG NSEC DNSKEY */
		put(&rdata, "\0\7\42\0\0\0\0\3\200", 9);
	else /* A RRSIG NSEC */
		put(&rdata, "\0\6\100\0\0\0\0\3", 8);
	return signed_rr(z, i == 0 ? &apex : &owner, T_NSEC, &rdata);
}

static void zone_init(struct zone *z, const char *anchor)
{
	static const uint8_t nsec[] = "\6signed\0\0\6\40\0\0\0\0\3"; /* NS RRSIG NSEC */
	struct out bench = { (uint8_t *)"\5bench", 7, 7 };

	cut_init(&z->cuts[ROOT], "", 1);
	cut_init(&z->cuts[SIGNED], "\6signed", 8);
	cut_init(&z->cuts[DEEP], "\4deep\6signed", 13);
	delegate(&z->cuts[ROOT], &z->cuts[SIGNED]);
	delegate(&z->cuts[SIGNED], &z->cuts[DEEP]);
	anchor_write(anchor, z->cuts[ROOT].key_rdata + 4);
	z->unsigned_ds = signed_rr(&z->cuts[ROOT], &bench, T_NSEC,
				   &(struct out){ (uint8_t *)nsec, sizeof(nsec) - 1, 0 });
	for (unsigned i = 0; i <= DOMAINS; i++)
		z->gaps[i] = gap(&z->cuts[SIGNED], i);
}

/* Length of the uncompressed name at the start of `p`, 0 when it is broken. */
static size_t name_len(const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len && at < 255; at += 1u + p[at]) {
		if (p[at] == 0)
			return at + 1;
		if (p[at] > 63)
			return 0;
	}
	return 0;
}

/* True if the name is `top` or below it. */
static int name_in(const uint8_t *name, size_t len, const uint8_t *top, size_t top_len)
{
	if (len < top_len)
		return 0;
	for (size_t i = 0; i < top_len; i++)
		if (tolower(name[len - top_len + i]) != top[i])
			return 0;
	return 1;
}

static void put_rrset(struct out *o, const struct rrset *set, uint8_t *count)
{
	put(o, set->data, set->len);
	count[1] = (uint8_t)(count[1] + set->count);
}

/* The deepest zone that the name is in; its DS is its parent's. */
static unsigned cut_of(const struct zone *z, const uint8_t *name, size_t len, unsigned type)
{
	unsigned i = CUTS - 1;

	while (i > ROOT && (!name_in(name, len, z->cuts[i].name, z->cuts[i].len) ||
			    (type == T_DS && len == z->cuts[i].len)))
		i--;
	return i;
}

/* "h000123.d007.signed.": the domain's number, DOMAINS when it is none of them. */
static unsigned domain_of(const uint8_t *name, size_t len)
{
	unsigned n = 0;

	if (len < 13 || name[len - 13] != 4 || tolower(name[len - 12]) != 'd')
		return DOMAINS;
	for (size_t i = len - 11; i < len - 8; i++)
		n = isdigit(name[i]) ? n * 10 + (name[i] - '0') : 1000;
	return n < DOMAINS ? n : DOMAINS;
}

static void put_address(struct out *o, const struct cut *z, const uint8_t *name, size_t len, uint8_t *answers)
{
	static const uint8_t a[] = "\300\14\0\1\0\1\0\1\121\200\0\4\300\0\2\1"; /* 192.0.2.1 */
	uint8_t folded[256];
	struct out owner = { folded, 0, sizeof(folded) }, rdata = { (uint8_t *)"\300\0\2\1", 4, 4 };
	struct rrset set;

	if (z == NULL) {
		put(o, a, sizeof(a) - 1);
		answers[1]++;
		return;
	}
	for (size_t i = 0; i < len; i++)
		put(&owner, &(uint8_t){ (uint8_t)tolower(name[i]) }, 1);
	set = signed_rr(z, &owner, T_A, &rdata);
	put_rrset(o, &set, answers);
}

/* Below the zones with a key. Returns the rcode. */
static unsigned signed_answer(const struct zone *z, const uint8_t *name, size_t len, struct out *o)
{
	unsigned type = (unsigned)name[len] << 8 | name[len + 1], domain;
	const struct cut *cut = &z->cuts[cut_of(z, name, len, type)];
	uint8_t *answers = o->data + 6, *authority = o->data + 8;

	for (unsigned i = SIGNED; i < CUTS; i++)
		if (type == T_DS && len == z->cuts[i].len && name_in(name, len, z->cuts[i].name, len)) {
			put_rrset(o, &z->cuts[i].ds, answers);
			return NOERROR;
		}
	if (len == cut->len && (type == T_DNSKEY || type == T_SOA || type == T_NS)) {
		put_rrset(o, type == T_DNSKEY ? &cut->dnskey : type == T_SOA ? &cut->soa : &cut->ns, answers);
		return NOERROR;
	}
	domain = domain_of(name, len);
	if (type == T_A && len > cut->len && (cut == &z->cuts[DEEP] || (domain < DOMAINS && tolower(name[1]) == 'h'))) {
		put_address(o, cut, name, len, answers);
		return NOERROR;
	}
	put_rrset(o, &cut->soa, authority);
	if (cut != &z->cuts[SIGNED] || domain == DOMAINS)
		return cut == &z->cuts[ROOT] && len > 1 ? NXDOMAIN : NOERROR; /* without a proof: nobody asks */
	put_rrset(o, &z->gaps[domain], authority);
	if (len <= 13 || tolower(name[1]) != 'x')
		return NOERROR; /* an empty non-terminal */
	put_rrset(o, &z->gaps[domain + 1], authority);
	return NXDOMAIN;
}

/* Writes answer or authority behind the question already in `o`, counts them in its header; returns the rcode. */
static unsigned zone_answer(const struct zone *z, const uint8_t *name, size_t len, struct out *o)
{
	static const uint8_t bench[] = "\5bench";
	static const uint8_t soa[] = "\5bench\0\0\6\0\1\0\1\121\200\0\26"
				     "\0\0\0\0\0\1\0\0\16\20\0\0\3\204\0\11\72\200\0\1\121\200";
	unsigned type = (unsigned)name[len] << 8 | name[len + 1];

	if (!name_in(name, len, bench, sizeof(bench)))
		return signed_answer(z, name, len, o);
	if (len == sizeof(bench) && type == T_DS) {
		put_rrset(o, &z->cuts[ROOT].soa, o->data + 8);
		put_rrset(o, &z->unsigned_ds, o->data + 8);
	} else if (type == T_A) {
		put_address(o, NULL, name, len, o->data + 6);
	} else {
		put(o, soa, sizeof(soa) - 1);
		o->data[9]++;
	}
	return NOERROR;
}

static size_t upstream_answer(const struct zone *zone, const uint8_t *query, size_t len, uint8_t *out)
{
	static const uint8_t opt[] = "\0\0\51\4\320\0\0\200\0\0\0"; /* 1232 bytes, DO */
	size_t name = name_len(query + 12, len - 12);
	struct out o = { out, 0, ANSWER_MAX };
	unsigned rcode;

	if (name == 0 || len < 12 + name + 4 || query[4] != 0 || query[5] != 1)
		return 0;
	put(&o, query, 2);
	put(&o, "\204\200\0\1\0\0\0\0\0\0", 10);
	out[2] |= query[2] & 1; /* RD comes back */
	put(&o, query + 12, name + 4);
	rcode = zone_answer(zone, query + 12, name, &o);
	out[3] |= (uint8_t)rcode;
	if (query[11] != 0) { /* asked with EDNS, answered with it */
		put(&o, opt, sizeof(opt) - 1);
		out[11] = 1;
	}
	return o.len;
}

/* A datagram at a time, each answered from the address it was sent to. */
static void udp_serve(const struct zone *zone, int fd)
{
	uint8_t query[UDP_MAX], answer[ANSWER_MAX], control[128];
	struct sockaddr_in from;

	for (;;) {
		struct iovec io = { query, sizeof(query) };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &io, .msg_iovlen = 1,
				    .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &m, 0);

		if (n < 12)
			continue;
		io = (struct iovec){ answer, upstream_answer(zone, query, (size_t)n, answer) };
		if (io.iov_len > 0)
			sendmsg(fd, &m, 0); /* with the packet info it came with */
	}
}

int main(int argc, char **argv)
{
	struct frames f = { .answer = upstream_answer };
	struct zone *zone = calloc(1, sizeof(*zone));
	int udp, one = 1;

	if (argc != 6 || zone == NULL)
		errx(2, "usage: bench_upstream ADDR PORT CERT KEY ANCHOR");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(UPSTREAM_LIFE_S);
	zone_init(zone, argv[5]);
	udp = frames_bind(SOCK_DGRAM, argv[1], "53");
	setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		udp_serve(zone, udp);
	}
	f.zone = zone;
	f.tls = frames_tls(argv[3], argv[4]);
	f.listen_fd = frames_bind(SOCK_STREAM, argv[1], argv[2]);
	frames_serve(&f);
	return 0;
}
