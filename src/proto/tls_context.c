#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/assert.h"
#include "base/heap.h"
#include "proto/tls_inside.h"

#define CHAIN_MAX 16u           /* certificates behind our own leaf */
#define DEPTH_MAX 10            /* of a peer's chain: each link is a signature to verify */
#define SECURITY_LEVEL 2        /* 112 bits, as Debian sets for all programs */


/* --- the BIO: OpenSSL reads what was fed and writes into a queue --- */

static int bio_read(BIO *b, char *to, size_t n, size_t *ret_n)
{
	struct tls *t = BIO_get_data(b);
	struct span s = t->kept.n > 0 ? queue_span(&t->kept) : t->fed;
	BIO_clear_retry_flags(b);
	if (s.n == 0) {
		t->starved = true;
		BIO_set_retry_read(b);
		return 0;
	}
	n = MIN(n, s.n);
	memcpy(to, s.p, n);
	if (t->kept.n > 0)
		queue_drop(&t->kept, n);
	else
		t->fed = span_from(s, n);
	*ret_n = n;
	return 1;
}

static int bio_write(BIO *b, const char *from, size_t n, size_t *ret_n)
{
	struct tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (queue_put(&t->out, span_of(from, n)) != OK) {
		t->overflow = true;
		return 0;
	}
	*ret_n = n;
	return 1;
}

static long bio_control(BIO *b, int command, long number, void *pointer)
{
	(void)b;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "queue");
	if (m != NULL) {
		BIO_meth_set_read_ex(m, bio_read);
		BIO_meth_set_write_ex(m, bio_write);
		BIO_meth_set_ctrl(m, bio_control);
	}
	return m;
}

/* --- OpenSSL asks --- */

struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

/* A ticket came. Returns 1: we hold it. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = tls_of(ssl);
	if (t->ntickets == TICKETS_MAX) {
		SSL_SESSION_free(t->tickets[0]);
		t->tickets[0] = t->tickets[1];
		t->ntickets--;
	}
	t->tickets[t->ntickets++] = session;
	return 1;
}

/* A list of names as it stands in the hello; one word of the six that OpenSSL passes. */
#define OFFER const unsigned char *offer, unsigned offer_len

/* Is that name, with its length, one of theirs? */
static bool is_offered(struct span name, struct span offer)
{
	while (offer.n > 0 && (size_t)offer.p[0] + 1 <= offer.n) {
		struct span one = span_of(offer.p, (size_t)offer.p[0] + 1);
		if (span_eq(one, name))
			return true;
		offer = span_from(offer, one.n);
	}
	return false;
}

/* Choose our protocol out of the client's list (RFC7301 3.2); a list without one of ours is an error, no list is
 * none. */
