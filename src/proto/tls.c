#include "proto/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "base/heap.h"
#include "proto/tls_inside.h"

#define RECORD_MAX 16384u      /* plaintext of one record (RFC8446 5.1) */
#define RECORD_COST 256u       /* most a record adds to it (RFC5246 6.2.3: 2048 in theory, 85 in all suites left) */
#define SILENT_MAX 32u         /* records without data in one read: tickets, key updates, warnings */

static char *keep_text(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = heap_new(n);
	memcpy(copy, s, n);
	return copy;
}

/* The first cause stands; what follows from it does not replace it. */
static void fail(struct tls *t, enum tls_fault fault, const char *text)
{
	t->state = TLS_FAILED;
	t->fed = span_of(NULL, 0);
	if (t->fault != TLS_FAULT_NONE)
		return;
	t->fault = fault;
	t->text = keep_text(text);
}

/* OpenSSL's verdict on one certificate of the chain, passed on as it is; the first no is kept as text. */
static int on_verify(int good, X509_STORE_CTX *x)
{
	char text[TLS_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	const SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = tls_of(ssl);
	if (!good && t->fault == TLS_FAULT_NONE) {
		tls_verify_text(x, t->name, &b);
		t->fault = TLS_FAULT_AUTH;
		t->text = keep_text(buf_cstr(&b));
	}
	return good;
}

/* --- the handshake --- */

/* OpenSSL says that it is over. */
static void fail_openssl(struct tls *t, int error)
{
	char text[TLS_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	buf_printf(&b, "TLS%s: ", t->state == TLS_HANDSHAKE ? " handshake" : "");
	if (t->overflow)
		buf_text(&b, "the peer does not read");
	else if (error == SSL_ERROR_SSL)
		crypto_error_text(&b);
	else
		buf_text(&b, "ended by the library");
	ERR_clear_error();
	fail(t, t->overflow ? TLS_FAULT_LIMIT : TLS_FAULT_PROTOCOL, buf_cstr(&b));
}

static void shake_hands(struct tls *t)
{
	for (unsigned i = 0; i < SILENT_MAX; i++) {
		ERR_clear_error();
		t->starved = false;
		int done = SSL_do_handshake(t->ssl);
		if (done == 1) {
			t->state = TLS_OPEN;
			return;
		}
		int error = SSL_get_error(t->ssl, done);
		if (error != SSL_ERROR_WANT_READ) {
			fail_openssl(t, error);
			return;
		}
		if (t->starved)
			return;
	}
	fail(t, TLS_FAULT_LIMIT, "TLS handshake: too many records that say nothing");
}

static struct tls *tls_new(struct tls_context *c)
{
	struct tls *t = heap_new(sizeof(*t));
	ASSERT(!c->ended);
	t->context = c;
	t->dry = true;
	c->users++;
	queue_init(&t->kept, TLS_IN_MAX);
	queue_init(&t->out, TLS_OUT_MAX);
	return t;
}

/* The library's half. False: failed. */
static bool make_ssl(struct tls *t)
{
	t->ssl = SSL_new(t->context->ssl);
	BIO *b = t->ssl != NULL ? BIO_new(t->context->bio) : NULL;
	if (b == NULL) {
		ERR_clear_error();
		fail(t, TLS_FAULT_LIMIT, "TLS: no memory");
		return false;
	}
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	return true;
}

/* Say whom we expect. False: the name cannot be one. */
static bool expect_name(struct tls *t)
{
	struct addr a;
	X509_VERIFY_PARAM *p = SSL_get0_param(t->ssl);
	if (addr_parse(span_text(t->name), 0, &a) == OK)
		return X509_VERIFY_PARAM_set1_ip(p, a.ip, addr_len(&a)) == 1;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_host(p, t->name, strlen(t->name)) != 1)
		return false;
	return t->context->no_sni || SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
}

/* "one.one.one.one." is the same name; SNI and certificates write it without the dot. */
static bool set_name(struct tls *t, const char *name)
{
	size_t n = strlen(name);
	if (n > 1 && name[n - 1] == '.')
		n--;
	if (n >= TLS_NAME_MAX)
		return false;
	t->name = heap_new(n + 1);
	memcpy(t->name, name, n);
	return true;
}

struct tls *tls_client_new(struct tls_context *c, const char *name, struct tls_sessions *sessions)
{
	struct tls *t = tls_new(c);
	if (name != NULL && name[0] != 0 && !set_name(t, name)) {
		fail(t, TLS_FAULT_AUTH, "TLS: the authentication name is too long");
		return t;
	}
	if (t->name != NULL && !c->trusts) {
		fail(t, TLS_FAULT_AUTH, "no CA certificates to check the name with (tls-cert-bundle)");
		return t;
	}
	if (!make_ssl(t))
		return t;
	if (t->name != NULL && !expect_name(t)) {
		ERR_clear_error();
		fail(t, TLS_FAULT_AUTH, "TLS: the authentication name is not a host name");
		return t;
	}
	SSL_set_verify(t->ssl, c->trusts ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, c->trusts ? on_verify : NULL);
	SSL_SESSION *before = sessions != NULL ?
		tls_sessions_get(sessions, t->name != NULL ? t->name : "", c->trusts) : NULL;
	if (before != NULL) {
		SSL_set_session(t->ssl, before);
		SSL_SESSION_free(before);
	}
	SSL_set_connect_state(t->ssl);
	shake_hands(t);
	return t;
}

struct tls *tls_server_new(struct tls_context *c)
{
	struct tls *t = tls_new(c);
	if (make_ssl(t))
		SSL_set_accept_state(t->ssl);
	return t;
}

void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < t->ntickets; i++)
		SSL_SESSION_free(t->tickets[i]);
	/* Else the library takes a session out of use whose connection was not said goodbye to (RFC5246 7.2.1 no longer
	 * asks for that). */
	if (t->ssl != NULL && t->state != TLS_FAILED)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	queue_fini(&t->kept);
	queue_fini(&t->out);
	heap_free(t->text);
	heap_free(t->name);
	t->context->users--;
	tls_context_release(t->context);
	heap_free(t);
}

