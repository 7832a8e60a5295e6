#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"

#define WRITES_MAX 1024u       /* calls for one batch: the disk takes at least something each time */
#define LOG_MODE 0640
#define FOLDER_MODE 0750

static enum err complain(struct buf *why, const char *path, const char *what)
{
	int error = errno;
	buf_printf(why, "%s: %s: %s", path, what, strerror(error));
	return error == ENOENT || error == ENOTDIR ? ERR_NOTFOUND : ERR_WORLD;
}

/* Read until the end or until cap bytes are there; returns bytes, or -1. */
static ssize_t read_whole(int fd, uint8_t *to, size_t cap)
{
	size_t n = 0;
	while (n < cap) {
		ssize_t got = read(fd, to + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

enum err file_read(const char *path, size_t max, struct arena *a, struct span *ret, struct buf *why)
{
	struct stat st;
	enum err e = ERR_WORLD;
	/* Not blocking: a fifo in a file's place must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return complain(why, path, "open");
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : errno;
		e = complain(why, path, "open");
		goto done;
	}
	/* A file of /proc says 0; then ask for all there may be. One byte more shows a file that grew. */
	size_t cap = st.st_size > 0 ? (size_t)st.st_size : max;
	uint8_t *bytes = cap <= max ? arena_alloc(a, cap + 1) : NULL;
	if (bytes == NULL) {
		buf_printf(why, "%s: longer than the %zu bytes accepted", path, max);
		e = ERR_LIMIT;
		goto done;
	}
	ssize_t n = read_whole(fd, bytes, cap);
	if (n < 0) {
		e = complain(why, path, "read");
		goto done;
	}
	bytes[n] = 0;
	*ret = span_of(bytes, (size_t)n);
	e = OK;
done:
	close(fd);
	return e;
}

static bool write_whole(int fd, struct span s)
{
	for (unsigned i = 0; s.n > 0 && i < WRITES_MAX; i++) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return false;
		s = span_from(s, n > 0 ? (size_t)n : 0);
	}
	return s.n == 0;
}

/* The folder of path into `to`; false when it is too long. */
static bool folder_of(const char *path, char to[FILE_PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 1;
	if (n >= FILE_PATH_MAX)
		return false;
	memcpy(to, slash != NULL ? path : ".", n);
	if (n == 0)
		to[n++] = '/';
	to[n] = 0;
	return true;
}

/* Without this the new name may be lost in a crash, and with it the file (not the old one: that is still whole). */
static void sync_folder(const char *path)
{
	char folder[FILE_PATH_MAX];
	int fd = folder_of(path, folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

enum err file_save(const char *path, struct span bytes, mode_t mode, struct buf *why)
{
	char temporary[FILE_PATH_MAX];
	int n = snprintf(temporary, sizeof(temporary), "%s.new.%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(temporary)) {
		errno = ENAMETOOLONG;
		return complain(why, path, "save");
	}
	(void)unlink(temporary);   /* of a run before that crashed with the same number */
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		complain(why, temporary, "make");
		return ERR_WORLD;
	}
	bool good = fchmod(fd, mode) == 0 && write_whole(fd, bytes) && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (!good || rename(temporary, path) != 0) {
		complain(why, path, "save");
		(void)unlink(temporary);
		return ERR_WORLD;
	}
	sync_folder(path);
	return OK;
}

struct file_mark file_mark(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct file_mark){ 0 };
	uint64_t ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return (struct file_mark){ (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size, ns };
}

enum err file_folder(const char *path, uid_t uid, gid_t gid, struct buf *why)
{
	char folder[FILE_PATH_MAX];
	struct stat st;
	if (!folder_of(path, folder)) {
		errno = ENAMETOOLONG;
		complain(why, path, "folder");
		return ERR_WORLD;
	}
	if (stat(folder, &st) == 0)
		return OK;
	if (mkdir(folder, FOLDER_MODE) != 0 || (uid != (uid_t)-1 && lchown(folder, uid, gid) != 0)) {
		complain(why, folder, "make folder");
		return ERR_WORLD;
	}
	return OK;
}

/* A reader that stopped a fifo must not stop us: not blocking there. */
static int open_log(const char *path, struct buf *why)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, LOG_MODE);
	if (fd < 0) {
		complain(why, path, "open log");
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		(void)fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

enum err file_log_open(struct file_log *l, const char *path, struct buf *why)
{
	l->fd = -1;
	size_t n = strlen(path);
	if (n >= sizeof(l->path)) {
		errno = ENAMETOOLONG;
		complain(why, path, "open log");
		return ERR_WORLD;
	}
	memcpy(l->path, path, n + 1);
	l->fd = open_log(path, why);
	return l->fd >= 0 ? OK : ERR_WORLD;
}

enum err file_log_reopen(struct file_log *l, struct buf *why)
{
	int fd = open_log(l->path, why);
	if (fd < 0)
		return ERR_WORLD;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	return OK;
}

enum err file_log_write(const struct file_log *l, const struct span *parts, unsigned nparts, struct buf *why)
{
	struct iovec iov[FILE_PARTS_MAX];
	unsigned at = 0;
	ASSERT(nparts <= FILE_PARTS_MAX);
	for (unsigned i = 0; i < nparts; i++)
		iov[i] = (struct iovec){ (void *)(uintptr_t)parts[i].p, parts[i].n };
	for (unsigned calls = 0; at < nparts && calls < WRITES_MAX; calls++) {
		ssize_t n = writev(l->fd, iov + at, (int)(nparts - at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain(why, l->path, "write");
			return ERR_WORLD;
		}
		size_t done = (size_t)n;
		for (; at < nparts && done >= iov[at].iov_len; at++)
			done -= iov[at].iov_len;
		if (at < nparts) {
			iov[at].iov_base = (uint8_t *)iov[at].iov_base + done;
			iov[at].iov_len -= done;
		}
	}
	if (at == nparts)
		return OK;
	buf_printf(why, "%s: write: takes nothing", l->path);
	return ERR_WORLD;
}

void file_log_close(struct file_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
