/* fetching: performs what the engine wants of HTTP, through signet-fetch, a process of its own that is started when the
 * first request is begun and again, not too often, when it has ended. It has the rights of the server's user, as that
 * is who starts it: files with tokens and keys have to be readable for this user. One worker. */
#ifndef APP_FETCHING_H
#define APP_FETCHING_H

#include "app/worker.h"

struct fetching;

struct fetching *fetching_new(struct worker *w);
void fetching_free(struct fetching *f);

/* FX_FETCH, FX_FETCH_END. */
void fetching_perform(struct fetching *f, const struct effect *fx);
/* Tell the engine of fetches that could not be begun: true when there is more to perform. */
bool fetching_refused(struct fetching *f);
/* KIND_FETCH. */
void fetching_event(struct fetching *f, const struct loop_event *ev);
/* Give the engine what has come, for a short time: a whole cluster may be on its way, and questions wait. */
void fetching_turn(struct fetching *f);
/* Not all of it was given: there has to be another turn at once. */
bool fetching_waits(const struct fetching *f);
void fetching_flush(struct fetching *f);

#endif
