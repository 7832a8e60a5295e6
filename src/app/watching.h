/* watching: the files that a configuration was read from. Each is looked at in its own time, by what its path leads to:
 * a ConfigMap changes by exchanging a link above it. Only another content is a change. The main thread's. */
#ifndef APP_WATCHING_H
#define APP_WATCHING_H

#include "conf/model.h"
#include "io/file.h"

struct watched {
	char *path;
	bool pattern;                /* of files; what it matches is looked at, and each of them besides */
	msec every, due;
	uint64_t hash;               /* of the content that was read last; 0: there was no file */
	struct file_mark mark;       /* of that; zero: not looked at yet */
};

struct watching {
	struct watched *list;
	unsigned n;
	msec soonest;                /* of all that are due; NEVER none */
};

/* From now on those that this configuration was read from. */
void watching_set(struct watching *w, const struct model *m);
void watching_fini(struct watching *w);
/* Look at what is due. True: something has changed since it was read or looked at. */
bool watching_look(struct watching *w, msec now);
static inline msec watching_deadline(const struct watching *w)
{
	return w->n == 0 ? NEVER : w->soonest;
}

#endif
