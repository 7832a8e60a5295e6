/* slots: a table of pointers named by ids that are never reused soon: a late event for something gone finds no id.
 * One thread. */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t slot_id;   /* generation << 32 | index + 1; 0 names nothing */

struct slot {
	void *what;
	uint32_t generation;
	uint32_t free_next;
};

struct slots {
	struct slot *rows;
	uint32_t used, cap, max;   /* in use, allocated, allowed */
	uint32_t free_head;        /* index + 1, 0 none */
};

/* Room for at most `max`; memory grows as needed. */
void slots_init(struct slots *s, uint32_t max);
void slots_fini(struct slots *s);
/* A new id for `what`, or 0 when max are in use. */
slot_id slots_add(struct slots *s, void *what);
/* NULL when the id's owner is gone. */
void *slots_get(const struct slots *s, slot_id id);
void slots_drop(struct slots *s, slot_id id);

#endif
