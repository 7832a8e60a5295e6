#include "io/local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WRITES_MAX 1024u   /* calls for one line: the kernel takes at least a byte each time */

static enum err complain(struct buf *why, const char *path, const char *what)
{
	buf_printf(why, "%s: %s: %s", path, what, strerror(errno));
	return ERR_WORLD;
}

static enum err address(const char *path, struct sockaddr_un *ret, struct buf *why)
{
	size_t n = strlen(path);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n >= sizeof(ret->sun_path)) {
		buf_printf(why, "%s: longer than the %zu bytes of a socket's name", path, sizeof(ret->sun_path) - 1);
		return ERR_WORLD;
	}
	memcpy(ret->sun_path, path, n);
	return OK;
}

/* Is a name in the way that is a socket nobody listens at? */
static bool is_left_over(const struct sockaddr_un *at)
{
	struct stat st;
	if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return dead;
}

/* Give the name to its owner, if it is still the socket that was made: what stands there is looked at while open. */
static enum err give(const char *path, uid_t uid, gid_t gid, struct buf *why)
{
	struct stat st;
	enum err e = OK;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return complain(why, path, "open");
	if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode) || fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0)
		e = complain(why, path, "chown");
	close(fd);
	return e;
}

enum err local_listen(const char *path, uid_t uid, gid_t gid, int *ret_fd, struct buf *why)
{
	struct sockaddr_un at;
	TRY(address(path, &at, why));
	if (is_left_over(&at))
		unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(why, path, "socket");
	mode_t mask = umask(0177);   /* 0600 from the first moment on */
	bool bound = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
	int error = errno;
	umask(mask);
	errno = error;
	enum err e = bound ? OK : complain(why, path, "bind");
	if (e == OK && uid != (uid_t)-1)
		e = give(path, uid, gid, why);
	if (e == OK && listen(fd, LOCAL_BACKLOG) != 0)
		e = complain(why, path, "listen");
	if (e == OK) {
		*ret_fd = fd;
		return OK;
	}
	close(fd);
	if (bound)
		unlink(path);
	return e;
}

int local_accept(int fd, uid_t *ret_uid)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer < 0)
		return -1;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0) {
		close(peer);
		return -1;
	}
	*ret_uid = who.uid;
	return peer;
}

void local_remove(const char *path)
{
	unlink(path);
}

static bool say(int fd, struct span line)
{
	for (unsigned i = 0; line.n > 0 && i < WRITES_MAX; i++) {
		ssize_t n = send(fd, line.p, line.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EPIPE)
			return true;   /* sent away: what was said to us can still be read */
		if (n < 0 && errno != EINTR)
			return false;
		line = span_from(line, n > 0 ? (size_t)n : 0);
	}
	return line.n == 0;
}

static enum err hear(int fd, struct buf *answer, const char *path, struct buf *why)
{
	while (answer->n < answer->cap) {   /* each turn adds a byte, ends, or fails */
		ssize_t n = recv(fd, answer->p + answer->n, answer->cap - answer->n, 0);
		if (n == 0)
			return OK;
		if (n > 0) {
			answer->n += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			return OK;   /* sent away */
		if (errno == EAGAIN) {
			buf_printf(why, "%s: no answer in time", path);
			return ERR_WORLD;
		}
		return complain(why, path, "read");
	}
	return ERR_LIMIT;
}

enum err local_call(const char *path, struct span line, unsigned seconds_max, struct buf *answer, struct buf *why)
{
	struct sockaddr_un at;
	struct timeval wait = { .tv_sec = seconds_max };
	TRY(address(path, &at, why));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain(why, path, "socket");
	bool ready = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	             setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0;
	enum err e = OK;
	if (!ready || connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		e = complain(why, path, "connect");
	else if (!say(fd, line))
		e = complain(why, path, "write");
	else
		e = hear(fd, answer, path, why);
	close(fd);
	return e;
}
