#include <net/if.h>
#include <string.h>

#include "conf/tables.h"
#include "conf/value.h"

#define TEXT_LISTS_MAX 65536u /* statements of one list */
#define PORTS 65536u
#define PORT_LOW 1024u        /* below are services; ports are drawn from here on */

static void arg_error(const struct directive *d, unsigned arg, struct diag *diag, const char *what)
{
	diag_error(diag, d->file, d->args[arg].line, d->args[arg].column, "%s", what);
}

static void keep(struct text_list *l, const struct directive *d, struct arena *a, struct diag *diag)
{
	if (l->n >= TEXT_LISTS_MAX || !text_list_add(l, d, a))
		arg_error(d, 0, diag, "too many statements; expected fewer of this option");
}

static void interface_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	keep(&((struct listening *)self)->interfaces, d, a, diag);
}

static void outgoing_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	keep(&((struct listening *)self)->outgoing, d, a, diag);
}

/* 1 to 65535 and nothing else. */
static bool port_read(const char *text, uint32_t *ret)
{
	int64_t v;
	const char *rest;
	if (!number_read(text, &v, &rest) || *rest != 0 || v < 1 || v > 65535)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static void tls_port_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	uint32_t port;
	if (port_read(d->args[0].text, &port))
		keep(&((struct listening *)self)->tls_ports, d, a, diag);
	else
		arg_error(d, 0, diag, "port number expected; expected 1 to 65535");
}

static bool limit_read(const struct directive *d, struct tcp_limit *ret)
{
	int64_t v;
	const char *rest;
	if (!number_read(d->args[1].text, &v, &rest) || v < 0 || v > UINT32_MAX)
		return false;
	ret->max = (uint32_t)v;
	return prefix_parse(span_text(d->args[0].text), &ret->net) == OK;
}

static void limit_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct tcp_limit limit;
	if (limit_read(d, &limit))
		keep(&((struct listening *)self)->limits, d, a, diag);
	else
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "cannot parse tcp connection limit address %s %s; expected NETBLOCK NUMBER", d->args[0].text,
		           d->args[1].text);
}

/* A statement about ports; a later one may take back what an earlier one said. */
struct port_range {
	uint16_t first, last;
	bool avoid;
};

/* "53", "1024-65535". */
static bool range_read(const struct directive *d, struct port_range *ret)
{
	const char *text = d->args[0].text, *rest;
	int64_t first, last;
	if (!number_read(text, &first, &rest))
		return false;
	last = first;
	while (*rest == ' ')
		rest++;
	if (*rest == '-' && !number_read(rest + 1, &last, &rest))
		return false;
	if (*rest != 0 || first < 0 || last > 65535 || first > last)
		return false;
	*ret = (struct port_range){ (uint16_t)first, (uint16_t)last, strcmp(d->word.text, "outgoing-port-avoid") == 0 };
	return true;
}

static void range_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct port_range range;
	if (range_read(d, &range))
		keep(&((struct listening *)self)->ports, d, a, diag);
	else
		arg_error(d, 0, diag, "port number or range (\"low-high\") expected; expected ports from 0 to 65535");
}

/* More than the program can hold is clamped, not refused: files were written for machines of all sizes. */
static void clients_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	int64_t v;
	const char *rest;
	(void)a;
	if (!number_read(d->args[0].text, &v, &rest) || v < 1) {
		arg_error(d, 0, diag, "number expected; expected 1 to 65536");
		return;
	}
	if (v > QUERIES_MAX)
		diag_warning(diag, d->file, d->args[0].line, d->args[0].column,
		             "%s: %s is taken as %u; expected no more", d->word.text, d->args[0].text, QUERIES_MAX);
	((struct listening *)self)->conf.clients_max = (uint32_t)MIN(v, (int64_t)QUERIES_MAX);
}

/* ---- all options are read ---- */

static bool is_tls_port(const struct listening *l, uint32_t port)
{
	uint32_t extra;
	if (port == l->conf.tls_port)
		return true;
	for (unsigned i = 0; i < l->tls_ports.n; i++)
		if (port_read(l->tls_ports.items[i]->args[0].text, &extra) && extra == port)
			return true;
	return false;
}

