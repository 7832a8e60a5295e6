#include "app/trust.h"

#include <string.h>

#include "app/logger.h"
#include "app/worker.h"

#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"   /* Debian's ca-certificates */

void trust_init(struct trust *t, struct logger *logger, struct worker *workers, uint32_t nworkers)
{
	*t = (struct trust){ .lock = PTHREAD_MUTEX_INITIALIZER, .logger = logger, .workers = workers,
		             .nworkers = nworkers };
}

/* What every connection made from here on is checked against. */
static void publish(struct trust *t, struct tls_store *store)
{
	pthread_mutex_lock(&t->lock);
	struct tls_store *old = t->store;
	t->store = store;
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
	pthread_mutex_unlock(&t->lock);
	tls_store_free(old);
	for (uint32_t i = 0; i < t->nworkers; i++)
		worker_wake(&t->workers[i]);
}

static void *parse(void *arg)
{
	struct trust *t = arg;
	char text[TLS_TEXT_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct tls_store *store = tls_store_load(*t->bundle != 0 ? t->bundle : SYSTEM_BUNDLE, &why);
	if (store != NULL && *t->bundle != 0 && t->system && tls_store_add(store, SYSTEM_BUNDLE, &why) != OK)
		logger_say(t->logger, "error", "tls-system-cert: %s", buf_cstr(&why));
	bool first = trust_version(t) == 0;
	if (store == NULL)
		logger_say(t->logger, "error", "tls-cert-bundle: %s; %s", buf_cstr(&why),
		           first ? "no upstream can prove its name" : "the certificates read before stay in use");
	if (store != NULL || first)
		publish(t, store);
	return NULL;
}

static void wait_for(struct trust *t)
{
	if (t->running)
		pthread_join(t->thread, NULL);
	t->running = false;
}

void trust_update(struct trust *t, const char *bundle, bool system)
{
	struct file_mark marks[2] = { 0 };
	if (bundle == NULL)
		bundle = "";
	if (*bundle != 0)
		marks[0] = file_mark(bundle);
	if (system)
		marks[1] = file_mark(SYSTEM_BUNDLE);
	bool same = trust_version(t) > 0 && strcmp(t->bundle, bundle) == 0 && t->system == system;
	if (same && file_mark_eq(&marks[0], &t->marks[0]) && file_mark_eq(&marks[1], &t->marks[1]))
		return;
	wait_for(t);
	struct buf path = buf_on(t->bundle, sizeof(t->bundle));
	buf_text(&path, bundle);
	buf_cstr(&path);
	t->system = system;
	memcpy(t->marks, marks, sizeof(marks));
	bool any = *bundle != 0 || system;
	t->running = any && pthread_create(&t->thread, NULL, parse, t) == 0;
	if (!any || (!t->running && trust_version(t) == 0))   /* no thread to be had: what is there stays */
		publish(t, NULL);
}

uint32_t trust_give(struct trust *t, struct tls_context *c)
{
	pthread_mutex_lock(&t->lock);
	if (t->store != NULL)
		tls_context_trust(c, t->store);
	uint32_t version = trust_version(t);
	pthread_mutex_unlock(&t->lock);
	return version;
}

void trust_fini(struct trust *t)
{
	wait_for(t);
	tls_store_free(t->store);
}
