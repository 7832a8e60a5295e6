/* inbox: questions and answers that workers hand each other, one ring for each pair and direction. The ring from a
 * worker to itself is the main thread's: through it come errands. */
#ifndef APP_INBOX_H
#define APP_INBOX_H

#include "base/ring.h"
#include "core/engine.h"

#define INBOX_BYTES (1u << 20)

struct errand;

struct inbox {
	struct ring ring;
};

void inbox_init(struct inbox *b);
void inbox_fini(struct inbox *b);
/* false: full. */
bool inbox_ask(struct inbox *b, const struct effect *fx, uint32_t from);
bool inbox_tell(struct inbox *b, const struct effect *fx);
/* Give one message to the engine; false when there is none. */
bool inbox_take(struct inbox *b, struct engine *e);

/* From the main thread to a worker. false: full. */
bool inbox_send_errand(struct inbox *b, struct errand *er);
/* The next errand, NULL: none. */
struct errand *inbox_take_errand(struct inbox *b);

#endif
