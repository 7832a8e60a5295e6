#include "app/fetch/frames.h"

#define FIELD_HEADER 5u               /* its number, and how long it is */
#define ADDR_BYTES 17u                /* family and address */

/* Fields by number: first texts, with their NUL, then spans, then others. */
enum { FIELD_TEXTS = 1, FIELD_SPANS = 32, FIELD_ADDRS = 64, FIELD_TIMES, FIELD_FLAGS };
enum { FLAG_UNCHECKED = 1, FLAG_BARE = 2 };   /* of fetch_login */

struct place {
	bool login;
	size_t at;
};

#define OF_FETCH(member) { false, offsetof(struct fetch, member) }
#define OF_LOGIN(member) { true, offsetof(struct fetch_login, member) }

static const struct place texts[] = {
	OF_FETCH(method), OF_FETCH(url), OF_FETCH(accept), OF_FETCH(content_type), OF_LOGIN(ca_file),
	OF_LOGIN(cert_file), OF_LOGIN(key_file), OF_LOGIN(token_file), OF_LOGIN(user), OF_LOGIN(password),
	OF_LOGIN(server_name),
};

static const struct place spans[] = {
	OF_FETCH(body), OF_LOGIN(ca), OF_LOGIN(cert), OF_LOGIN(key), OF_LOGIN(token),
};

enum err frame_in_read(struct span bytes, size_t payload_max, struct frame_in *ret)
{
	if (bytes.n < FRAME_HEADER)
		return ERR_SHORT;
	size_t n = get_u32(bytes.p);
	uint8_t kind = bytes.p[4];
	if (kind == 0 || kind >= FRAME_KINDS || n > payload_max)
		return ERR_FORMAT;
	if (bytes.n - FRAME_HEADER < n)
		return ERR_SHORT;
	*ret = (struct frame_in){ .kind = (enum frame_kind)kind, .size = FRAME_HEADER + n,
		                  .fetch = (uint64_t)get_u32(bytes.p + 5) << 32 | get_u32(bytes.p + 9),
		                  .payload = span_of(bytes.p + FRAME_HEADER, n) };
	return OK;
}

void frame_out_header(struct buf *to, enum frame_kind kind, uint64_t fetch, size_t payload)
{
	buf_u32(to, (uint32_t)payload);
	buf_u8(to, (uint8_t)kind);
	buf_u32(to, (uint32_t)(fetch >> 32));
	buf_u32(to, (uint32_t)fetch);
}

/* ---- a request, in fields ---- */

static const void *from_place(const struct fetch *what, const struct place *p)
{
	const char *base = p->login ? (const char *)what->login : (const char *)what;
	return base == NULL ? NULL : base + p->at;
}

static const char *text_at(const struct fetch *what, const struct place *p)
{
	const char *const *text = from_place(what, p);
	return text == NULL ? NULL : *text;
}

static struct span span_at(const struct fetch *what, const struct place *p)
{
	const struct span *s = from_place(what, p);
	return s == NULL ? (struct span){ 0 } : *s;
}

size_t frame_ask_size(const struct fetch *what)
{
	size_t n = FIELD_HEADER + 8 + FIELD_HEADER + 1 + (FIELD_HEADER + ADDR_BYTES) * what->naddrs;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = text_at(what, &texts[i]);
		n += text == NULL ? 0 : FIELD_HEADER + strlen(text) + 1;
	}
	for (size_t i = 0; i < COUNT(spans); i++)
		n += FIELD_HEADER + span_at(what, &spans[i]).n;
	return n;
}

static void put_field(struct buf *to, size_t number, struct span bytes)
{
	buf_u8(to, (uint8_t)number);
	buf_u32(to, (uint32_t)bytes.n);
	buf_span_put(to, bytes);
}

void frame_ask_write(struct buf *to, const struct fetch *what)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *text = text_at(what, &texts[i]);
		if (text != NULL)
			put_field(to, FIELD_TEXTS + i, span_of(text, strlen(text) + 1));
	}
	for (size_t i = 0; i < COUNT(spans); i++)
		put_field(to, FIELD_SPANS + i, span_at(what, &spans[i]));
	for (unsigned i = 0; i < what->naddrs; i++) {
		uint8_t bytes[ADDR_BYTES] = { what->addrs[i].family };
		memcpy(bytes + 1, what->addrs[i].ip, 16);
		put_field(to, FIELD_ADDRS, span_of(bytes, sizeof(bytes)));
	}
	uint8_t times[8], flags = 0;
	if (what->login != NULL)
		flags = (uint8_t)((what->login->unchecked ? FLAG_UNCHECKED : 0) |
		                  (what->login->token_bare ? FLAG_BARE : 0));
	put_u32(times, what->connect_ms);
	put_u32(times + 4, what->idle_ms);
	put_field(to, FIELD_TIMES, span_of(times, sizeof(times)));
	put_field(to, FIELD_FLAGS, span_of(&flags, 1));
}

static void *to_place(struct frame_ask *a, const struct place *p)
{
	return (p->login ? (char *)&a->login : (char *)&a->what) + p->at;
}

static enum err take_field(struct frame_ask *a, unsigned number, struct span bytes)
{
	if (number - FIELD_TEXTS < COUNT(texts)) {
		if (bytes.n == 0 || memchr(bytes.p, 0, bytes.n) != bytes.p + bytes.n - 1)
			return ERR_FORMAT;
		*(const char **)to_place(a, &texts[number - FIELD_TEXTS]) = (const char *)bytes.p;
	} else if (number - FIELD_SPANS < COUNT(spans)) {
		*(struct span *)to_place(a, &spans[number - FIELD_SPANS]) = bytes;
	} else if (number == FIELD_ADDRS && bytes.n == ADDR_BYTES && a->what.naddrs < FETCH_ADDRS_MAX) {
		struct addr *addr = &a->addrs[a->what.naddrs++];
		addr->family = bytes.p[0];
		memcpy(addr->ip, bytes.p + 1, 16);
	} else if (number == FIELD_TIMES && bytes.n == 8) {
		a->what.connect_ms = get_u32(bytes.p);
		a->what.idle_ms = get_u32(bytes.p + 4);
	} else if (number == FIELD_FLAGS && bytes.n == 1) {
		a->login.unchecked = bytes.p[0] & FLAG_UNCHECKED;
		a->login.token_bare = bytes.p[0] & FLAG_BARE;
	} else {
		return ERR_FORMAT;
	}
	return OK;
}

enum err frame_ask_read(struct span payload, struct frame_ask *ret)
{
	*ret = (struct frame_ask){ 0 };
	ret->what.login = &ret->login;
	ret->what.addrs = ret->addrs;
	while (payload.n > 0) {
		if (payload.n < FIELD_HEADER)
			return ERR_FORMAT;
		size_t n = get_u32(payload.p + 1);
		if (n > payload.n - FIELD_HEADER)
			return ERR_FORMAT;
		TRY(take_field(ret, payload.p[0], span_of(payload.p + FIELD_HEADER, n)));
		payload = span_from(payload, FIELD_HEADER + n);
	}
	return ret->what.url == NULL ? ERR_FORMAT : OK;
}
