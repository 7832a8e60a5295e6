/* upstream: the DNS-over-TLS host behind every resolver of the benchmark.
 *
 *   bench_upstream ADDR PORT CERT KEY ANCHOR
 *
 * It is a world of two zones. The root is signed with a fresh P-256 key, whose DNSKEY is written to
 * the file ANCHOR, so that a validating resolver has real work to do; below it stands the delegation
 * `bench.` without DS, like most of the real tree. Every name below bench. has one A record and
 * nothing else, made when asked for, so that any number of cold names exist.
 *
 * The answers to the four questions a validator asks about the root are made and signed once. */
#include "frames.h"

#include <ctype.h>
#include <err.h>
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

struct zone {
	EVP_PKEY *key;
	uint16_t tag;
	struct rrset soa, ns, dnskey, nsec; /* of the signed root; nsec says that bench. has no DS */
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

/* One record and the root's signature over it (RFC 4034 3.1.8.1). */
static struct rrset signed_rr(const struct zone *z, const struct out *owner, unsigned type, const struct out *rdata)
{
	uint8_t text_data[512], sig_data[128], sig[SIG_LEN], labels = owner->len > 1;
	struct out text = { text_data, 0, sizeof(text_data) };
	struct out rrsig = { sig_data, 0, sizeof(sig_data) };
	struct rrset set = { .count = 2 };
	struct out o = { set.data, 0, sizeof(set.data) };
	uint32_t now = (uint32_t)time(NULL);

	put16(&rrsig, type);
	put(&rrsig, (uint8_t[]){ ALGORITHM, labels }, 2);
	put32(&rrsig, TTL);
	put32(&rrsig, now + 30 * 86400);
	put32(&rrsig, now - 86400);
	put16(&rrsig, z->tag);
	put(&rrsig, "", 1); /* the signer: the root */
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

static void zone_init(struct zone *z, const char *anchor)
{
	static const uint8_t soa[] = "\0\0\0\0\0\1\0\0\16\20\0\0\3\204\0\11\72\200\0\1\121\200";
	static const uint8_t nsec[] = "\0\0\6\40\0\0\0\0\3"; /* next ".": NS RRSIG NSEC */
	struct out root = { (uint8_t[]){ 0 }, 1, 1 };
	struct out bench = { (uint8_t[]){ 5, 'b', 'e', 'n', 'c', 'h', 0 }, 7, 7 };
	uint8_t point[1 + KEY_LEN], key_data[4 + KEY_LEN];
	struct out key = { key_data, 0, sizeof(key_data) };
	size_t len = 0;

	z->key = EVP_EC_gen("P-256");
	if (z->key == NULL ||
	    EVP_PKEY_get_octet_string_param(z->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) != 1)
		errx(3, "cannot make a key");
	put16(&key, 257);
	put(&key, (uint8_t[]){ 3, ALGORITHM }, 2);
	put(&key, point + 1, KEY_LEN); /* without the mark "uncompressed" */
	z->tag = key_tag(&key);
	anchor_write(anchor, point + 1);
	z->dnskey = signed_rr(z, &root, T_DNSKEY, &key);
	z->soa = signed_rr(z, &root, T_SOA, &(struct out){ (uint8_t *)soa, sizeof(soa) - 1, 0 });
	z->ns = signed_rr(z, &root, T_NS, &bench); /* any name will do: nobody asks it */
	z->nsec = signed_rr(z, &bench, T_NSEC, &(struct out){ (uint8_t *)nsec, sizeof(nsec) - 1, 0 });
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

/* True if the name is bench. (`exact`) or below it. */
static int name_in_bench(const uint8_t *name, size_t len, int exact)
{
	static const char bench[] = "\5bench";

	if (len < sizeof(bench) || (exact && len != sizeof(bench)))
		return 0;
	for (size_t i = 0; i < sizeof(bench); i++)
		if (tolower(name[len - sizeof(bench) + i]) != bench[i])
			return 0;
	return 1;
}

static void put_rrset(struct out *o, const struct rrset *set, uint8_t *count)
{
	put(o, set->data, set->len);
	count[1] = (uint8_t)(count[1] + set->count);
}

/* Writes answer or authority behind the question already in `o`, counts them in its header; returns the rcode. */
static unsigned zone_answer(const struct zone *z, const uint8_t *name, size_t len, struct out *o)
{
	unsigned type = (unsigned)name[len] << 8 | name[len + 1];
	uint8_t *answers = o->data + 6, *authority = o->data + 8;
	static const uint8_t a[] = "\300\14\0\1\0\1\0\1\121\200\0\4\300\0\2\1"; /* 192.0.2.1 */
	static const uint8_t soa[] = "\5bench\0\0\6\0\1\0\1\121\200\0\26"
				     "\0\0\0\0\0\1\0\0\16\20\0\0\3\204\0\11\72\200\0\1\121\200";

	if (len == 1 && (type == T_DNSKEY || type == T_SOA || type == T_NS)) {
		put_rrset(o, type == T_DNSKEY ? &z->dnskey : type == T_SOA ? &z->soa : &z->ns, answers);
	} else if (name_in_bench(name, len, 1) && type == T_DS) {
		put_rrset(o, &z->soa, authority);
		put_rrset(o, &z->nsec, authority);
	} else if (name_in_bench(name, len, 0) && type == T_A) {
		put(o, a, sizeof(a) - 1);
		answers[1]++;
	} else if (name_in_bench(name, len, 0)) {
		put(o, soa, sizeof(soa) - 1);
		authority[1]++;
	} else {
		put_rrset(o, &z->soa, authority);
		return NXDOMAIN;
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

int main(int argc, char **argv)
{
	struct frames f = { .answer = upstream_answer };
	struct zone *zone = calloc(1, sizeof(*zone));

	if (argc != 6 || zone == NULL)
		errx(2, "usage: bench_upstream ADDR PORT CERT KEY ANCHOR");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(UPSTREAM_LIFE_S);
	zone_init(zone, argv[5]);
	f.zone = zone;
	f.tls = frames_tls(argv[3], argv[4]);
	f.listen_fd = frames_bind(SOCK_STREAM, argv[1], argv[2]);
	frames_serve(&f);
	return 0;
}
