/* fetching: performs what the engine wants of HTTP. One worker. */
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

#endif
