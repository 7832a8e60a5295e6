#include "app/upstream_tls.h"

#include "app/trust.h"
#include "base/heap.h"

#define OWN_TLS_MAX 64u         /* groups with certificates of their own */
#define TICKETS_MAX 256u        /* upstreams whose TLS sessions are kept */
#define KEY_MAX 400u

/* A context of its own for the servers of a group that has certificates of its own. */
struct own_tls {
	struct own_tls *next;
	uint64_t id;
	bool ca;                     /* its authorities are its own too */
	struct tls_context *tls;     /* NULL: what the files hold is no good */
};

void upstream_tls_init(struct upstream_tls *u, struct worker *w)
{
	char text[TLS_TEXT_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct tls_client_conf conf = { .alpn = "dot" };
	*u = (struct upstream_tls){ .w = w, .tls = tls_client_context(&conf, &why) };
	ASSERT(u->tls != NULL);
}

void upstream_tls_fini(struct upstream_tls *u)
{
	for (struct tickets *t = u->tickets, *next; t != NULL; t = next) {
		next = t->next;
		tls_sessions_fini(&t->sessions);
		heap_free(t);
	}
	tls_context_free(u->tls);
	for (struct own_tls *o = u->own, *next; o != NULL; o = next) {
		next = o->next;
		tls_context_free(o->tls);
		heap_free(o);
	}
}

struct tickets *upstream_tls_tickets(struct upstream_tls *u, const struct upstream *server)
{
	char key[KEY_MAX];
	struct buf b = buf_on(key, sizeof(key));
	addr_port_text(&server->addr, &b);
	buf_printf(&b, "#%s", server->tls_name == NULL ? "" : server->tls_name);
	if (server->trust != NULL)
		buf_printf(&b, "#%llx", (unsigned long long)server->trust->id);
	buf_cstr(&b);
	for (struct tickets *t = u->tickets; t != NULL; t = t->next) {
		if (strcmp(t->key, key) == 0)
			return t;
	}
	if (u->ntickets == TICKETS_MAX || !buf_ok(&b))
		return NULL;
	struct tickets *t = heap_new(sizeof(*t) + b.n + 1);
	memcpy(t->key, key, b.n + 1);
	tls_sessions_init(&t->sessions);
	t->next = u->tickets;
	u->tickets = t;
	u->ntickets++;
	return t;
}

static struct tls_context *own_tls_make(struct upstream_tls *u, const struct upstream_trust *t)
{
	char text[TLS_TEXT_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct tls_client_conf conf = { .alpn = "dot", .certificate = t->certificate, .key = t->key };
	struct tls_store *store = t->ca.n > 0 ? tls_store_parse(t->ca, &why) : NULL;
	conf.store = store;
	struct tls_context *c = t->ca.n > 0 && store == NULL ? NULL : tls_client_context(&conf, &why);
	if (store != NULL)
		tls_store_free(store);
	if (c == NULL)
		record_text(&u->w->log, RECORD_TEXT, u->w->engine.now.wall, NULL, buf_cstr(&why));
	else if (t->ca.n == 0)
		(void)trust_give(u->w->help.trust, c);
	return c;
}

/* The oldest: certificates are renewed, and those of before are asked for no more. Its connections go on. */
static void own_tls_drop(struct upstream_tls *u)
{
	struct own_tls **at = &u->own;
	while ((*at)->next != NULL)
		at = &(*at)->next;
	tls_context_free((*at)->tls);
	heap_free(*at);
	*at = NULL;
	u->nown--;
}

struct tls_context *upstream_tls_context(struct upstream_tls *u, const struct upstream *server)
{
	const struct upstream_trust *t = server->trust;
	if (t == NULL)
		return u->tls;
	for (struct own_tls *o = u->own; o != NULL; o = o->next) {
		if (o->id == t->id)
			return o->tls;
	}
	if (u->nown == OWN_TLS_MAX)
		own_tls_drop(u);
	struct own_tls *o = heap_new(sizeof(*o));
	*o = (struct own_tls){ .next = u->own, .id = t->id, .ca = t->ca.n > 0, .tls = own_tls_make(u, t) };
	u->own = o;
	u->nown++;
	return o->tls;
}

/* A session resumed is a certificate not looked at again: those of before prove nothing to the new authorities. */
static void forget_tickets(struct upstream_tls *u)
{
	for (struct tickets *t = u->tickets; t != NULL; t = t->next) {
		tls_sessions_fini(&t->sessions);
		tls_sessions_init(&t->sessions);
	}
}

bool upstream_tls_trust(struct upstream_tls *u)
{
	if (trust_version(u->w->help.trust) == u->trusted)
		return false;
	u->trusted = trust_give(u->w->help.trust, u->tls);
	for (struct own_tls *o = u->own; o != NULL; o = o->next) {
		if (!o->ca && o->tls != NULL)
			(void)trust_give(u->w->help.trust, o->tls);
	}
	forget_tickets(u);
	return true;
}
