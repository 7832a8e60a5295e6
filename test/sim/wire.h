/* wire: the network of a simulated world: what the engines send over sockets and streams, and what servers that are
 * slow, dead, lossy or lying make of it. */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "sim/host.h"

/* A promise is broken; the first one counts. */
void host_fault(struct host *h, const char *what);

struct wire *wire_find(struct host *h, uint32_t worker, uint64_t id, bool stream);
/* A worker's effects. */
void wire_datagram(struct host *h, uint32_t worker, const struct effect *fx);
void wire_open(struct host *h, uint32_t worker, const struct effect *fx);
void wire_write(struct host *h, uint32_t worker, const struct effect *fx);
/* A question reaches a server. */
void wire_arrives(struct host *h, const struct happening *e);

#endif
