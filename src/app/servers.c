#include "app/servers.h"

#include "io/file.h"

#define RESOLV_CONF_MAX 65536u
#define PORT_TLS 853u

/* ADDRESS[@PORT][#TLSNAME] */
static bool server_parse(struct arena *a, const char *text, struct dial_server *ret)
{
	struct span s = span_text(text);
	const char *hash = strchr(text, '#');
	uint32_t port = 0;
	*ret = (struct dial_server){ 0 };
	if (hash != NULL) {
		s.n = (size_t)(hash - text);
		ret->tls_name = hash + 1;
		ret->tls = true;
	}
	const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	if (at != NULL) {
		struct span digits = span_from(s, (size_t)(at - s.p) + 1);
		if (digits.n == 0 || digits.n > 5)
			return false;
		for (size_t i = 0; i < digits.n; i++) {
			if (digits.p[i] < '0' || digits.p[i] > '9')
				return false;
			port = port * 10 + (digits.p[i] - '0');
		}
		if (port == 0 || port > 65535)
			return false;
		s.n = (size_t)(at - s.p);
	}
	ret->tls |= port == PORT_TLS;
	if (port == 0)
		port = ret->tls ? PORT_TLS : 53;
	if (addr_parse(s, (uint16_t)port, &ret->addr) != OK)
		return false;
	if (ret->tls && (ret->tls_name == NULL || *ret->tls_name == 0)) {
		char *name = arena_alloc(a, ADDR_TEXT_MAX);
		if (name == NULL)
			return false;
		struct buf b = buf_on(name, ADDR_TEXT_MAX);
		addr_text(&ret->addr, &b);
		ret->tls_name = buf_cstr(&b);
	}
	return true;
}

enum err servers_add(struct servers *all, struct arena *a, const char *text)
{
	if (all->n == SERVERS_MAX)
		return ERR_LIMIT;
	if (!server_parse(a, text, &all->list[all->n]))
		return ERR_SYNTAX;
	all->n++;
	return OK;
}

/* The lines "nameserver ADDRESS"; what else may stand there is not for us. */
void servers_default(struct servers *all, struct arena *a)
{
	char text[256];
	struct buf why = buf_on(text, sizeof(text));
	struct span file;
	if (file_read(RESOLV_CONF, RESOLV_CONF_MAX, a, &file, &why) != OK)
		file.n = 0;
	const char *at = (const char *)file.p;
	for (size_t left = file.n; left > 0 && all->n < SERVERS_MAX;) {
		size_t line = strcspn(at, "\n"), word = strspn(at, " \t");
		if (strncmp(at + word, "nameserver", 10) == 0) {
			size_t from = word + 10 + strspn(at + word + 10, " \t");
			size_t n = strcspn(at + from, " \t\r\n#;");
			struct dial_server s = { 0 };
			if (addr_parse(span_of(at + from, n), 53, &s.addr) == OK)
				all->list[all->n++] = s;
		}
		line += line < left;
		at += line;
		left -= MIN(line, left);
	}
	if (all->n == 0)
		all->list[all->n++] = (struct dial_server){ .addr = { .family = ADDR_4, .port = 53,
		                                                            .ip = { 127, 0, 0, 1 } } };
}

/* returns whether one is left */
bool servers_choose(struct servers *all, uint8_t family)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < all->n; i++)
		if (family == ADDR_NONE || all->list[i].addr.family == family)
			all->list[kept++] = all->list[i];
	all->n = kept;
	return kept > 0;
}