/* "192.0.2.1@5353", "eth0". False: neither. */
static bool listen_read(const struct listening *l, const char *text, struct arena *a, struct listen *ret)
{
	const char *at = strrchr(text, '@');
	size_t n = at == NULL ? strlen(text) : (size_t)(at - text);
	uint32_t port = l->conf.port;
	*ret = (struct listen){ 0 };
	if (at != NULL && !port_read(at + 1, &port))
		return false;
	ret->transport = is_tls_port(l, port) ? TRANSPORT_TLS : TRANSPORT_DNS;
	if (addr_parse(span_of(text, n), (uint16_t)port, &ret->addr) == OK)
		return true;
	/* Names of interfaces are looked up when the sockets are made, as they come and go. An address with a named
	 * scope is left to that too. */
	const char *percent = memchr(text, '%', n);
	struct addr plain;
	if (percent != NULL && addr_parse(span_of(text, (size_t)(percent - text)), 0, &plain) != OK)
		return false;
	if (n == 0 || (percent == NULL && n >= IF_NAMESIZE) || memchr(text, '/', n) != NULL)
		return false;
	ret->addr.port = (uint16_t)port;
	ret->name = arena_text(a, span_of(text, n));
	return ret->name != NULL;
}

static bool listen_eq(const struct listen *x, const struct listen *y)
{
	if (x->name != NULL || y->name != NULL)
		return x->name != NULL && y->name != NULL && strcmp(x->name, y->name) == 0 &&
		       x->addr.port == y->addr.port;
	return addr_eq(&x->addr, &y->addr);
}

static void listen_add(struct listening *l, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct listen one;
	const char *text = d->args[0].text;
	if (!listen_read(l, text, a, &one)) {
		diag_error(
			diag, d->file, d->args[0].line, d->args[0].column,
			"cannot parse interface specified as '%s'; expected an IP address or an interface, then @PORT",
			text);
		return;
	}
	for (unsigned i = 0; i < l->conf.nlistens; i++)
		if (listen_eq(&l->conf.listens[i], &one)) {
			diag_error(diag, d->file, d->args[0].line, d->args[0].column,
			           "interface: %s present twice, cannot bind same ports twice.; expected each address "
			           "once",
			           text);
			return;
		}
	if ((one.addr.family == ADDR_4 && !l->conf.do_ip4) || (one.addr.family == ADDR_6 && !l->conf.do_ip6))
		return;
	l->conf.listens[l->conf.nlistens++] = one;
}

/* Nothing given: the loopback addresses, or all there are. */
static void listen_default(struct listening *l)
{
	static const uint8_t loopback_4[4] = { 127, 0, 0, 1 }, loopback_6[16] = { [15] = 1 };
	struct listen four = { .addr = { .family = ADDR_4, .port = (uint16_t)l->conf.port } };
	struct listen six = { .addr = { .family = ADDR_6, .port = (uint16_t)l->conf.port } };
	four.transport = six.transport = is_tls_port(l, l->conf.port) ? TRANSPORT_TLS : TRANSPORT_DNS;
	if (!l->automatic) {
		memcpy(four.addr.ip, loopback_4, sizeof(loopback_4));
		memcpy(six.addr.ip, loopback_6, sizeof(loopback_6));
	}
	if (l->conf.do_ip4)
		l->conf.listens[l->conf.nlistens++] = four;
	if (l->conf.do_ip6)
		l->conf.listens[l->conf.nlistens++] = six;
}

static void listens_ready(struct listening *l, struct arena *a, struct diag *diag)
{
	unsigned n = l->interfaces.n;
	if (n > LISTENS_MAX) {
		diag_error(diag, NULL, 0, 0, "too many interfaces; expected at most %u", LISTENS_MAX);
		return;
	}
	l->conf.listens = ARENA_ARRAY(a, struct listen, MAX(n, 2));
	if (l->conf.listens == NULL)
		return;
	for (unsigned i = 0; i < n; i++)
		listen_add(l, l->interfaces.items[i], a, diag);
	if (n == 0)
		listen_default(l);
}

static void outgoing_ready(struct listening *l, struct arena *a, struct diag *diag)
{
	struct socket_conf *c = &l->conf;
	c->outgoing = ARENA_ARRAY(a, struct addr, l->outgoing.n);
	for (unsigned i = 0; c->outgoing != NULL && i < l->outgoing.n; i++) {
		const struct directive *d = l->outgoing.items[i];
		struct prefix p;
		bool net = strchr(d->args[0].text, '/') != NULL;
		if (prefix_parse(span_text(d->args[0].text), &p) != OK)
			diag_error(diag, d->file, d->args[0].line, d->args[0].column,
			           "cannot parse outgoing-interface specified as '%s'; expected an IP address",
			           d->args[0].text);
		else if (net)
			diag_warning(
				diag, d->file, d->args[0].line, d->args[0].column,
				"outgoing-interface: the source is not drawn from the netblock %s; questions leave "
				"from its first address",
				d->args[0].text);
		if (prefix_parse(span_text(d->args[0].text), &p) == OK)
			c->outgoing[c->noutgoing++] = p.addr;
	}
}

