/* file: whole files in, whole files out, and logs that are appended to. A save is a new file renamed over the old one,
 * so that a crash at any write leaves either the old state or the new one. Any thread. */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define FILE_PATH_MAX 4096u

/* The bytes of path, with a NUL behind them that is not counted.
 * max      longest file accepted
 * returns  OK | ERR_NOTFOUND | ERR_LIMIT longer than max or than the arena has room | ERR_WORLD; why holds one line */
enum err file_read(const char *path, size_t max, struct arena *a, struct span *ret, struct buf *why) MUST_CHECK;
/* Replace path's content: temporary file beside it, fsync, rename, fsync of the folder.
 * returns  OK | ERR_WORLD: path is as it was; why holds one line */
enum err file_save(const char *path, struct span bytes, mode_t mode, struct buf *why) MUST_CHECK;
/* Make the folder that path lies in, if only that last folder is missing and its parent is ours to write in, and give
 * it to uid and gid ((uid_t)-1: leave). There already: OK and untouched.
 * returns  OK | ERR_WORLD, why holds one line */
enum err file_folder(const char *path, uid_t uid, gid_t gid, struct buf *why) MUST_CHECK;

/* Which file a path names, and in which state: enough to see that it was replaced or written to. All zero: none. */
struct file_mark {
	uint64_t device, inode, size, changed;   /* changed: nanoseconds since 1970 */
};

struct file_mark file_mark(const char *path);
static inline bool file_mark_eq(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed == b->changed;
}

struct file_log {
	int fd;                /* -1: closed */
	char path[FILE_PATH_MAX];
};

/* Open for appending, made with mode 0640. Call when root is given up: the folder may be somebody's who points a link
 * elsewhere.
 * returns  OK | ERR_WORLD, why holds one line */
enum err file_log_open(struct file_log *l, const char *path, struct buf *why) MUST_CHECK;
/* Open the path anew (it was moved away); on failure go on with the old one. */
enum err file_log_reopen(struct file_log *l, struct buf *why) MUST_CHECK;
/* Append all parts, with as few calls as can be; waits for the disk.
 * nparts   at most FILE_PARTS_MAX
 * returns  OK | ERR_WORLD something is lost, why holds one line */
#define FILE_PARTS_MAX 64u
enum err file_log_write(const struct file_log *l, const struct span *parts, unsigned nparts, struct buf *why)
	MUST_CHECK;
void file_log_close(struct file_log *l);

#endif
