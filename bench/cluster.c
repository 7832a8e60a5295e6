/* What a cluster's names cost: pods, services and endpoints by hundred thousands, first as lists, then as a roll-over
 * that changes endpoints one by one. Prints bytes an object, branches copied and microseconds a change, and the most
 * memory that the process ever had.
 *
 * usage: bench_cluster [PODS SERVICES ENDPOINTS CHANGES] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/assert.h"
#include "core/cluster_view.h"

#define ENDPOINTS_PER_SLICE 12u
#define NAMESPACES 200u
#define BATCH 64u                  /* objects between two commits */

static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static struct span text(char *to, size_t n, const char *format, unsigned i)
{
	return span_of(to, (size_t)snprintf(to, n, format, i));
}

static struct addr ip(unsigned first, unsigned i)
{
	return (struct addr){ .family = ADDR_4, .ip = { (uint8_t)first, (uint8_t)(i / 62500), (uint8_t)(i / 250),
	                                                (uint8_t)(i % 250 + 1) } };
}

static void put(struct cluster *c, const struct kube_object *o, unsigned i)
{
	enum err e = cluster_put(c, o);
	ASSERT(e == OK);
	if (i % BATCH == 0)
		cluster_commit(c, (struct wall){ 1 + i, 0 });
}

static void put_pods(struct cluster *c, unsigned n)
{
	char ns[32], name[80];
	for (unsigned i = 0; i < n; i++) {
		struct addr a = ip(10, i);
		struct kube_object o = { .kind = KUBE_POD, .addrs = &a, .naddrs = 1, .running = true };
		o.ns = text(ns, sizeof(ns), "team-%u", i % NAMESPACES);
		o.name = text(name, sizeof(name), "frontend-5d8f7c9b4-%05x", i);
		put(c, &o, i);
	}
}

static void put_services(struct cluster *c, unsigned n)
{
	char ns[32], name[80];
	struct kube_port ports[] = { { span_text("http"), 80, KUBE_TCP }, { span_text("metrics"), 9090, KUBE_TCP } };
	for (unsigned i = 0; i < n; i++) {
		struct addr a = ip(172, i);
		struct kube_object o = { .kind = KUBE_SERVICE, .addrs = &a, .naddrs = 1, .ports = ports, .nports = 2,
			                 .selected = true };
		o.ns = text(ns, sizeof(ns), "team-%u", i % NAMESPACES);
		o.name = text(name, sizeof(name), "checkout-service-%u", i);
		put(c, &o, i);
	}
}

/* Slice i, the ready endpoints of which are all but `without`. */
static void put_slice(struct cluster *c, unsigned i, unsigned services, unsigned without)
{
	char ns[32], name[80], service[80];
	struct kube_port ports[] = { { span_text("http"), 8080, KUBE_TCP }, { span_text("metrics"), 9090, KUBE_TCP } };
	struct kube_endpoint e[ENDPOINTS_PER_SLICE];
	struct addr addrs[ENDPOINTS_PER_SLICE];
	for (unsigned k = 0; k < ENDPOINTS_PER_SLICE; k++) {
		addrs[k] = ip(10, i * ENDPOINTS_PER_SLICE + k);
		e[k] = (struct kube_endpoint){ .addrs = &addrs[k], .naddrs = 1, .ready = k != without,
			                       .zone = span_text(k % 2 == 0 ? "eu-1a" : "eu-1b") };
	}
	struct kube_object o = { .kind = KUBE_SLICE, .ports = ports, .nports = 2, .endpoints = e,
		                 .nendpoints = ENDPOINTS_PER_SLICE };
	o.ns = text(ns, sizeof(ns), "team-%u", i % services % NAMESPACES);
	o.service = text(service, sizeof(service), "checkout-service-%u", i % services);
	o.name = text(name, sizeof(name), "checkout-service-x7k2p-%u", i);
	put(c, &o, i);
}

static void told(struct cluster *c, const char *what, unsigned n, uint64_t *us)
{
	static size_t before;
	size_t bytes = store_stat(cluster_store(c)).bytes;
	double all = n > 0 ? n : 1, more = (double)bytes - (double)before;
	printf("%-12s %8u  %6.1f bytes each  %5.2f us each\n", what, n, more / all, (double)(cpu_us() - *us) / all);
	before = bytes;
	*us = cpu_us();
}

int main(int argc, char **argv)
{
	unsigned sizes[] = { 150000, 8000, 100000, 20000 };
	for (int i = 1; i < argc && i <= 4; i++)
		sizes[i - 1] = (unsigned)strtoul(argv[i], NULL, 10);
	unsigned services = sizes[1] > 0 ? sizes[1] : 1, slices = sizes[2] / ENDPOINTS_PER_SLICE;
	struct cluster_conf conf = { .readers = 1, .key = { { 1 } }, .kinds = 1u << KUBE_POD };
	struct cluster *c = cluster_new(&conf);
	uint64_t us = cpu_us();
	told(c, "empty", 0, &us);
	put_pods(c, sizes[0]);
	told(c, "pods", sizes[0], &us);
	put_services(c, services);
	told(c, "services", services, &us);
	for (unsigned i = 0; i < slices; i++)
		put_slice(c, i, services, ENDPOINTS_PER_SLICE);
	told(c, "endpoints", slices * ENDPOINTS_PER_SLICE, &us);
	cluster_commit(c, (struct wall){ 1, 0 });
	struct cluster_stat was = cluster_stat(c);
	for (unsigned i = 0; i < sizes[3] && slices > 0; i++) {
		put_slice(c, i * 7919u % slices, services, i / slices % ENDPOINTS_PER_SLICE);
		cluster_commit(c, (struct wall){ 2, 0 });
	}
	told(c, "changes", sizes[3], &us);
	struct cluster_stat now = cluster_stat(c);
	printf("branches copied a change %.1f, changes %llu\n",
	       (double)(now.copied - was.copied) / (double)(sizes[3] > 0 ? sizes[3] : 1),
	       (unsigned long long)(now.changes - was.changes));
	cluster_relist_begin(c, KUBE_POD);
	put_pods(c, sizes[0]);
	while (!cluster_relist_end(c, KUBE_POD))
		cluster_commit(c, (struct wall){ 3, 0 });
	told(c, "listed again", sizes[0], &us);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("store %.1f MB, process at its peak %.1f MB\n", (double)now.bytes / 1e6, (double)usage.ru_maxrss / 1e3);
	cluster_free(c);
	return 0;
}
