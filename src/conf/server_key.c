#include "conf/server_key.h"

#include <string.h>

#define KEY_ZONE_MAX 255u   /* characters */

static const struct {
	const char *scheme;
	uint16_t port;
	enum listen_transport transport;
	const char *refused;       /* NULL: it is served */
} schemes[] = {
	{ "dns", 53, TRANSPORT_DNS, NULL },
	{ "tls", 853, TRANSPORT_TLS, NULL },
	{ "https", 443, TRANSPORT_HTTPS, NULL },
	{ "quic", 853, TRANSPORT_DNS, "DNS over QUIC (RFC9250) is not served yet; expected tls:// or https://" },
	{ "https3", 443, TRANSPORT_DNS, "DNS over HTTP/3 is not served yet; expected https://" },
	{ "grpc", 443, TRANSPORT_DNS, "DNS over gRPC is not served; expected tls:// or https://" },
};

static const char *scheme_of(enum listen_transport t)
{
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (schemes[i].transport == t)
			return schemes[i].scheme;
	return "dns";
}

static bool wrong(struct diag *diag, const char *file, const struct word *key, const char *what)
{
	diag_error(diag, file, key->line, key->column, "error inspecting server blocks: %s",
	           what == NULL ? "out of memory" : what);
	return false;
}

/* Digits behind the last colon are the port. returns false when that is wrong; *n is then what stands before it */
static bool port_of(const char *text, size_t *n, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	uint32_t v = 0;
	if (colon == NULL)
		return true;
	if (colon[1] == 0)
		return false;
	for (const char *p = colon + 1; *p != 0; p++) {
		if (*p < '0' || *p > '9')
			return true;
		v = MIN(v * 10 + (uint32_t)(*p - '0'), 65536u);
	}
	*n = (size_t)(colon - text);
	*port = (uint16_t)v;
	return v >= 1 && v <= 65535;
}

/* Letters, digits and hyphens, an underscore before services: what else a label holds is unusual (RFC1035 2.3.1). */
static bool is_usual(const char *text)
{
	for (const char *p = text; *p != 0; p++) {
		uint8_t c = fold((uint8_t)*p);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
		      c == '/' || c == ':'))
			return false;
	}
	return true;
}

bool server_key_read(const struct reading *r, const char *file, const struct word *key, uint16_t dns_port,
                     struct server_key *ret)
{
	struct arena *a = r->source.arena;
	struct diag *diag = r->diag;
	const char *text = key->text;
	struct server_key k = { .port = dns_port == 0 ? 53 : dns_port };
	const char *mark = strstr(text, "://");
	if (mark != NULL) {
		size_t i = 0, n = (size_t)(mark - text);
		while (i < COUNT(schemes) && !span_is(span_of(text, n), schemes[i].scheme))
			i++;
		if (i == COUNT(schemes))
			return wrong(diag, file, key, arena_printf(a, "zone is not a valid domain name: %.200s; "
			                                           "expected dns://, tls:// or https://", text));
		if (schemes[i].refused != NULL)
			return wrong(diag, file, key, schemes[i].refused);
		k.transport = schemes[i].transport;
		if (i > 0)
			k.port = schemes[i].port;
		text = mark + 3;
	}
	size_t n = strlen(text);
	if (n > 0 && text[n - 1] == ':')
		return wrong(diag, file, key, arena_printf(a, "expecting data after last colon: \"%.300s\"; expected "
		                                           "ZONE:PORT", text));
	if (!port_of(text, &n, &k.port))
		return wrong(diag, file, key, arena_printf(a, "invalid port in %.300s; expected 1 to 65535", text));
	const char *zone = arena_text(a, span_of(text, n));
	if (n > KEY_ZONE_MAX)
		return wrong(diag, file, key, arena_printf(a, "specified zone is too long: %zu > 255; expected at most "
		                                           "255 characters", n));
	struct name zones[REVERSE_ZONES_MAX];
	k.nzones = zone == NULL ? 0 : zones_of(zone, a, zones);
	k.zones = arena_dup(a, zones, sizeof(zones[0]) * k.nzones);
	if (k.zones == NULL)
		k.nzones = 0;
	struct prefix p;
	if (zone != NULL && strchr(zone, '/') != NULL && prefix_parse(span_text(zone), &p) != OK)
		return wrong(diag, file, key, arena_printf(a, "invalid CIDR %.300s; expected a network as 10.0.0.0/8",
		                                           zone));
	if (k.nzones == 0)
		return wrong(diag, file, key, arena_printf(a, "zone is not a valid domain name: %.300s; expected a "
		                                           "name, or a network as 10.0.0.0/8",
		                                           zone == NULL ? "" : zone));
	if (!is_usual(zone))
		diag_warning(diag, file, key->line, key->column,
		             "Warning: Domain \"%.200s\" does not follow RFC1035 preferred syntax", zone);
	*ret = k;
	return true;
}

void server_key_text(enum listen_transport transport, struct name zone, uint16_t port, struct buf *to)
{
	buf_printf(to, "%s://", scheme_of(transport));
	name_text(zone, to);
	buf_printf(to, ":%u", port);
}
