#include "app/encryption.h"

#include "base/heap.h"

#define REKEY_MS (DAY * SECOND)

void encryption_init(struct encryption *e, struct worker *w)
{
	*e = (struct encryption){ .w = w, .rekey_at = w->engine.now.ms };
}

static void served_free(struct served *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		tls_context_free(list[i].tls);
	heap_free(list);
}

/* A key a day for the tickets of TLS clients (attacks F6); all workers draw the same, so that a client is known to
 * whichever has its next connection. True: it is a new one. */
static bool rekey(struct encryption *e)
{
	msec now = e->w->engine.now.ms, before = e->rekey_at;
	for (; e->rekey_at <= now; e->rekey_at += REKEY_MS)
		rng_fill(&e->w->tickets, e->ticket_key, sizeof(e->ticket_key));
	return e->rekey_at != before;
}

/* The context that a listener has with equal credentials, taken over; else a new one. */
static struct tls_context *context_for(struct encryption *e, uint32_t listener, const struct credentials *tls)
{
	char text[TLS_TEXT_MAX];
	struct buf why = buf_on(text, sizeof(text));
	for (unsigned i = 0; i < e->n; i++) {
		struct served *old = &e->list[i];
		struct tls_context *kept = old->tls;
		if (kept == NULL || old->listener != listener || old->hash != tls->hash)
			continue;
		old->tls = NULL;
		return kept;
	}
	struct tls_context *made = credentials_context(tls, span_of(e->ticket_key, sizeof(e->ticket_key)), &why);
	ASSERT(made != NULL);   /* main has made one of the same before */
	return made;
}

void encryption_rekey(struct encryption *e)
{
	if (!rekey(e))
		return;
	for (unsigned i = 0; i < e->n; i++)
		tls_context_rekey(e->list[i].tls, span_of(e->ticket_key, sizeof(e->ticket_key)));
}

void encryption_enter(struct encryption *e, const struct generation *g)
{
	struct served *next = heap_new(sizeof(*next) * MAX(g->nlisteners, 1));
	unsigned n = 0;
	encryption_rekey(e);
	for (unsigned i = 0; i < g->nlisteners; i++) {
		const struct credentials *tls = g->roads[i]->tls;
		uint32_t nr = g->listeners[i]->nr;
		if (tls != NULL)
			next[n++] = (struct served){ nr, tls->hash, context_for(e, nr, tls) };
	}
	served_free(e->list, e->n);
	e->list = next;
	e->n = n;
}

struct tls_context *encryption_of(const struct encryption *e, uint32_t listener)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (e->list[i].listener == listener)
			return e->list[i].tls;
	}
	return NULL;
}

void encryption_fini(struct encryption *e)
{
	served_free(e->list, e->n);
}
