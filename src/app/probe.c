/* probe: does a resolver answer? */
#include "app/probe.h"

#include "io/ask.h"
#include "io/process.h"

#define MESSAGE_BYTES 17u        /* a header, and one question for the root's NS records */
#define REPLY_BYTES 512u
#define HEADER_BYTES 12u
#define QR 0x80u
#define OPCODE_STATUS (2u << 3)

void probe_init(struct probe *p, const struct addr *to)
{
	uint8_t seed[32];
	process_random(seed);
	*p = (struct probe){ .to = *to, .fd = -1 };
	rng_seed(&p->rng, seed);
}

void probe_close(struct probe *p)
{
	if (p->fd >= 0)
		ask_close(p->fd);
	p->fd = -1;
}

void probe_forget(struct probe *p)
{
	probe_close(p);
	p->id = 0;
}

void probe_send(struct probe *p)
{
	static const struct ask_conf any;
	uint8_t m[MESSAGE_BYTES] = { [2] = OPCODE_STATUS, [5] = 1, [14] = 2, [16] = 1 };
	char text[128];
	struct buf why = buf_on(text, sizeof(text));
	probe_close(p);
	p->id = (uint16_t)rng_below(&p->rng, UINT16_MAX) + 1;
	m[0] = (uint8_t)(p->id >> 8);
	m[1] = (uint8_t)p->id;
	if (ask_open(&p->to, &any, &p->rng, &p->fd, &why) != OK || ask_send(p->fd, span_of(m, sizeof(m))) != OK)
		probe_close(p);      /* no road to it: as if it were silent */
}

bool probe_answered(struct probe *p)
{
	uint8_t m[REPLY_BYTES];
	size_t n;
	if (p->fd < 0 || ask_recv(p->fd, &p->to, m, sizeof(m), &n) != ASK_GOT || n < HEADER_BYTES)
		return false;
	if (m[0] != (uint8_t)(p->id >> 8) || m[1] != (uint8_t)p->id || !(m[2] & QR))
		return false;
	probe_forget(p);
	return true;
}

bool probe_waits(const struct probe *p)
{
	return p->id != 0;
}