static void lists_ready(struct listening *l, struct arena *a)
{
	struct socket_conf *c = &l->conf;
	c->tcp_limits = ARENA_ARRAY(a, struct tcp_limit, l->limits.n);
	for (unsigned i = 0; c->tcp_limits != NULL && i < l->limits.n; i++)
		if (limit_read(l->limits.items[i], &c->tcp_limits[c->ntcp_limits]))
			c->ntcp_limits++;
}

/* Ports of well-known reflectors: networks drop what comes from them. */
static bool is_reflector(unsigned port)
{
	return port == 1900 || port == 3702 || port == 5353 || port == 5355 || port == 11211;
}

/* The ports that all statements leave. */
static void ports_ready(struct listening *l, struct arena *a)
{
	if (l->ports.n == 0)
		return;
	bool *open = ARENA_ARRAY(a, bool, PORTS);
	uint16_t *list = ARENA_ARRAY(a, uint16_t, PORTS);
	if (open == NULL || list == NULL)
		return;
	for (unsigned port = PORT_LOW; port < PORTS; port++)
		open[port] = !is_reflector(port);
	struct port_range r;
	for (unsigned i = 0; i < l->ports.n; i++) {
		if (!range_read(l->ports.items[i], &r))
			continue;   /* its error is said */
		for (unsigned port = r.first; port <= r.last; port++)
			open[port] = !r.avoid && port > 0;
	}
	struct port_list *p = &l->conf.ports;
	for (unsigned port = 1; port < PORTS; port++)
		if (open[port])
			list[p->n++] = (uint16_t)port;
	p->list = list;
}

static void ready(void *self, struct arena *a, struct diag *diag)
{
	struct listening *l = self;
	if (!l->conf.do_ip4 && !l->conf.do_ip6)
		diag_error(diag, NULL, 0, 0,
		           "ip4 and ip6 are both disabled, pointless; expected do-ip4: or do-ip6: yes");
	if (!l->conf.do_udp && !l->conf.do_tcp)
		diag_error(diag, NULL, 0, 0,
		           "udp and tcp are both disabled, pointless; expected do-udp: or do-tcp: yes");
	listens_ready(l, a, diag);
	outgoing_ready(l, a, diag);
	lists_ready(l, a);
	ports_ready(l, a);
	if (!l->conf.do_tcp && l->conf.do_udp)
		diag_warning(diag, NULL, 0, 0,
		             "do-tcp: no closes TCP and TLS to clients; upstreams are still asked over TCP when "
		             "an answer was cut or a clause wants it");
	bool tls = false;
	for (unsigned i = 0; i < l->conf.nlistens; i++)
		tls = tls || l->conf.listens[i].transport == TRANSPORT_TLS;
	if (tls && (l->conf.tls_key[0] == 0 || l->conf.tls_pem[0] == 0))
		diag_warning(diag, NULL, 0, 0,
		             "an interface has the TLS port, but there is no certificate: it stays closed; "
		             "expected tls-service-key: and tls-service-pem:");
}

#define L struct listening

