#include "io/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void watched(sigset_t *set)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigemptyset(set);
	for (unsigned i = 0; i < COUNT(numbers); i++)
		sigaddset(set, numbers[i]);
}

enum err signals_open(int *ret_fd, struct buf *why)
{
	sigset_t set;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	watched(&set);
	sigaction(SIGPIPE, &ignore, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
		buf_printf(why, "signalfd: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return ERR_WORLD;
	}
	*ret_fd = fd;
	return OK;
}

int signals_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n = read(fd, &info, sizeof(info));
	return n == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void signals_close(int fd)
{
	sigset_t set;
	watched(&set);
	close(fd);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
