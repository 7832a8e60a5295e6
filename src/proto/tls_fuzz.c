/* Bytes of nobody in particular into a client and a server: at the start, and behind a real handshake of which one byte
 * was changed. */
#include <stdlib.h>

#include "proto/tls.h"
#include "proto/tls_testca.h"

#define PUMPS_MAX 64u

static struct tls_context *client_context, *server_context;
static struct tls_store *store;

static void set_up(void)
{
	static struct tls_testca ca;
	struct tls_testleaf leaf;
	char text[200];
	struct buf why = buf_on(text, sizeof(text));
	tls_testca_init(&ca, "CA");
	tls_testca_leaf(&ca, "DNS:one.example", -60, 86400, &leaf);
	store = tls_store_parse(tls_testca_pem(&ca), &why);
	struct tls_client_conf cc = { .store = store, .alpn = "dot" };
	struct tls_server_conf sc = { .certificate = tls_testca_span(leaf.certificate),
	                              .key = tls_testca_span(leaf.key), .alpn = "dot" };
	client_context = tls_client_context(&cc, &why);
	server_context = tls_server_context(&sc, &why);
	tls_testca_drop(&leaf);
	tls_testca_fini(&ca);
	if (client_context == NULL || server_context == NULL)
		abort();
}

static void take(struct tls *t, struct span bytes)
{
	uint8_t plain[512];
	tls_feed(t, bytes);
	while (tls_waits(t))
		(void)tls_read(t, plain, sizeof(plain));
	if (tls_state(t) == TLS_FAILED && tls_text(t)[0] == 0)
		abort();
	(void)!tls_keep(t);
	tls_rest(t);
}

static void raw(struct tls *t, struct span bytes, size_t step)
{
	while (bytes.n > 0) {
		struct span piece = span_of(bytes.p, MIN(step, bytes.n));
		take(t, piece);
		bytes = span_from(bytes, piece.n);
	}
}

/* Pass bytes on; the byte at `at` of all that is passed is changed. */
static void pass(struct tls *from, struct tls *to, size_t *at, uint8_t change)
{
	uint8_t piece[8192];
	struct span s = tls_output(from);
	size_t n = MIN(s.n, sizeof(piece));
	if (n == 0)
		return;
	memcpy(piece, s.p, n);
	tls_sent(from, n);
	if (*at < n)
		piece[*at] ^= change;
	*at -= MIN(*at, n);
	if (*at == 0)
		*at = SIZE_MAX;
	take(to, span_of(piece, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (client_context == NULL)
		set_up();
	if (size < 4)
		return 0;
	struct tls *client = tls_client_new(client_context, "one.example", NULL);
	struct tls *server = tls_server_new(server_context);
	if (data[0] & 1) {
		size_t at = get_u16(data + 1) & 0xfff;
		for (unsigned i = 0; i < PUMPS_MAX; i++) {
			pass(client, server, &at, data[3]);
			pass(server, client, &at, data[3]);
		}
		(void)!tls_write(client, span_of(data, size));
		pass(client, server, &at, 0);
	}
	raw(client, span_of(data + 4, size - 4), 1 + data[1]);
	raw(server, span_of(data + 4, size - 4), 1 + data[2]);
	tls_free(client);
	tls_free(server);
	return 0;
}
