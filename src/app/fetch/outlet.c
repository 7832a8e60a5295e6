#include "app/fetch/outlet.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "io/clock.h"

/* One send; false: it will never work again. */
static bool send_some(struct outlet *o, struct iovec *parts, size_t n, size_t *ret_sent)
{
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = n };
	ssize_t sent = sendmsg(o->fd, &m, MSG_NOSIGNAL);
	*ret_sent = sent < 0 ? 0 : (size_t)sent;
	return sent >= 0 || errno == EINTR;
}

void outlet_send(struct outlet *o, enum frame_kind kind, uint64_t fetch, struct span payload)
{
	uint8_t header[FRAME_HEADER];
	struct buf b = buf_on(header, sizeof(header));
	frame_out_header(&b, kind, fetch, payload.n);
	struct span left[2] = { buf_span(&b), payload };
	struct now before, after;
	clock_now(&before);
	while (!o->gone && left[0].n + left[1].n > 0) {
		struct iovec parts[2] = { { (void *)(uintptr_t)left[0].p, left[0].n },
			                  { (void *)(uintptr_t)left[1].p, left[1].n } };
		size_t sent = 0;
		o->gone = !send_some(o, parts, 2, &sent);
		size_t first = sent < left[0].n ? sent : left[0].n;
		left[0] = span_from(left[0], first);
		left[1] = span_from(left[1], sent - first);
	}
	clock_now(&after);
	o->waited_ms += (uint64_t)(after.ms - before.ms);
}
