/* process: what the program is to the machine it runs on: whose rights, how many cores, who supervises it. Called at
 * start by the main thread, save process_notify. */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct process_user {
	uid_t uid;
	gid_t gid;
};

/* returns OK | ERR_NOTFOUND no such user | ERR_WORLD; why holds one line */
enum err process_user_find(const char *name, struct process_user *ret, struct buf *why) MUST_CHECK;
/* Whether we are root. */
bool process_is_root(void);
/* Let CAP_NET_BIND_SERVICE be in effect where it is permitted, as by the program's file in a container image. */
void process_raise(void);
/* Become that user for good: groups, ids, every capability save CAP_NET_BIND_SERVICE (a reload may add an address with
 * a port below 1024), nothing to be gained by exec (no_new_privs), no core dumps. Call before other threads are made:
 * rights belong to threads. Where root has no right to become another (a container that drops it), the name stays and
 * the rest is done.
 * returns  OK | ERR_WORLD: end the program; why holds one line */
enum err process_drop(const struct process_user *u, struct buf *why) MUST_CHECK;
/* No core file and no debugger of the same user: memory holds keys. process_drop does it too. */
void process_undumpable(void);

/* Cores this process may use: affinity mask and cgroup quota (rounded up), at least 1. */
unsigned process_cores(void);
/* The kernel's number of the calling thread. */
uint32_t process_thread(void);
/* One malloc heap for all threads, free pages back to the kernel early. */
void process_tune_memory(void);
/* Bytes of memory in use (resident); 0: not known. */
size_t process_resident(void);
struct process_usage {
	double cpu_seconds;
	unsigned fds, fds_max;       /* descriptors in use, and how many may be */
	uint64_t virtual_bytes;
};
/* What monitoring asks of every program. From any thread. */
void process_usage(struct process_usage *ret);
/* Let the descriptor limit be the hard one. Returns it. */
unsigned process_descriptors(void);
/* 32 bytes from the kernel; waits for it at early boot. */
void process_random(uint8_t ret[32]);

/* --- the supervisor (sd_notify's protocol) ---- */
enum process_state { PROCESS_READY, PROCESS_RELOADING, PROCESS_STOPPING };

/* Tell the supervisor named by socket_path (NOTIFY_SOCKET's value; NULL, "": nobody); status is one line or NULL.
 * returns  false: it could not be told, harmless */
bool process_notify(const char *socket_path, enum process_state state, const char *status);

#endif
