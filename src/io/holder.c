#include "io/holder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/sock.h"

#define LINES_MAX 200000u       /* sockets of one kind looked at */
#define PROCESSES_MAX 100000u
#define FILES_MAX 200000u       /* descriptors looked at, all processes together */
#define TCP_LISTEN_STATE 0x0a

/* The kernel prints each 32-bit word of an address as a number of its own byte order. */
static bool parse_ip(const char *hex, struct addr *ret)
{
	size_t n = strlen(hex);
	if (n != 8 && n != 32)
		return false;
	*ret = (struct addr){ .family = n == 8 ? ADDR_4 : ADDR_6 };
	for (size_t i = 0; i < n / 8; i++) {
		char word[9];
		memcpy(word, hex + 8 * i, 8);
		word[8] = 0;
		uint32_t v = (uint32_t)strtoul(word, NULL, 16);
		memcpy(ret->ip + 4 * i, &v, 4);
	}
	return true;
}

/* Two sockets are in each other's way when one is a wildcard or both have one address. An IPv6 wildcard may hold the
 * IPv4 port too. */
static bool collide(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return (a->family == ADDR_6 && sock_is_wildcard(a)) || (b->family == ADDR_6 && sock_is_wildcard(b));
	return sock_is_wildcard(a) || sock_is_wildcard(b) || memcmp(a->ip, b->ip, addr_len(a)) == 0;
}

/* The inode of a socket in this table that stands in the way of a; 0 none. */
static unsigned long find_inode(const char *table, const struct addr *a, int sock_type)
{
	char line[512], ip[40];
	unsigned port, state;
	unsigned long inode, found = 0;
	FILE *f = fopen(table, "re");
	if (f == NULL)
		return 0;
	for (unsigned i = 0; found == 0 && i < LINES_MAX && fgets(line, sizeof(line), f) != NULL; i++) {
		struct addr b;
		if (sscanf(line, " %*u: %39[0-9A-F]:%x %*39[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu", ip, &port, &state,
		           &inode) != 4)
			continue;
		if (sock_type == SOCK_STREAM && state != TCP_LISTEN_STATE)
			continue;
		if (port == a->port && parse_ip(ip, &b) && collide(a, &b))
			found = inode;
	}
	fclose(f);
	return found;
}

static bool is_number(const char *s)
{
	return s[0] != 0 && strspn(s, "0123456789") == strlen(s) && strlen(s) < 12;
}

/* Whether that process has the socket open. files: how many may still be looked at. */
static bool has_open(const char *pid, const char *socket_name, unsigned *files)
{
	char folder[64], path[512], target[64];
	bool found = false;
	snprintf(folder, sizeof(folder), "/proc/%.12s/fd", pid);
	DIR *d = opendir(folder);
	if (d == NULL)
		return false;
	for (struct dirent *e; !found && *files > 0 && (e = readdir(d)) != NULL; (*files)--) {
		int len = snprintf(path, sizeof(path), "%s/%.255s", folder, e->d_name);
		ssize_t n = len > 0 && is_number(e->d_name) ? readlink(path, target, sizeof(target) - 1) : -1;
		if (n <= 0)
			continue;
		target[n] = 0;
		found = strcmp(target, socket_name) == 0;
	}
	closedir(d);
	return found;
}

static void put_command(const char *pid, struct buf *to)
{
	char path[64], name[64] = "a process";
	snprintf(path, sizeof(path), "/proc/%.12s/comm", pid);
	FILE *f = fopen(path, "re");
	if (f != NULL) {
		if (fgets(name, sizeof(name), f) == NULL)
			strcpy(name, "a process");
		fclose(f);
	}
	name[strcspn(name, "\n")] = 0;
	for (char *p = name; *p != 0; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';   /* the process chose it */
	}
	buf_printf(to, "%s (pid %s)", name, pid);
}

bool holder_find(const struct addr *a, int sock_type, struct buf *to)
{
	char socket_name[64];
	bool tcp = sock_type == SOCK_STREAM, found = false;
	unsigned files = FILES_MAX;
	unsigned long inode = find_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", a, sock_type);
	if (inode == 0)
		inode = find_inode(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", a, sock_type);
	if (inode == 0)
		return false;
	snprintf(socket_name, sizeof(socket_name), "socket:[%lu]", inode);
	DIR *d = opendir("/proc");
	struct dirent *e;
	for (unsigned i = 0; d != NULL && !found && i < PROCESSES_MAX && (e = readdir(d)) != NULL; i++) {
		if (!is_number(e->d_name) || !has_open(e->d_name, socket_name, &files))
			continue;
		put_command(e->d_name, to);
		found = true;
	}
	if (d != NULL)
		closedir(d);
	if (!found)
		buf_text(to, "a process that cannot be seen from here (another user's or container's)");
	return true;
}
