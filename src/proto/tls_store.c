#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/heap.h"
#include "proto/tls_inside.h"

#define CERTIFICATES_MAX 4096u          /* a bundle of all public CAs has some 150 */
#define BUNDLE_MAX (32u << 20)          /* bytes */
#define PIECE 65536u

/* Read one certificate after another; one that is malformed does not cost the others. returns how many */
static unsigned parse(struct tls_store *s, BIO *in)
{
	unsigned before = s->n;
	for (unsigned i = 0; s->certificates != NULL && i < CERTIFICATES_MAX; i++) {
		X509 *x = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
		if (x == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			break;
		if (x != NULL && X509_STORE_add_cert(s->certificates, x) == 1)
			s->n++;
		X509_free(x);
		ERR_clear_error();
	}
	ERR_clear_error();
	return s->n - before;
}

static enum err add(struct tls_store *s, struct span pem, struct buf *why)
{
	BIO *in = pem.n <= BUNDLE_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	if (in == NULL) {
		buf_text(why, "CA certificates: too long");
		return ERR_LIMIT;
	}
	unsigned n = parse(s, in);
	BIO_free(in);
	if (n == 0)
		buf_text(why, "no certificate in it");
	return n > 0 ? OK : ERR_FORMAT;
}

static struct tls_store *store_new(void)
{
	struct tls_store *s = heap_new(sizeof(*s));
	s->certificates = X509_STORE_new();
	return s;
}

/* The store itself, or NULL when what was to be read into it could not be. */
static struct tls_store *store_if(struct tls_store *s, enum err err)
{
	if (err == OK)
		return s;
	tls_store_free(s);
	return NULL;
}

struct tls_store *tls_store_parse(struct span pem, struct buf *why)
{
	struct tls_store *s = store_new();
	return store_if(s, add(s, pem, why));
}

struct tls_store *tls_store_load(const char *path, struct buf *why)
{
	struct tls_store *s = store_new();
	return store_if(s, tls_store_add(s, path, why));
}

enum err tls_store_add(struct tls_store *s, const char *path, struct buf *why)
{
	BIO *file = BIO_new_file(path, "r");
	if (file == NULL) {
		buf_printf(why, "CA certificates %s: ", path);
		crypto_error_text(why);
		return ERR_NOTFOUND;
	}
	struct queue all;
	queue_init(&all, BUNDLE_MAX);
	int n = 1;
	while (n > 0) {
		uint8_t *to = queue_room(&all, PIECE);
		n = to != NULL ? BIO_read(file, to, (int)PIECE) : 0;
		if (n > 0)
			queue_add(&all, (size_t)n);
	}
	BIO_free(file);
	buf_printf(why, "CA certificates %s: ", path);
	size_t mark = why->n;
	enum err err = add(s, queue_span(&all), why);
	if (err == OK)
		why->n -= MIN(why->n, mark);   /* nothing to complain of */
	queue_fini(&all);
	return err;
}

unsigned tls_store_count(const struct tls_store *s)
{
	return s->n;
}

void tls_store_free(struct tls_store *s)
{
	if (s == NULL)
		return;
	X509_STORE_free(s->certificates);
	heap_free(s);
}
