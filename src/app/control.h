/* control: the Unix socket through which the running program is spoken to (signet ctl). One line comes, an answer goes,
 * and that is all of a connection. Served by the main thread, between signals: what it does there (a reload, forgetting
 * a name) is the main thread's to do, and no question waits for it.
 * Bounds: clients at once (others wait in the kernel's queue), bytes of a line, bytes of an answer, time. Only root and
 * the user that the program runs as are listened to. */
#ifndef APP_CONTROL_H
#define APP_CONTROL_H

#include "app/server.h"

#define CONTROL_CLIENTS_MAX 8u
#define CONTROL_LINE_MS (5 * SECOND)       /* to say a line; the same to take the answer */

/* Kinds of events in the main thread's loop. */
enum { MAIN_SIGNAL = LOOP_KIND_WAKE + 1, MAIN_CONTROL, MAIN_CLIENT };

/* Listen, before root is given up. NULL: none is wanted (path ""), or none to be had: then why says one line. */
struct control *control_open(struct server *s, const char *path, struct buf *why);
void control_event(struct server *s, const struct loop_event *ev);
/* When to call control_turn if nothing happens before. */
msec control_deadline(const struct control *c);
void control_turn(struct server *s);
void control_close(struct server *s);

#endif
