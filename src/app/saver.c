#include "app/saver.h"

#include <errno.h>

#include "io/file.h"

#define WHY_MAX 512u
#define FILE_MODE 0644
#define SAVE_BYTES_MAX (1u << 20)    /* one file's text */

static void save(struct saver *s, const struct anchor_save *what)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	if (file_save(what->file, what->text, FILE_MODE, &why) == OK) {
		anchorage_saved(s->anchorage, what);
		s->warned = false;
		return;
	}
	if (!s->warned)
		logger_say(s->logger, "warning", "auto-trust-anchor-file: %s; the state of trust anchors is kept in "
		           "memory alone", buf_cstr(&why));
	s->warned = true;
}

static void save_all(struct saver *s)
{
	struct anchor_save what;
	struct arena a;
	arena_init(&a, SAVE_BYTES_MAX);
	for (unsigned i = 0; i < POINTS_MAX && anchorage_unsaved(s->anchorage, &a, &what); i++) {
		save(s, &what);
		arena_free(&a);
	}
	arena_free(&a);
}

static void *run(void *arg)
{
	struct saver *s = arg;
	while (!atomic_load(&s->stop)) {
		while (sem_wait(&s->wake) != 0 && errno == EINTR)
			continue;
		save_all(s);
	}
	return NULL;
}

void saver_start(struct saver *s, struct anchorage *anchorage, struct logger *logger)
{
	s->anchorage = anchorage;
	s->logger = logger;
	s->running = sem_init(&s->wake, 0, 0) == 0 && pthread_create(&s->thread, NULL, run, s) == 0;
	if (!s->running)
		logger_say(logger, "error", "no thread for trust anchors' files: their state is kept in memory alone");
}

void saver_wake(struct saver *s)
{
	if (s->running)
		sem_post(&s->wake);
}

void saver_stop(struct saver *s)
{
	if (!s->running)
		return;
	atomic_store(&s->stop, true);
	sem_post(&s->wake);
	pthread_join(s->thread, NULL);
	sem_destroy(&s->wake);
}