static const struct opt opts[] = {
	{ .unbound = { "interface", NULL },
	  CUSTOM,
	  .parse = interface_parse,
	  .repeats = true,
	  .doc = "Address or interface to listen on, with @PORT; 127.0.0.1 and ::1 when none is given." },
	{ .unbound = { "interface-automatic", "no" },
	  BOOL(L, automatic),
	  .doc = "Listen on all addresses when no interface is given, and answer from the address that was asked." },
	{ .unbound = { "port", "53" },
	  U32(L, conf.port),
	  .min = 1,
	  .max = 65535,
	  .doc = "Port for interfaces that name none." },
	{ .unbound = { "tls-port", "853" },
	  U32(L, conf.tls_port),
	  .min = 1,
	  .max = 65535,
	  .doc = "Interfaces with this port speak DNS over TLS." },
	{ .unbound = { "tls-additional-port", NULL },
	  CUSTOM,
	  .parse = tls_port_parse,
	  .repeats = true,
	  .doc = "One more port on which interfaces speak DNS over TLS." },
	{ .unbound = { "tls-service-key", "" },
	  TEXT(L, conf.tls_key),
	  .doc = "File with the private key of the DNS-over-TLS service." },
	{ .unbound = { "tls-service-pem", "" },
	  TEXT(L, conf.tls_pem),
	  .doc = "File with the certificates of the DNS-over-TLS service." },
	{ .unbound = { "do-ip4", "yes" }, BOOL(L, conf.do_ip4), .doc = "Use IPv4, towards clients and upstreams." },
	{ .unbound = { "do-ip6", "yes" }, BOOL(L, conf.do_ip6), .doc = "Use IPv6, towards clients and upstreams." },
	{ .unbound = { "do-udp", "yes" },
	  BOOL(L, conf.do_udp),
	  .doc = "Use UDP, towards clients and upstreams; without it upstreams are asked over TCP." },
	{ .unbound = { "do-tcp", "yes" }, BOOL(L, conf.do_tcp), .doc = "Serve clients over TCP and TLS." },
	{ .corefile = { .dflt = "4096" },
	  .unbound = { "incoming-num-tcp", "10" },
	  U32(L, conf.tcp_clients),
	  .min = 0,
	  .max = 65536,
	  .doc = "TCP and TLS connections of clients, for each worker; 0 serves none." },
	{ .unbound = { "tcp-idle-timeout", "30000" },
	  U32(L, conf.tcp_idle_ms),
	  .min = 1,
	  .max = 3600000,
	  .doc = "Milliseconds after which a silent connection of a client is closed." },
	{ .unbound = { "tcp-connection-limit", NULL },
	  CUSTOM,
	  .parse = limit_parse,
	  .repeats = true,
	  .doc = "How many connections clients of a netblock may have; the longest prefix counts." },
	{ .unbound = { "so-rcvbuf", "0" },
	  SIZE(L, conf.rcvbuf),
	  .min = 0,
	  .max = INT32_MAX,
	  .doc = "Receive buffer of the UDP sockets; 0 chooses one that holds a burst." },
	{ .unbound = { "so-sndbuf", "4m" },
	  SIZE(L, conf.sndbuf),
	  .min = 0,
	  .max = INT32_MAX,
	  .doc = "Send buffer of the UDP sockets." },
	{ .unbound = { "ip-transparent", "no" },
	  BOOL(L, conf.transparent),
	  .doc = "Listen on addresses of other machines too (IP_TRANSPARENT)." },
	{ .unbound = { "ip-dscp", "0" },
	  U32(L, conf.dscp),
	  .min = 0,
	  .max = 63,
	  .doc = "Traffic class (RFC2474) of answers to clients and of datagrams to upstreams." },
	{ .unbound = { "tcp-mss", "0" },
	  U32(L, conf.mss),
	  .min = 0,
	  .max = 65535,
	  .doc = "Largest TCP segment towards clients; 0 is the kernel's choice." },
	{ .unbound = { "outgoing-interface", NULL },
	  CUSTOM,
	  .parse = outgoing_parse,
	  .repeats = true,
	  .doc = "Address that questions to upstreams leave from; one of several is drawn for each." },
	{ .unbound = { "outgoing-port-permit", NULL },
	  CUSTOM,
	  .parse = range_parse,
	  .repeats = true,
	  .doc = "Ports that questions to upstreams may leave from." },
	{ .unbound = { "outgoing-port-avoid", NULL },
	  CUSTOM,
	  .parse = range_parse,
	  .repeats = true,
	  .doc = "Ports that questions to upstreams must not leave from." },
	{ .unbound = { "num-queries-per-thread", "8192" },
	  CUSTOM,
	  .parse = clients_parse,
	  .doc = "Questions of clients under way at once, for each worker." },
	{ .corefile = { .dflt = "65535" },
	  .unbound = { "max-udp-size", "1232" },
	  U32(L, conf.max_udp_size),
	  .min = 0,
	  .max = 65536,
	  .doc = "Longest answer over UDP, whatever the client allows." },
};

const struct settings listen_settings = {
	.name = "listen",
	.doc = "sockets and the limits of clients",
	.clause = "server",
	.size = sizeof(L),
	.opts = opts,
	.nopts = COUNT(opts),
	.ready = ready,
};