/* --- open --- */

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

enum tls_fault tls_fault(const struct tls *t)
{
	return t->fault;
}

const char *tls_text(const struct tls *t)
{
	return t->text != NULL ? t->text : "";
}

bool tls_resumed(const struct tls *t)
{
	return t->ssl != NULL && SSL_session_reused(t->ssl) == 1;
}

const char *tls_version(const struct tls *t)
{
	return t->ssl != NULL ? SSL_get_version(t->ssl) : "none";
}

void tls_feed(struct tls *t, struct span bytes)
{
	if (t->state == TLS_CLOSED || t->state == TLS_FAILED || bytes.n == 0)
		return;
	if (tls_keep(t) != OK) {
		fail(t, TLS_FAULT_LIMIT, "TLS: more bytes than are taken");
		return;
	}
	t->fed = bytes;
	t->dry = false;
	if (t->state == TLS_HANDSHAKE)
		shake_hands(t);
}

/* After a read that gave nothing. Returns true: try again, there are bytes. */
static bool go_on(struct tls *t, int result, unsigned silent)
{
	int error = SSL_get_error(t->ssl, result);
	if (error == SSL_ERROR_WANT_READ && !t->starved) {
		if (silent < SILENT_MAX)
			return true;
		fail(t, TLS_FAULT_LIMIT, "TLS: too many records without data");
		return false;
	}
	t->dry = true;
	if (error == SSL_ERROR_ZERO_RETURN) {
		t->state = TLS_CLOSED;
		t->fed = span_of(NULL, 0);
	} else if (error != SSL_ERROR_WANT_READ) {
		fail_openssl(t, error);
	}
	return false;
}

size_t tls_read(struct tls *t, void *to, size_t cap)
{
	size_t n = 0;
	unsigned silent = 0;
	if (t->state != TLS_OPEN || t->dry)
		return 0;
	while (n < cap) {
		size_t got = 0;
		ERR_clear_error();
		t->starved = false;
		int result = SSL_read_ex(t->ssl, (uint8_t *)to + n, cap - n, &got);
		n += got;
		if (result != 1 && !go_on(t, result, silent++))
			break;
	}
	return n;
}

enum err tls_keep(struct tls *t)
{
	struct span rest = t->fed;
	t->fed = span_of(NULL, 0);
	enum err e = queue_put(&t->kept, rest);
	queue_rest(&t->kept);
	return e;
}

bool tls_waits(const struct tls *t)
{
	return t->state == TLS_OPEN && !t->dry;
}

void tls_end(struct tls *t)
{
	if (t->state == TLS_HANDSHAKE)
		fail(t, TLS_FAULT_PROTOCOL, "connection closed during the TLS handshake");
	else if (t->state == TLS_OPEN)
		t->state = TLS_CLOSED;
}

enum err tls_write(struct tls *t, struct span bytes)
{
	if (t->state != TLS_OPEN)
		return ERR_REFUSED;
	if (bytes.n == 0)
		return OK;
	if (bytes.n > TLS_OUT_MAX || bytes.n + (bytes.n / RECORD_MAX + 2) * RECORD_COST > queue_left(&t->out))
		return ERR_LIMIT;
	size_t written = 0;
	ERR_clear_error();
	int result = SSL_write_ex(t->ssl, bytes.p, bytes.n, &written);
	if (result == 1 && written == bytes.n)
		return OK;
	fail_openssl(t, SSL_get_error(t->ssl, result));
	return ERR_REFUSED;
}

void tls_close(struct tls *t)
{
	if (t->state == TLS_OPEN || (t->state == TLS_CLOSED && t->ssl != NULL)) {
		ERR_clear_error();
		(void)SSL_shutdown(t->ssl);
		ERR_clear_error();
	}
	if (t->state != TLS_FAILED)
		t->state = TLS_CLOSED;
	t->fed = span_of(NULL, 0);
}

struct span tls_output(const struct tls *t)
{
	return queue_span(&t->out);
}

void tls_sent(struct tls *t, size_t n)
{
	queue_drop(&t->out, n);
}

void tls_rest(struct tls *t)
{
	queue_rest(&t->kept);
	queue_rest(&t->out);
}
