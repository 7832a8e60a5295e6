#include "io/process.h"

#include <dirent.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

#define CORES_MAX 1024         /* of one mask */
#define NOTIFY_MAX 512u        /* bytes of one message to the supervisor */

static enum err complain(struct buf *why, const char *what)
{
	buf_printf(why, "%s: %s", what, strerror(errno));
	return ERR_WORLD;
}

enum err process_user_find(const char *name, struct process_user *ret, struct buf *why)
{
	errno = 0;
	const struct passwd *p = getpwnam(name);
	if (p == NULL && errno != 0 && errno != ENOENT && errno != ESRCH)
		return complain(why, name);
	if (p == NULL) {
		buf_printf(why, "no user %s", name);
		return ERR_NOTFOUND;
	}
	*ret = (struct process_user){ p->pw_uid, p->pw_gid };
	return OK;
}

bool process_is_root(void)
{
	return geteuid() == 0;
}

/* The leak checker of a debug build is a debugger, and giving up root shuts it out too. */
#if defined(__SANITIZE_ADDRESS__)
#define DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DUMPABLE 1
#endif
#endif
#ifndef DUMPABLE
#define DUMPABLE 0
#endif

void process_undumpable(void)
{
	struct rlimit none = { 0, 0 };
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0);
}

/* Only what binding below 1024 needs stays, and only in the permitted and effective sets: exec gets none of it. */
static bool keep_one_capability(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_update(CAPNG_ADD, (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_NET_BIND_SERVICE) != 0)
		return false;
	return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

void process_raise(void)
{
	if (capng_get_caps_process() != 0 || capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE) != 1)
		return;
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE) == 0)
		(void)capng_apply(CAPNG_SELECT_CAPS);
}

/* A container may have root's name without the right to take another: only capabilities are left to be given up. */
static bool may_change_user(void)
{
	return capng_get_caps_process() != 0 || (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) == 1 &&
	                                         capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) == 1);
}

static enum err change_user(const struct process_user *u, struct buf *why)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return complain(why, "keep capabilities");
	if (setgroups(0, NULL) != 0 || setresgid(u->gid, u->gid, u->gid) != 0)
		return complain(why, "give up root's groups");
	if (setresuid(u->uid, u->uid, u->uid) != 0)
		return complain(why, "give up root");
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return OK;
}

enum err process_drop(const struct process_user *u, struct buf *why)
{
	bool changed = may_change_user();
	int parent = 0;              /* the signal when our parent dies: another user's process would not get it */
	(void)prctl(PR_GET_PDEATHSIG, &parent, 0, 0, 0);
	if (changed)
		TRY(change_user(u, why));
	(void)prctl(PR_SET_PDEATHSIG, parent, 0, 0, 0);
	if (!keep_one_capability()) {
		/* A container may not have it to keep; then nothing at all is kept. */
		capng_clear(CAPNG_SELECT_BOTH);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
			buf_text(why, "give up root's capabilities");
			return ERR_WORLD;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return complain(why, "no_new_privs");
	process_undumpable();
	if (changed && u->uid != 0 && (setuid(0) == 0 || geteuid() == 0)) {
		buf_text(why, "root could be had back");
		return ERR_WORLD;
	}
	return OK;
}

/* The first line of a small file; false when it cannot be read. */
static bool read_line(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, cap - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	to[n] = 0;
	to[strcspn(to, "\n")] = 0;
	return true;
}

/* The quota of one cgroup in whole cores, rounded up; 0: none. */
static unsigned cgroup_quota(const char *folder)
{
	char path[4200], text[64];
	long quota, period;
	int n = snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", folder);
	if (n < 0 || (size_t)n >= sizeof(path) || !read_line(path, text, sizeof(text)))
		return 0;
	if (sscanf(text, "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0)
		return 0;
	return (unsigned)MIN((quota + period - 1) / period, CORES_MAX);
}

/* The least quota on the way from our cgroup up to the root. */
static unsigned cgroup_cores(void)
{
	char line[4096];
	unsigned least = 0;
	if (!read_line("/proc/self/cgroup", line, sizeof(line)) || strncmp(line, "0::/", 4) != 0)
		return cgroup_quota("");
	char *folder = line + 3;
	for (unsigned depth = 0; depth < 64; depth++) {
		unsigned quota = cgroup_quota(folder);
		if (quota != 0 && (least == 0 || quota < least))
			least = quota;
		char *slash = strrchr(folder, '/');
		if (slash == NULL)
			break;
		*slash = 0;
	}
	return least;
}

unsigned process_cores(void)
{
	cpu_set_t set;
	long n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
	unsigned cores = n > 0 ? (unsigned)n : 1;
	unsigned quota = cgroup_cores();
	return quota != 0 && quota < cores ? quota : cores;
}

size_t process_resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n > 0 ? n - 1 : 0;   /* that of the folder itself */
}

void process_usage(struct process_usage *ret)
{
	struct rusage u;
	struct rlimit most;
	unsigned long pages = 0;
	*ret = (struct process_usage){ .fds = open_descriptors() };
	if (getrusage(RUSAGE_SELF, &u) == 0)
		ret->cpu_seconds = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		                   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	if (getrlimit(RLIMIT_NOFILE, &most) == 0)
		ret->fds_max = (unsigned)MIN(most.rlim_cur, (rlim_t)UINT32_MAX);
	FILE *f = fopen("/proc/self/statm", "re");
	if (f == NULL)
		return;
	if (fscanf(f, "%lu", &pages) == 1)
		ret->virtual_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	fclose(f);
}

uint32_t process_thread(void)
{
	return (uint32_t)gettid();
}

void process_tune_memory(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

unsigned process_descriptors(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024;
	if (r.rlim_cur < r.rlim_max) {
		rlim_t before = r.rlim_cur;
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0)
			r.rlim_cur = before;
	}
	return (unsigned)MIN(r.rlim_cur, (rlim_t)UINT32_MAX);
}

void process_random(uint8_t ret[32])
{
	ssize_t n;
	do {
		n = getrandom(ret, 32, 0);
	} while (n < 0 && errno == EINTR);
	ASSERT(n == 32);
}

static bool send_notice(const char *path, struct span text)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(to.sun_path))
		return false;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = 0;   /* an abstract name */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	ssize_t sent = sendto(fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, len);
	close(fd);
	return sent == (ssize_t)text.n;
}

bool process_notify(const char *socket_path, enum process_state state, const char *status)
{
	char text[NOTIFY_MAX];
	struct buf b = buf_on(text, sizeof(text));
	struct timespec t;
	if (socket_path == NULL || socket_path[0] == 0)
		return false;
	switch (state) {
	case PROCESS_READY:
		buf_text(&b, "READY=1\n");
		break;
	case PROCESS_RELOADING:
		/* Type=notify-reload wants to know which of two messages is younger. */
		clock_gettime(CLOCK_MONOTONIC, &t);
		buf_printf(&b, "RELOADING=1\nMONOTONIC_USEC=%lld\n",
		           (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
		break;
	case PROCESS_STOPPING:
		buf_text(&b, "STOPPING=1\n");
		break;
	}
	struct buf before = b;
	if (status != NULL)
		buf_printf(&b, "STATUS=%s\n", status);
	if (!buf_ok(&b))
		b = before;   /* better no status than no message */
	return send_notice(socket_path, buf_span(&b));
}
