/* life: a query from its slot to its end. It begins with an arena of its own, says when it wants to run, ends once,
 * and is freed when nobody reads it or runs on its budget any more. For engine.c and ask.c alone. One worker. */
#ifndef CORE_LIFE_H
#define CORE_LIFE_H

#include "core/engine.h"

/* NULL: the worker has as many as it may. */
struct query *life_begin(struct engine *e, const struct chain *chain);
/* Say when the query wants to run even if nothing happens. Where that is later than was said before, it is said again
 * when that time comes: one that goes on for long has one entry, not one a step. */
void life_arm(struct query *q);
/* It is through: waiters will hear of it, a client gets its reply. */
void life_finish(struct query *q);
/* The bound on every question: whatever it waits for, it ends now. */
void life_expire(struct query *q);
/* To the ended list, once nobody reads it and nobody runs on its budget. */
void life_release(struct query *q);
void life_free(struct query *q);

#endif
