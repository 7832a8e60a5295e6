/* logger: the thread that turns records into lines and writes them, so that no worker waits for a disk. */
#ifndef APP_LOGGER_H
#define APP_LOGGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/worker.h"
#include "io/file.h"

#define SAID_MAX 32u          /* texts remembered, so that several workers' same text is one line */
#define SAID_TEXT_MAX 512u
#define SAID_SECS 10

struct said {
	int64_t sec;
	size_t n;
	uint8_t text[SAID_TEXT_MAX];
};

struct logger {
	pthread_t thread;
	struct worker *workers;
	uint32_t nworkers;
	const char *ident;                /* before a configuration is read */
	_Atomic(const struct record_style *) style;   /* replaced by a reload; old ones stay till the end */
	struct file_log file;             /* fd -1: standard error */
	pthread_mutex_t writing;          /* file: main says its own, the thread writes and opens it anew */
	bool syslog;
	bool levels;                      /* as CoreDNS: "[INFO] ...", to standard output; set before any thread is */
	_Atomic bool stop, reopen;
	_Atomic bool quiet;               /* verbosity: 0 */
	char path[FILE_PATH_MAX];
	struct said said[SAID_MAX];
	unsigned nsaid;
};

/* Style and file from the configuration; the folder must be there. Text goes to standard error until then. */
void logger_start(struct logger *l);
void logger_stop(struct logger *l);
/* A line of the program's own ("info", "error", "warning", "notice"), at once. */
void logger_say(struct logger *l, const char *level, const char *fmt, ...) PRINTF(3, 4);

#endif
