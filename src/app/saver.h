/* saver: the thread that writes the state files of trust anchors, so that no worker waits for a disk. A file that
 * cannot be written ends nothing: that is said once, and what is known lives on in memory. */
#ifndef APP_SAVER_H
#define APP_SAVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "app/logger.h"
#include "core/anchorage.h"

struct saver {
	struct anchorage *anchorage;
	struct logger *logger;
	pthread_t thread;
	sem_t wake;
	_Atomic bool stop;
	bool running, warned;
};

void saver_start(struct saver *s, struct anchorage *anchorage, struct logger *logger);
/* Any thread: there is something to be written. */
void saver_wake(struct saver *s);
/* Write what is left, and end. */
void saver_stop(struct saver *s);

#endif
