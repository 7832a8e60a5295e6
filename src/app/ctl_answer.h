/* ctl_answer: what the running program answers to a command. Main thread. */
#ifndef APP_CTL_ANSWER_H
#define APP_CTL_ANSWER_H

#include "app/server.h"

/* Do what a line says and write the answer. returns the exit status of signet ctl: 0 yes, 1 the answer is no, 2 usage,
 * 3 the world failed */
int ctl_answer(struct server *s, struct span line, struct buf *to);

#endif
