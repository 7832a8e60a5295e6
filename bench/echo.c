/* echo: the floors of the benchmark. The least work a server of each transport can do for one
 * question: take it, set its QR bit, send it back.
 *
 *   bench_echo udp ADDR PORT              recvmmsg/sendmmsg, 64 datagrams a call, blocking
 *   bench_echo tcp ADDR PORT              epoll, one read and one write a turn
 *   bench_echo tls ADDR PORT CERT KEY     the same through TLS 1.3
 *
 * One thread. It ends with its parent, or after ECHO_LIFE_S. */
#include "frames.h"

#include <err.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64u        /* datagrams per system call */
#define DATAGRAM_MAX 512 /* a question is far shorter */
#define ECHO_LIFE_S 1800

static size_t echo_answer(const struct zone *zone, const uint8_t *query, size_t len, uint8_t *out)
{
	(void)zone;
	if (len > ANSWER_MAX)
		return 0;
	memcpy(out, query, len);
	out[2] |= 0x80;
	return len;
}

struct batch {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t data[BATCH][DATAGRAM_MAX];
};

/* Blocking with MSG_WAITFORONE: one call waits and takes the whole batch, with no epoll_wait. */
static void echo_udp(int fd)
{
	static struct batch b; /* too large for the stack; this function is entered once */

	for (unsigned i = 0; i < BATCH; i++) {
		b.msgs[i].msg_hdr.msg_name = &b.from[i];
		b.msgs[i].msg_hdr.msg_iov = &b.iov[i];
		b.msgs[i].msg_hdr.msg_iovlen = 1;
		b.iov[i].iov_base = b.data[i];
	}
	for (;;) {
		int n;

		for (unsigned i = 0; i < BATCH; i++) {
			b.iov[i].iov_len = DATAGRAM_MAX;
			b.msgs[i].msg_hdr.msg_namelen = sizeof(b.from[i]);
		}
		n = recvmmsg(fd, b.msgs, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++) {
			b.data[i][2] |= 0x80;
			b.iov[i].iov_len = b.msgs[i].msg_len;
		}
		for (int sent = 0; sent < n;) {
			int k = sendmmsg(fd, b.msgs + sent, (unsigned)(n - sent), 0);

			sent += k > 0 ? k : 1; /* an answer nobody can take is dropped */
		}
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct frames f = { .answer = echo_answer };
	int tls = strcmp(mode, "tls") == 0, udp = strcmp(mode, "udp") == 0;

	if (argc != (tls ? 6 : 4) || (!tls && !udp && strcmp(mode, "tcp") != 0))
		errx(2, "usage: bench_echo udp|tcp ADDR PORT | tls ADDR PORT CERT KEY");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	alarm(ECHO_LIFE_S);
	f.listen_fd = frames_bind(udp ? SOCK_DGRAM : SOCK_STREAM, argv[2], argv[3]);
	if (udp)
		echo_udp(f.listen_fd);
	if (tls)
		f.tls = frames_tls(argv[4], argv[5]);
	frames_serve(&f);
	return 0;
}
