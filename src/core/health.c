#include "core/health.h"

#define RTT_MAX 2000
#define PATIENCE_UNKNOWN 320    /* ms */
#define PATIENCE_MIN 320        /* a resolver behind the server may have to ask around: earlier is only more load */
#define PATIENCE_MAX 400
#define PATIENCE_ALONE 400      /* where there is no other server, asking early only doubles the load */
#define PATIENCE_BUSY 5         /* times as long, for a server that is answering a burst */
#define BUSY_PENDING 64u
#define PATIENCE_NEAR 100       /* an authoritative server has its answer at hand, */
#define PATIENCE_FAR 800        /* but may be at the other end of the world */
#define LATE_MAX 3u             /* unanswered questions in a row that open the breaker, */
#define SILENT_MS 1000          /* if it has said nothing at all for so long */
#define MUTE_MAX 3u
#define BREAKER_FIRST 500       /* ms until it is tried again; doubles */
#define BREAKER_MAX 4000
#define BREAKER_WORLD_MAX 64000

void health_answered(struct health *h, msec now, msec rtt)
{
	rtt = MIN(MAX(rtt, 1), RTT_MAX);
	msec off = rtt > h->srtt ? rtt - h->srtt : h->srtt - rtt;
	h->var = h->srtt == 0 ? rtt / 2 : (3 * h->var + off) / 4;
	h->srtt = h->srtt == 0 ? rtt : (7 * h->srtt + rtt) / 8;
	h->srtt = MAX(h->srtt, 1);
	h->heard = now;
}

bool health_good(struct health *h)
{
	bool was_broken = h->broken_until != 0;
	h->late = 0;
	h->fails = 0;
	h->auth = false;
	h->broken_until = 0;
	return was_broken;
}

bool health_failed(struct health *h, const struct health_rules *rules, msec now, const char *why, bool auth)
{
	bool same = h->broken_until != 0 && h->auth == auth;
	msec wait = BREAKER_FIRST, most = rules->quiet ? BREAKER_WORLD_MAX : BREAKER_MAX;
	for (unsigned i = 0; i < h->fails && wait < most; i++)
		wait *= 2;
	if (rules->relays && rules->relay.probe_every > 0)
		wait = rules->relay.probe_every;
	h->fails++;
	h->late = 0;
	h->auth = auth;
	if (rules->relays && rules->relay.max_fails == 0)
		return false;
	h->broken_until = now + wait;
	struct buf b = buf_on(h->cause, sizeof(h->cause));
	buf_text(&b, why);
	buf_cstr(&b);
	return !same;
}

void health_slower(struct health *h)
{
	h->srtt = MIN(MAX(h->srtt, RTT_UNKNOWN) * 2, RTT_MAX);
}

bool health_late(struct health *h, const struct health_rules *rules, msec now)
{
	uint32_t most = rules->relays ? rules->relay.max_fails + 1 : LATE_MAX;
	return ++h->late >= most && now - h->heard > SILENT_MS;
}

bool health_mute(struct health *h, bool unanswered)
{
	h->mute = unanswered ? h->mute + 1 : 0;
	return h->mute >= MUTE_MAX;
}

void health_forgive(struct health *h)
{
	h->late = h->fails = h->mute = 0;
	h->broken_until = 0;
	h->auth = false;
}

bool health_usable(const struct health *h, const struct health_rules *rules, msec now, bool broken_too)
{
	bool good = rules->relays ? h->broken_until == 0 : h->broken_until <= now;
	return good || (broken_too && !h->auth);
}

/* It answers, and has much to do: asking others as well would only make more of it. */
static bool is_busy(const struct health *h, msec now, unsigned pending)
{
	return pending > BUSY_PENDING && h->heard != 0 && now - h->heard < SILENT_MS;
}

msec health_patience(const struct health *h, const struct health_rules *rules, msec now, msec trips, unsigned pending)
{
	if (h->srtt == 0)
		return PATIENCE_UNKNOWN;
	if (rules->quiet)
		return MIN(MAX(2 * h->srtt + 4 * h->var, PATIENCE_NEAR), PATIENCE_FAR);
	msec least = rules->alone ? PATIENCE_ALONE : PATIENCE_MIN;
	msec patience = MIN(MAX((2 * h->srtt + 4 * h->var) * trips, least), PATIENCE_MAX);
	return is_busy(h, now, pending) ? patience * PATIENCE_BUSY : patience;
}