static int select_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len, OFFER, void *unused)
{
	const struct tls_context *c = tls_of(ssl)->context;
	(void)unused;
	for (unsigned at = 0; at < c->alpn_len; at += c->alpn[at] + 1u) {
		if (!is_offered(span_of(c->alpn + at, c->alpn[at] + 1u), span_of(offer, offer_len)))
			continue;
		*ret = c->alpn + at + 1;
		*ret_len = c->alpn[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Keys under a password are refused instead of asked for on a terminal. */
static int no_password(char *to, int size, int writing, void *unused)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)unused;
	return 0;
}

/* --- making --- */

/* names: by comma */
static bool set_alpn(struct tls_context *c, const char *names)
{
	for (const char *at = names; at != NULL && *at != 0;) {
		size_t n = strcspn(at, ",");
		if (n == 0 || c->alpn_len + n + 1 > sizeof(c->alpn))
			return false;
		c->alpn[c->alpn_len] = (uint8_t)n;
		memcpy(c->alpn + c->alpn_len + 1, at, n);
		c->alpn_len += (unsigned)n + 1;
		at += n + (at[n] == ',');
	}
	return true;
}

/* What both sides have in common. NULL: why has the text. */
static struct tls_context *context_new(struct crypto_lib *lib, const SSL_METHOD *method, bool only_13,
                                       struct buf *why)
{
	struct tls_context *c = heap_new(sizeof(*c));
	ERR_clear_error();
	c->ssl = SSL_CTX_new_ex(crypto_lib_context(lib), NULL, method);
	c->bio = bio_method();
	if (c->ssl == NULL || c->bio == NULL ||
	    SSL_CTX_set_min_proto_version(c->ssl, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1) {
		buf_text(why, "TLS: ");
		crypto_error_text(why);
		tls_context_free(c);
		return NULL;
	}
	SSL_CTX_set_security_level(c->ssl, SECURITY_LEVEL);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Records that carry no data come back to tls_read, which counts them: without read-ahead only, which would
	 * save a copy of five bytes here, not a system call. */
	SSL_CTX_clear_mode(c->ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(c->ssl, 0);
	return c;
}

/* Our own certificate and what leads to its CA. */
static bool use_chain(struct tls_context *c, struct crypto_lib *lib, struct span pem)
{
	BIO *in = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	bool good = in != NULL;
	for (unsigned i = 0; good && i <= CHAIN_MAX; i++) {
		X509 *x = X509_new_ex(crypto_lib_context(lib), NULL);
		if (x == NULL || PEM_read_bio_X509(in, &x, no_password, NULL) == NULL) {
			X509_free(x);
			good = i > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
			break;
		}
		good = i == 0 ? SSL_CTX_use_certificate(c->ssl, x) == 1 : SSL_CTX_add1_chain_cert(c->ssl, x) == 1;
		X509_free(x);
	}
	BIO_free(in);
	return good;
}

static bool use_key(struct tls_context *c, struct crypto_lib *lib, struct span pem)
{
	BIO *in = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *key = in != NULL ?
		PEM_read_bio_PrivateKey_ex(in, NULL, no_password, NULL, crypto_lib_context(lib), NULL) : NULL;
	bool good = key != NULL && SSL_CTX_use_PrivateKey(c->ssl, key) == 1 && SSL_CTX_check_private_key(c->ssl) == 1;
	EVP_PKEY_free(key);
	BIO_free(in);
	return good;
}

struct tls_context *tls_client_context(const struct tls_client_conf *conf, struct buf *why)
{
	struct tls_context *c = context_new(conf->lib, TLS_client_method(), conf->only_13, why);
	if (c == NULL)
		return NULL;
	c->no_sni = conf->no_sni;
	SSL_CTX_set_verify_depth(c->ssl, DEPTH_MAX);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ssl, new_session);
	if (!set_alpn(c, conf->alpn) ||
	    (c->alpn_len > 0 && SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_len) != 0)) {
		buf_text(why, "TLS: bad ALPN name");
		tls_context_free(c);
		return NULL;
	}
	if (conf->store != NULL)
		tls_context_trust(c, conf->store);
	bool own = conf->certificate.n > 0;
	if (!own || (use_chain(c, conf->lib, conf->certificate) && use_key(c, conf->lib, conf->key)))
		return c;
	buf_text(why, "TLS: own certificate or its key: ");
	crypto_error_text(why);
	tls_context_free(c);
	return NULL;
}

void tls_context_trust(struct tls_context *c, struct tls_store *store)
{
	SSL_CTX_set1_verify_cert_store(c->ssl, store->certificates);
	c->trusts = true;
}

/* Any certificate will do: whoever asks for one without checking it wants to see it, and no more. */
static int accept_any(X509_STORE_CTX *x, void *unused)
{
	(void)x;
	(void)unused;
	return 1;
}

static bool ask_clients(struct tls_context *c, const struct tls_server_conf *conf)
{
	char text[TLS_TEXT_MAX];
	struct buf why = buf_on(text, sizeof(text));
	if (!conf->ask_client)
		return true;
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | (conf->need_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_verify_depth(c->ssl, DEPTH_MAX);
	if (!conf->check_client) {
		SSL_CTX_set_cert_verify_callback(c->ssl, accept_any, NULL);
		return true;
	}
	struct tls_store *store = tls_store_parse(conf->client_ca, &why);
	if (store == NULL)
		return false;
	tls_context_trust(c, store);
	tls_store_free(store);
	return true;
}

static const char *set_up_server(struct tls_context *c, const struct tls_server_conf *conf)
{
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);   /* tickets carry their state themselves */
	/* What was shown to get a ticket is not asked for again: it must not open a context that asks for more. */
	SSL_CTX_set_session_id_context(c->ssl, (const uint8_t *)&conf->sessions, sizeof(conf->sessions));
	SSL_CTX_set_num_tickets(c->ssl, 1);
	SSL_CTX_set_options(c->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	if (!set_alpn(c, conf->alpn))
		return "bad ALPN name";
	if (c->alpn_len > 0)
		SSL_CTX_set_alpn_select_cb(c->ssl, select_alpn, NULL);
	if (!ask_clients(c, conf))
		return "authorities of clients";
	if (!use_chain(c, conf->lib, conf->certificate))
		return "certificate";
	if (!use_key(c, conf->lib, conf->key))
		return "private key";
	if (conf->ciphers != NULL && SSL_CTX_set_cipher_list(c->ssl, conf->ciphers) != 1)
		return "tls-ciphers";
	if (conf->ciphersuites != NULL && SSL_CTX_set_ciphersuites(c->ssl, conf->ciphersuites) != 1)
		return "tls-ciphersuites";
	return NULL;
}

struct tls_context *tls_server_context(const struct tls_server_conf *conf, struct buf *why)
{
	struct tls_context *c = context_new(conf->lib, TLS_server_method(), conf->only_13, why);
	if (c == NULL)
		return NULL;
	const char *wrong = set_up_server(c, conf);
	if (wrong != NULL) {
		buf_printf(why, "TLS: %s: ", wrong);
		crypto_error_text(why);
		tls_context_free(c);
		return NULL;
	}
	if (conf->ticket_key.n == TLS_TICKET_KEY)
		tls_context_rekey(c, conf->ticket_key);
	return c;
}

void tls_context_rekey(struct tls_context *c, struct span ticket_key)
{
	ASSERT(ticket_key.n == TLS_TICKET_KEY);
	uint8_t copy[TLS_TICKET_KEY];
	memcpy(copy, ticket_key.p, sizeof(copy));
	SSL_CTX_set_tlsext_ticket_keys(c->ssl, copy, sizeof(copy));
	OPENSSL_cleanse(copy, sizeof(copy));
}

void tls_context_release(struct tls_context *c)
{
	if (!c->ended || c->users > 0)
		return;
	SSL_CTX_free(c->ssl);
	BIO_meth_free(c->bio);
	heap_free(c);
}

void tls_context_free(struct tls_context *c)
{
	if (c == NULL)
		return;
	c->ended = true;
	tls_context_release(c);
}
