#include "app/credentials.h"

#include "base/hash.h"
#include "io/file.h"

#define PEM_MAX (1u << 20)   /* a certificate chain or key file */

static enum err read_one(const char *path, struct arena *a, struct span *ret, struct buf *why)
{
	if (path == NULL || *path == 0)
		return OK;
	return file_read(path, PEM_MAX, a, ret, why);
}

/* No secret: it is compared with that of the next configuration alone. */
static uint64_t hash_of(const struct credentials *c)
{
	static const struct hash_key key;
	uint64_t parts[4] = { hash_bytes(&key, c->pem), hash_bytes(&key, c->key), hash_bytes(&key, c->ca), c->auth };
	return hash_bytes(&key, span_of(parts, sizeof(parts)));
}

enum err credentials_read(const struct listen *l, const struct socket_conf *c, struct arena *a,
                          const struct credentials **ret, struct buf *why)
{
	const char *pem = l->tls_pem != NULL ? l->tls_pem : c->tls_pem;
	const char *key = l->tls_key != NULL ? l->tls_key : c->tls_key;
	*ret = NULL;
	if (l->transport == TRANSPORT_DNS || pem == NULL || key == NULL || *pem == 0 || *key == 0)
		return OK;
	struct credentials *made = ARENA_NEW(a, struct credentials);
	if (made == NULL)
		return ERR_LIMIT;
	made->transport = l->transport;
	made->auth = l->auth;
	TRY(read_one(pem, a, &made->pem, why));
	TRY(read_one(key, a, &made->key, why));
	TRY(read_one(l->tls_ca, a, &made->ca, why));
	made->hash = hash_of(made);
	*ret = made;
	return OK;
}

struct tls_context *credentials_context(const struct credentials *c, struct span ticket_key, struct buf *why)
{
	struct tls_server_conf conf = { .certificate = c->pem, .key = c->key, .ticket_key = ticket_key,
		                        .alpn = c->transport == TRANSPORT_HTTPS ? "h2,http/1.1" : "dot" };
	conf.ask_client = c->auth != AUTH_NONE;
	conf.need_client = c->auth == AUTH_REQUIRE || c->auth == AUTH_REQUIRE_VERIFY;
	conf.check_client = c->auth == AUTH_VERIFY_GIVEN || c->auth == AUTH_REQUIRE_VERIFY;
	conf.client_ca = c->ca;
	conf.sessions = c->hash;
	return tls_server_context(&conf, why);
}
