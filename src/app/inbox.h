/* inbox: questions and answers that workers hand each other, one ring for each pair and direction. */
#ifndef APP_INBOX_H
#define APP_INBOX_H

#include "base/ring.h"
#include "core/engine.h"

#define INBOX_BYTES (1u << 20)

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

#endif
