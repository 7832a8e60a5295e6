/* relay: a line between two network namespaces on which every packet takes its time, handshakes too.
 *
 *   bench_relay MS PID ADDR[,ADDR...]
 *
 * The caller's namespace gets the interface `near` (10.9.0.1), that of the process PID the interface
 * `far` (10.9.0.2 and the addresses given), and routes lead through them to each other. A packet that
 * goes in on one side comes out on the other MS milliseconds later, so a round trip takes twice that.
 * Kernels without netem do not need it. Prints "ready" and runs until it is ended. */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HELD_MAX 4096u /* packets on the line in one direction; more are lost */
#define PACKET_MAX 2048u
#define RELAY_LIFE_S 1800

struct packet {
	uint64_t due_ns;
	size_t len;
	uint8_t bytes[PACKET_MAX];
};

/* One direction: packets wait in the order they came in. */
struct line {
	int from, to;
	unsigned first, n;
	struct packet held[HELD_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A TUN interface of the namespace this thread is in. */
static int tun_open(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
		err(3, "/dev/net/tun");
	return fd;
}

static void run(const char *command)
{
	if (system(command) != 0)
		errx(3, "%s: failed", command);
}

/* The interface up with its address, and a way to `peer` and the addresses of the list, unless they are its own. */
static void interface_up(const char *name, const char *own, const char *peer, char *addrs, int are_own)
{
	char line[256], *save = NULL;

	snprintf(line, sizeof(line), "ip addr add %s peer %s dev %s && ip link set %s up mtu 1500", own, peer, name,
		 name);
	run(line);
	for (char *a = strtok_r(addrs, ",", &save); a != NULL; a = strtok_r(NULL, ",", &save)) {
		struct in_addr in;

		if (inet_pton(AF_INET, a, &in) != 1)
			errx(2, "%s: not an IPv4 address", a);
		snprintf(line, sizeof(line), "ip %s add %s/32 dev %s", are_own ? "addr" : "route", a, name);
		run(line);
	}
}

static void take(struct line *l, uint64_t delay_ns)
{
	for (;;) {
		struct packet *p = &l->held[(l->first + l->n) % HELD_MAX];
		uint8_t spare[PACKET_MAX];
		ssize_t got = read(l->from, l->n < HELD_MAX ? p->bytes : spare, PACKET_MAX);

		if (got <= 0)
			return;
		if (l->n == HELD_MAX)
			continue;
		p->len = (size_t)got;
		p->due_ns = now_ns() + delay_ns;
		l->n++;
	}
}

/* Let go of what is due; nanoseconds until the next, UINT64_MAX when the line is empty. */
static uint64_t give(struct line *l)
{
	while (l->n > 0) {
		struct packet *p = &l->held[l->first];
		uint64_t now = now_ns();

		if (p->due_ns > now)
			return p->due_ns - now;
		if (write(l->to, p->bytes, p->len) < 0 && errno != EAGAIN && errno != EINVAL)
			warn("write");
		l->first = (l->first + 1) % HELD_MAX;
		l->n--;
	}
	return UINT64_MAX;
}

static void relay(struct line *lines, uint64_t delay_ns)
{
	struct pollfd fds[2] = { { .fd = lines[0].from, .events = POLLIN }, { .fd = lines[1].from, .events = POLLIN } };

	for (;;) {
		uint64_t a = give(&lines[0]), b = give(&lines[1]), wait = a < b ? a : b;
		struct timespec ts = { .tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u) };

		if (ppoll(fds, 2, wait == UINT64_MAX ? NULL : &ts, NULL) < 0 && errno != EINTR)
			err(3, "ppoll");
		take(&lines[0], delay_ns);
		take(&lines[1], delay_ns);
	}
}

int main(int argc, char **argv)
{
	struct line *lines = calloc(2, sizeof(*lines));
	char path[64];
	int near, far, home, away;
	long ms;

	if (argc != 4 || lines == NULL || (ms = strtol(argv[1], NULL, 10)) < 0 || ms > 1000)
		errx(2, "usage: bench_relay MS PID ADDR[,ADDR...]");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(RELAY_LIFE_S);
	snprintf(path, sizeof(path), "/proc/%ld/ns/net", strtol(argv[2], NULL, 10));
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	away = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || away < 0)
		err(3, "%s", path);
	char *addrs = strdup(argv[3]);
	near = tun_open("near");
	interface_up("near", "10.9.0.1", "10.9.0.2", addrs, 0);
	if (setns(away, CLONE_NEWNET) < 0)
		err(3, "setns");
	far = tun_open("far");
	interface_up("far", "10.9.0.2", "10.9.0.1", argv[3], 1);
	if (setns(home, CLONE_NEWNET) < 0)
		err(3, "setns");
	free(addrs);
	lines[0].from = lines[1].to = near;
	lines[1].from = lines[0].to = far;
	puts("ready");
	fflush(stdout);
	relay(lines, (uint64_t)ms * 1000000u);
	return 0;
}
