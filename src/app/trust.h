/* trust: the CA certificates by which upstreams prove their names. Parsed on a thread of its own, so that only
 * connections over TLS wait for them; all workers share what came out. A reload that finds other files has them parsed
 * anew, and what cannot be parsed changes nothing.
 * threads  trust_update and trust_fini: main's; trust_version and trust_give: any */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/file.h"
#include "proto/tls.h"

struct logger;
struct worker;

struct trust {
	pthread_mutex_t lock;            /* of store and version together */
	struct tls_store *store;         /* NULL: no upstream can prove its name */
	_Atomic uint32_t version;        /* 0: not known yet; another one with each store */
	struct logger *logger;
	struct worker *workers;          /* woken when there is news */
	uint32_t nworkers;
	pthread_t thread;
	bool running;
	char bundle[FILE_PATH_MAX];      /* tls-cert-bundle, "" none */
	bool system;                     /* tls-system-cert */
	struct file_mark marks[2];       /* of the files as they were read: bundle, system's */
};

void trust_init(struct trust *t, struct logger *logger, struct worker *workers, uint32_t nworkers);
/* Read the certificates unless these files have been read as they are now. bundle NULL or "": none. */
void trust_update(struct trust *t, const char *bundle, bool system);
void trust_fini(struct trust *t);

static inline uint32_t trust_version(const struct trust *t)
{
	return atomic_load_explicit(&t->version, memory_order_acquire);
}
/* For connections that c makes from here on. returns the version given */
uint32_t trust_give(struct trust *t, struct tls_context *c);

#endif
