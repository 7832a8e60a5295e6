/* upstreams: performs what the engine wants of the network towards upstreams: datagrams from sockets of their own, and
 * connections over TCP and TLS. What comes back becomes events. One worker. */
#ifndef APP_UPSTREAMS_H
#define APP_UPSTREAMS_H

#include "app/worker.h"

struct asking;

struct asking *asking_new(struct worker *w);
void asking_free(struct asking *a);
void asking_enter(struct asking *a, const struct generation *g);

/* FX_DATAGRAM, FX_SOCKET_END, FX_OPEN, FX_WRITE, FX_CLOSE. */
void asking_perform(struct asking *a, const struct effect *fx);
/* Tell the engine of datagrams that could not be sent, as far as there is room for what it makes of that: true when
 * there is more to perform. */
bool asking_refused(struct asking *a);
/* KIND_ASK, KIND_STREAM. */
void asking_event(struct asking *a, const struct loop_event *ev);
/* The CA certificates are there: connections that waited for them begin. */
void asking_trusted(struct asking *a);
void asking_flush(struct asking *a);

#endif
