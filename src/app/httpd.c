#include "app/httpd.h"

#include <civetweb.h>

#include "app/counters.h"
#include "base/heap.h"

#define PAGE_MAX 65536u

struct httpd {
	struct mg_context *context;
	struct server *server;
};

/* What is no counter: for each server asked, whether proofs come through it. */
static void gauges(struct server *s, struct buf *to)
{
	struct report *r = heap_new(sizeof(*r));
	bool first = true;
	pthread_mutex_lock(&s->naming);
	server_measure(s, r);
	for (unsigned i = 0; i < r->n; i++) {
		const struct upstream_state *u = &r->list[i];
		if (u->proofs == PROOFS_UNKNOWN)
			continue;
		if (first)
			buf_text(to, "# HELP signet_upstream_dnssec_ok Whether answers can be proved through it.\n"
			         "# TYPE signet_upstream_dnssec_ok gauge\n");
		first = false;
		buf_text(to, "signet_upstream_dnssec_ok{zone=\"");
		name_text(u->zone, to);
		buf_text(to, "\",upstream=\"");
		addr_port_text(&u->conf->addr, to);
		if (u->conf->tls_name != NULL)
			buf_printf(to, "#%s", u->conf->tls_name);
		buf_printf(to, "\"} %d\n", u->proofs == PROOFS_KEPT);
	}
	pthread_mutex_unlock(&s->naming);
	heap_free(r);
}

static void page(struct server *s, struct buf *to)
{
	buf_printf(to, "# HELP signet_info The program that runs.\n# TYPE signet_info gauge\n"
	           "signet_info{version=\"%s\"} 1\n", SIGNET_VERSION);
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_row *row = &metric_rows[i];
		char text[128];
		struct buf labels = buf_on(text, sizeof(text));
		if (row->name == NULL)
			continue;
		metric_labels(row, &labels);
		if (row->help != NULL)
			buf_printf(to, "# HELP %s %s\n# TYPE %s counter\n", row->name, row->help, row->name);
		buf_text(to, row->name);
		if (labels.n > 0)
			buf_printf(to, "{%s}", buf_cstr(&labels));
		buf_printf(to, " %llu\n", (unsigned long long)counters_sum(s->workers, s->nworkers, (enum metric)i));
	}
}

static int metrics_request(struct mg_connection *c, void *arg)
{
	struct httpd *h = arg;
	struct buf b = buf_on(heap_new(PAGE_MAX), PAGE_MAX);
	page(h->server, &b);
	gauges(h->server, &b);
	mg_printf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
	          "Content-Length: %zu\r\nConnection: close\r\n\r\n", b.n);
	mg_write(c, b.p, b.n);
	heap_free(b.p);
	return 200;
}

static void listen_text(const struct addr *addr, struct buf *to)
{
	if (addr->family == ADDR_6)
		buf_u8(to, '[');
	addr_text(addr, to);
	if (addr->family == ADDR_6)
		buf_u8(to, ']');
	buf_printf(to, ":%u", addr->port);
	buf_cstr(to);
}

struct httpd *httpd_start(const struct addr *addr, struct server *server, struct buf *why)
{
	char where[ADDR_TEXT_MAX + 16];
	struct buf b = buf_on(where, sizeof(where));
	listen_text(addr, &b);
	const char *options[] = { "listening_ports", where, "num_threads", "2", "request_timeout_ms", "5000",
		                  "keep_alive_timeout_ms", "0", NULL };
	struct mg_callbacks callbacks = { 0 };
	struct httpd *h = heap_new(sizeof(*h));
	h->server = server;
	h->context = mg_start(&callbacks, NULL, options);
	if (h->context == NULL) {
		buf_printf(why, "metrics cannot listen on %s", where);
		heap_free(h);
		return NULL;
	}
	mg_set_request_handler(h->context, "/metrics$", metrics_request, h);
	return h;
}

void httpd_stop(struct httpd *h)
{
	if (h == NULL)
		return;
	mg_stop(h->context);
	heap_free(h);
}
