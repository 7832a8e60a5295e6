/* loop: one epoll set of one worker. A descriptor carries a kind (the caller's own enum, 1..LOOP_KIND_MAX) and the slot
 * id of what it belongs to, so that an event that was already fetched when its owner ended names an id that is not
 * found, whatever descriptor number came in its place. No timers: the caller knows its next deadline (base/timers) and
 * waits no longer. Level triggered: what is left unread is told again. One thread, save loop_wake.
 * source  doc/decisions/0003-one-epoll.md */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slots.h"
#include "base/time.h"

#define LOOP_KIND_WAKE 0u        /* loop_wake was called; the loop's own */
#define LOOP_KIND_MAX 255u
#define LOOP_INDEX_MAX 0xffffffu /* a slot id's low word, index + 1, must not pass this */
#define LOOP_EVENTS 256u         /* most events of one wait */
#define LOOP_WAIT_MS_MAX 60000   /* a turn comes at least this often */

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop {
	int epoll, wake;
};

struct loop_event {
	slot_id id;
	uint8_t kind;
	bool readable;   /* bytes, the peer's end, or an error: reading tells which */
	bool writable;
	bool broken;     /* error or hang-up on both sides; readable is set too */
};

/* returns OK | ERR_WORLD, why says which call */
enum err loop_init(struct loop *l, struct buf *why) MUST_CHECK;
void loop_fini(struct loop *l);
/* want: LOOP_READ | LOOP_WRITE, 0 for neither (errors are told all the same).
 * id       0 is allowed: things that are not in a slot table (listeners, signals) may put any number up to
 *          LOOP_INDEX_MAX in its place
 * returns  OK | ERR_WORLD too many watches */
enum err loop_add(struct loop *l, int fd, unsigned want, unsigned kind, slot_id id) MUST_CHECK;
/* As loop_add, for a descriptor already there. */
enum err loop_change(struct loop *l, int fd, unsigned want, unsigned kind, slot_id id) MUST_CHECK;
/* Closing a descriptor does this too, unless it was duplicated. */
void loop_remove(struct loop *l, int fd);
/* Wait for events until timeout_ms have passed (0: only look; NEVER or long: LOOP_WAIT_MS_MAX).
 * ret      room for max (<= LOOP_EVENTS) events
 * returns  how many, 0 when the time is over or a signal came */
unsigned loop_wait(struct loop *l, msec timeout_ms, struct loop_event *ret, unsigned max);
/* From any thread: make loop_wait return with an event of LOOP_KIND_WAKE. Many calls may become one event. */
void loop_wake(const struct loop *l);

#endif
