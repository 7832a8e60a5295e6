#include "io/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

#define KIND_SHIFT 24u

/* A slot id's low word is index + 1 below 2^24; the kind goes into its top byte. */
static uint64_t pack(unsigned kind, slot_id id)
{
	ASSERT(kind <= LOOP_KIND_MAX);
	ASSERT((id & 0xffffffffu) <= LOOP_INDEX_MAX);
	return id | (uint64_t)kind << KIND_SHIFT;
}

static enum err control(struct loop *l, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };
	return epoll_ctl(l->epoll, op, fd, &e) == 0 ? OK : ERR_WORLD;
}

static uint32_t wanted(unsigned want)
{
	return (want & LOOP_READ ? EPOLLIN | EPOLLRDHUP : 0u) | (want & LOOP_WRITE ? EPOLLOUT : 0u);
}

enum err loop_init(struct loop *l, struct buf *why)
{
	*l = (struct loop){ -1, -1 };
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		buf_printf(why, "epoll_create: %s", strerror(errno));
		return ERR_WORLD;
	}
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Edge triggered: each write is told once and nobody needs to read the counter back to zero. */
	if (l->wake < 0 || control(l, EPOLL_CTL_ADD, l->wake, EPOLLIN | EPOLLET, pack(LOOP_KIND_WAKE, 0)) != OK) {
		buf_printf(why, "eventfd: %s", strerror(errno));
		loop_fini(l);
		return ERR_WORLD;
	}
	return OK;
}

void loop_fini(struct loop *l)
{
	if (l->wake >= 0)
		close(l->wake);
	if (l->epoll >= 0)
		close(l->epoll);
	*l = (struct loop){ -1, -1 };
}

enum err loop_add(struct loop *l, int fd, unsigned want, unsigned kind, slot_id id)
{
	return control(l, EPOLL_CTL_ADD, fd, wanted(want), pack(kind, id));
}

enum err loop_change(struct loop *l, int fd, unsigned want, unsigned kind, slot_id id)
{
	return control(l, EPOLL_CTL_MOD, fd, wanted(want), pack(kind, id));
}

void loop_remove(struct loop *l, int fd)
{
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
}

unsigned loop_wait(struct loop *l, msec timeout_ms, struct loop_event *ret, unsigned max)
{
	struct epoll_event events[LOOP_EVENTS];
	ASSERT(max > 0 && max <= LOOP_EVENTS);
	int timeout = timeout_ms < 0 ? 0 : (int)MIN(timeout_ms, (msec)LOOP_WAIT_MS_MAX);
	int n = epoll_wait(l->epoll, events, (int)max, timeout);
	ASSERT(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++) {
		uint32_t what = events[i].events;
		uint64_t data = events[i].data.u64;
		bool broken = (what & (EPOLLERR | EPOLLHUP)) != 0;
		ret[i] = (struct loop_event){
			.id = data & ~((uint64_t)LOOP_KIND_MAX << KIND_SHIFT),
			.kind = (uint8_t)(data >> KIND_SHIFT),
			.readable = broken || (what & (EPOLLIN | EPOLLRDHUP)) != 0,
			.writable = (what & EPOLLOUT) != 0,
			.broken = broken,
		};
	}
	return n > 0 ? (unsigned)n : 0;
}

void loop_wake(const struct loop *l)
{
	uint64_t one = 1;
	/* Cannot fill up: 2^64 - 2 writes. */
	(void)!write(l->wake, &one, sizeof(one));
}
