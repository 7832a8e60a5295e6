#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All of fd, whose size was n when it was looked at; a file that shrinks meanwhile is what is left of it. */
static enum err read_all(int fd, uint8_t *to, size_t n, size_t *ret_n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = read(fd, to + got, n - got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ERR_WORLD;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	*ret_n = got;
	return OK;
}

static enum err read_fd(const struct source *s, int fd, struct span *ret, const char **ret_why)
{
	struct stat st;
	if (fstat(fd, &st) != 0) {
		*ret_why = strerror(errno);
		return ERR_WORLD;
	}
	if (!S_ISREG(st.st_mode)) {
		*ret_why = S_ISDIR(st.st_mode) ? "Is a directory" : "not a plain file";
		return ERR_WORLD;
	}
	if (st.st_size > (off_t)SOURCE_FILE_MAX) {
		*ret_why = "file too large";
		return ERR_LIMIT;
	}
	size_t n = (size_t)st.st_size;
	uint8_t *to = arena_alloc(s->arena, n + 1);
	if (to == NULL) {
		*ret_why = "configuration too large";
		return ERR_LIMIT;
	}
	enum err e = read_all(fd, to, n, &n);
	if (e != OK)
		*ret_why = strerror(errno);
	else
		*ret = span_of(to, n);
	return e;
}

enum err source_read(const struct source *s, const char *path, struct span *ret, const char **ret_why)
{
	if (!s->files) {
		*ret_why = "no files can be read here";
		return ERR_WORLD;
	}
	/* A fifo or a device would hold the start up for ever: look before reading. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		*ret_why = strerror(errno);
		return ERR_WORLD;
	}
	enum err e = read_fd(s, fd, ret, ret_why);
	close(fd);
	return e;
}

bool source_there(const struct source *s, const char *path)
{
	return !s->files || access(path, R_OK) == 0;
}

const char *source_variable(const struct source *s, const char *name)
{
	const char *value = s->files ? getenv(name) : NULL;
	return value == NULL ? "" : value;
}

bool source_is_pattern(const char *path)
{
	return strpbrk(path, "*?[{~") != NULL;
}

enum err source_match(const struct source *s, const char *pattern, const char ***ret, unsigned *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (!s->files)
		return ERR_WORLD;
	glob_t g;
	int r = glob(pattern, GLOB_ERR | GLOB_BRACE | GLOB_TILDE, NULL, &g);
	if (r == GLOB_NOMATCH)
		return OK;
	if (r != 0)
		return r == GLOB_NOSPACE ? ERR_LIMIT : ERR_WORLD;
	enum err e = g.gl_pathc > SOURCE_MATCHES_MAX ? ERR_LIMIT : OK;
	const char **list = e == OK ? ARENA_ARRAY(s->arena, const char *, g.gl_pathc) : NULL;
	for (size_t i = 0; list != NULL && i < g.gl_pathc; i++)
		list[i] = arena_text(s->arena, span_text(g.gl_pathv[i]));
	if (list != NULL) {
		*ret = list;
		*ret_n = (unsigned)g.gl_pathc;
	}
	globfree(&g);
	return list == NULL ? ERR_LIMIT : OK;
}
