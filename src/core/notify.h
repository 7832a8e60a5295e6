/* notify: secondaries are told that a zone has another serial (RFC1996): a datagram to each, again until it answers or
 * for a while. One worker.
 * lifetime  that of the plugin's life */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

#include "core/courier.h"
#include "core/pool.h"

#define NOTIFY_TOLD_MAX 4096u      /* zones times secondaries */
#define NOTIFY_TRIES 5u            /* RFC1996 3.6 */
#define NOTIFY_WAIT_MS 2000        /* until the second one; doubles */
#define NOTIFY_AT_ONCE 16u         /* in one turn */

struct notify;

struct notify *notify_new(void);
void notify_free(struct notify *n);
/* Nothing more is said, nor heard. */
void notify_stop(struct notify *n, struct engine *e);

/* Zones are looked at: each that is there is noted, and then those that were not are forgotten. */
void notify_look(struct notify *n);
void notify_looked(struct notify *n, struct engine *e);
/* The zone has this serial: whoever has not been told so will be. `soa` goes along as a hint. */
void notify_note(struct notify *n, struct engine *e, const struct rr *soa, const struct upstream *to);
/* What is due. returns when something is next */
msec notify_tend(struct notify *n, struct engine *e, const struct steps *steps, void *live);
void notify_heard(struct notify *n, struct engine *e, const struct heard *what);

#endif
