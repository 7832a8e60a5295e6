#include "io/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENVIRONMENT_MAX 8u
#define VARIABLE_MAX 4200u
#define END_STEPS 50u                 /* how often it is looked at whether the child has ended by itself */
#define END_STEP_NS 2000000

static enum err complain(struct buf *why, const char *what, int error)
{
	buf_printf(why, "%s: %s", what, strerror(error));
	return ERR_WORLD;
}

enum err child_find(const char *name, char ret[CHILD_PATH_MAX], struct buf *why)
{
	static const char *const folders[] = { "", "../libexec/signet/" };
	char self[CHILD_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t folder = n < 0 ? 0 : (size_t)n;
	while (folder > 0 && self[folder - 1] != '/')
		folder--;
	for (size_t i = 0; i < COUNT(folders); i++) {
		struct buf b = buf_on(ret, CHILD_PATH_MAX);
		buf_put(&b, self, folder);
		buf_printf(&b, "%s%s", folders[i], name);
		buf_cstr(&b);
		if (buf_ok(&b) && access(ret, X_OK) == 0)
			return OK;
	}
	buf_printf(why, "%s: it is neither beside the program nor in ../libexec/signet", name);
	return ERR_NOTFOUND;
}

/* "NAME=value" of those that are set. */
static void environment(char text[][VARIABLE_MAX], char **list)
{
	static const char *const names[] = { "SSL_CERT_FILE", "SSL_CERT_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS" };
	unsigned n = 0;
	for (size_t i = 0; i < COUNT(names); i++) {
		const char *value = getenv(names[i]);
		struct buf b = buf_on(text[n], VARIABLE_MAX);
		if (value == NULL)
			continue;
		buf_printf(&b, "%s=%s", names[i], value);
		list[n] = buf_cstr(&b);
		n += buf_ok(&b);
	}
	list[n] = NULL;
}

static int spawn(const char *path, int socket, pid_t *ret_pid)
{
	char text[ENVIRONMENT_MAX][VARIABLE_MAX], *env[ENVIRONMENT_MAX + 1];
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	environment(text, env);
	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawn_file_actions_adddup2(&files, socket, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn(ret_pid, path, &files, &attr, argv, env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return error;
}

enum err child_start(const char *path, int *ret_fd, pid_t *ret_pid, struct buf *why)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return complain(why, "socketpair", errno);
	int error = spawn(path, pair[1], ret_pid);
	close(pair[1]);
	if (error == 0) {
		*ret_fd = pair[0];
		return OK;
	}
	close(pair[0]);
	return complain(why, path, error);
}

static void say_how(pid_t got, int status, struct buf *how)
{
	if (got < 0)
		buf_text(how, "in a way that is not known");
	else if (WIFSIGNALED(status))
		buf_printf(how, "by signal %d", WTERMSIG(status));
	else
		buf_printf(how, "with exit status %d", WEXITSTATUS(status));
}

void child_end(int fd, pid_t pid, struct buf *how)
{
	int status = 0;
	pid_t got = 0;
	close(fd);
	for (unsigned i = 0; got == 0 && i < END_STEPS; i++) {
		got = waitpid(pid, &status, WNOHANG);
		if (got == 0)
			nanosleep(&(struct timespec){ 0, END_STEP_NS }, NULL);
	}
	if (got == 0) {
		kill(pid, SIGKILL);
		got = waitpid(pid, &status, 0);
	}
	say_how(got, status, how);
}

void child_reap(int fd, pid_t pid, struct buf *how)
{
	int status = 0;
	close(fd);
	kill(pid, SIGKILL);   /* changes nothing for one that is ending already: its status is what it was */
	pid_t got = waitpid(pid, &status, 0);
	say_how(got, status, how);
}
