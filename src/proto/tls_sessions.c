#include "base/assert.h"
#include "proto/tls_inside.h"

void tls_sessions_init(struct tls_sessions *s)
{
	*s = (struct tls_sessions){ .n = 0 };
}

void tls_sessions_fini(struct tls_sessions *s)
{
	for (unsigned i = 0; i < s->n; i++)
		SSL_SESSION_free(s->list[i]);
	tls_sessions_init(s);
}

/* Take row i out of the list; it is the caller's. */
static SSL_SESSION *remove_row(struct tls_sessions *s, unsigned i)
{
	SSL_SESSION *session = s->list[i];
	for (; i + 1 < s->n; i++)
		s->list[i] = s->list[i + 1];
	s->n--;
	return session;
}

SSL_SESSION *tls_sessions_get(struct tls_sessions *s, const char *name, bool proved)
{
	if (strcmp(s->name, name) != 0 || s->proved != proved)
		return NULL;
	while (s->n > 0) {
		SSL_SESSION *first = s->list[0];
		/* A 1.3 ticket used twice links two connections for who watches; in 1.2 there may be only this one. */
		if (SSL_SESSION_get_protocol_version(first) < TLS1_3_VERSION && SSL_SESSION_is_resumable(first)) {
			int ok = SSL_SESSION_up_ref(first);
			ASSERT(ok == 1);
			return first;
		}
		remove_row(s, 0);
		if (SSL_SESSION_is_resumable(first))
			return first;
		SSL_SESSION_free(first);
	}
	return NULL;
}

void tls_sessions_take(struct tls *t, struct tls_sessions *to)
{
	const char *name = t->name != NULL ? t->name : "";
	bool proved = t->context->trusts;
	if (t->ntickets == 0)
		return;
	if (strcmp(to->name, name) != 0 || to->proved != proved) {
		tls_sessions_fini(to);
		struct buf b = buf_on(to->name, sizeof(to->name));
		buf_text(&b, name);
		buf_cstr(&b);
		to->proved = proved;
	}
	for (unsigned i = 0; i < t->ntickets; i++) {
		if (to->n == TLS_SESSIONS_MAX)
			SSL_SESSION_free(remove_row(to, to->n - 1));
		for (unsigned at = to->n; at > 0; at--)
			to->list[at] = to->list[at - 1];
		to->list[0] = t->tickets[i];
		to->n++;
	}
	t->ntickets = 0;
}
