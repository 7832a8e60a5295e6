#include "sim/api_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "sim/cluster_wire.h"

#define EVENTS_AT_ONCE 8u
#define BOOKMARK_MS 50000
#define LATENCY_MS 40u
#define SLOW_MS 400u
#define SLOW_PIECE 60u
#define LAG_MAX 5u
#define NEVER_CUT SIZE_MAX
#define RETRY_SECS_MAX 40u
#define GARBAGE_KINDS 8u
#define DEAF_BELOW 4u            /* first byte of a length that may be one: 64 MB */

static const char *const faults[] = {
	"nothing",
#define F(NAME) #NAME,
	API_FAULTS(F)
#undef F
};

static unsigned below(struct api_server *s, unsigned n)
{
	return rng_below(&s->rng, n);
}

void api_init(struct api_server *s, struct host *h, struct cluster_truth *t, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->host = h;
	s->truth = t;
	rng_seed_number(&s->rng, seed ^ 0x5eed);
	s->room = heap_pages(API_BODY_MAX * THING_KINDS);
	for (unsigned i = 0; i < THING_KINDS; i++)
		s->asked[i].owed = true;
}

void api_fini(struct api_server *s)
{
	heap_pages_free(s->room, API_BODY_MAX * THING_KINDS);
}

/* ---- what was told ---- */

static void begin_list(struct api_asked *a)
{
	a->listing = true;
	a->nseen = 0;
}

static bool is_seen(const struct api_asked *a, const struct thing *t)
{
	for (unsigned i = 0; i < a->nseen; i++)
		if (strcmp(a->seen[i]->name, t->name) == 0 && strcmp(a->seen[i]->ns, t->ns) == 0)
			return true;
	return false;
}

static void end_list(struct api_server *s, enum thing_kind kind)
{
	struct api_asked *a = &s->asked[kind];
	for (unsigned i = s->told.n[kind]; i-- > 0;)
		if (!is_seen(a, s->told.things[kind][i]))
			state_remove(&s->told, s->told.things[kind][i]);
	a->listing = false;
	a->whole = true;
	a->owed = false;
}

static void take_mark(struct api_server *s, struct api_call *c, const struct api_mark *m)
{
	struct api_asked *a = &s->asked[c->kind];
	bool goes_on = c->how == API_WATCH || c->whole || m->kind == MARK_WHOLE;
	if (m->kind <= MARK_BOOKMARK && goes_on)
		a->version = m->version;
	c->progress |= m->kind <= MARK_BOOKMARK || m->kind == MARK_NOTHING;
	switch (m->kind) {
	case MARK_PUT:
		state_put(&s->told, m->thing);
		if (a->listing && a->nseen < THINGS_MAX)
			a->seen[a->nseen++] = m->thing;
		break;
	case MARK_REMOVE:
		state_remove(&s->told, m->thing);
		break;
	case MARK_WHOLE:
		c->whole = true;
		end_list(s, c->kind);
		break;
	case MARK_GONE:
		a->owed = true;
		c->status = 410;
		break;
	case MARK_NO:
		c->retry_secs = m->retry_secs;
		break;
	case MARK_BOOKMARK:
	case MARK_NOTHING:
		break;
	}
}

/* ---- bodies ---- */

static void mark(const struct api_server *s, struct api_call *c, enum api_mark_kind kind, const struct thing *t)
{
	struct api_body *b = c->body;
	bool stop = kind >= MARK_GONE;
	bool line = s->manner.json && b->bytes.n > 0 && b->bytes.p[b->bytes.n - 1] == '\n';
	/* The bracket before the end of the line says it all. */
	if (b->nmarks < API_MARKS_MAX)
		b->marks[b->nmarks++] = (struct api_mark){ b->bytes.n - line, kind, stop, t, c->version, 0 };
}

static void say_no(struct api_server *s, struct api_call *c, unsigned code, unsigned retry)
{
	struct wire_status no = { code, retry };
	wire_error(&c->body->bytes, s->manner.json, &no);
	mark(s, c, code == 410 ? MARK_GONE : MARK_NO, NULL);
	c->body->marks[c->body->nmarks - 1].retry_secs = retry;
	c->end = API_END_WELL;
}

static void put_random(struct api_server *s, struct buf *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_u8(to, (uint8_t)below(s, 256));
}

/* More than any object has. */
static void put_length(struct api_server *s, struct buf *to)
{
	buf_u8(to, (uint8_t)(1 + below(s, 255)));
	put_random(s, to, 3);
}

/* A frame that says nothing, or no frame at all. */
static void garbage(struct api_server *s, struct api_call *c)
{
	static const char *const texts[] = {
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"\"}}}\n",
		"{\"type\":\"ADDED\",\"object\":7}\n",
		"{\"type\":\"\",\"object\":null}\n", "{\"type\":\"ADDED\",\"object\":{\"metadata\":[{}]}}\n", "[]]\n",
		"{\"type\":\"BOOKMARK\",\"object\":{}}\n", "{\"type\":\"ERROR\",\"object\":{\"code\":-1}}\n",
		"{\"x\":[",
	};
	static const struct thing strange = { .kind = THING_SERVICE, .ns = "shop" };
	struct buf *b = &c->body->bytes;
	size_t at = b->n;
	unsigned kind = below(s, GARBAGE_KINDS);
	if (s->manner.json) {
		buf_text(b, texts[kind]);
	} else if (kind == 0) {
		wire_event(b, false, "ADDED", &strange);      /* no name */
	} else if (kind == 1) {
		wire_event(b, false, "REPLACED", &strange);   /* a word that is not known */
	} else if (kind == 2) {
		put_length(s, b);                             /* a frame that never ends */
		put_random(s, b, 20);
	} else if (kind == 3) {
		buf_u32(b, 0);
	} else if (kind < 6) {
		buf_u32(b, 40);
		put_random(s, b, 40);
	} else {
		put_length(s, b);
		b->n -= below(s, 4);                          /* the next frame's bytes are taken for its rest */
	}
	c->deaf_from = c->body->nmarks;
	c->deaf = s->manner.json ? kind == 7 : kind == 2 || kind >= 6;
	c->lost = c->deaf && !s->manner.json && b->p[at] >= DEAF_BELOW;
	s->deaf += c->deaf && !c->lost;
	mark(s, c, MARK_NOTHING, NULL);
}

/* What is told of a change, to somebody who sees some of it. */
static void tell_change(struct api_server *s, struct api_call *c, const struct cluster_change *change)
{
	const struct api_filter *f = &s->asked[c->kind].filter;
	bool was = change->before != NULL && api_shows(f, change->before);
	bool is = change->after != NULL && api_shows(f, change->after);
	unsigned times = 1 + (below(s, 100) < s->manner.twice_of_100);
	for (unsigned i = 0; i < times && is; i++) {
		wire_event(&c->body->bytes, s->manner.json, was || i > 0 ? "MODIFIED" : "ADDED", change->after);
		mark(s, c, MARK_PUT, change->after);
	}
	for (unsigned i = 0; i < times && was && !is; i++) {
		struct thing gone = *change->before;
		gone.version = change->version;
		wire_event(&c->body->bytes, s->manner.json, "DELETED", &gone);
		mark(s, c, MARK_REMOVE, change->before);
	}
}

/* Somebody goes who never was. */
static void tell_ghost(struct api_server *s, struct api_call *c)
{
	struct thing ghost = { .kind = c->kind, .version = c->version, .name = "ghost" };
	if (c->kind != THING_NAMESPACE)
		memcpy(ghost.ns, "shop", sizeof("shop"));
	wire_event(&c->body->bytes, s->manner.json, "DELETED", &ghost);
	mark(s, c, MARK_BOOKMARK, NULL);
}

/* All has been told that was there when it began. */
static void more_events(struct api_server *s, struct api_call *c)
{
	const struct cluster_truth *t = s->truth;
	unsigned n = 0;
	if (below(s, 100) < s->manner.twice_of_100)
		tell_ghost(s, c);
	for (unsigned i = 0; i < t->nchanges && n < EVENTS_AT_ONCE; i++) {
		const struct cluster_change *change = &t->changes[i];
		if (change->version <= c->version)
			continue;
		c->version = change->version;
		if (change->kind == c->kind)
			tell_change(s, c, change);
		n += change->kind == c->kind;
	}
}

static void bookmark(struct api_server *s, struct api_call *c, bool initial_end)
{
	wire_bookmark(&c->body->bytes, s->manner.json, c->kind, c->version, initial_end);
	mark(s, c, initial_end ? MARK_WHOLE : MARK_BOOKMARK, NULL);
	if (c->how == API_STREAM && !c->whole && !initial_end)
		c->body->marks[c->body->nmarks - 1].stop = true;
}

static bool has_news(const struct api_server *s, const struct api_call *c)
{
	for (unsigned i = s->truth->nchanges; i-- > 0 && s->truth->changes[i].version > c->version;)
		if (s->truth->changes[i].kind == c->kind)
			return true;
	return false;
}

/* What is visible of a kind at a version. */
static unsigned visible(struct api_server *s, const struct api_call *c, uint64_t version, const struct thing **to)
{
	static struct cluster_state at;
	unsigned n = 0;
	truth_at(s->truth, version, &at);
	for (unsigned i = 0; i < at.n[c->kind]; i++)
		if (api_shows(&s->asked[c->kind].filter, at.things[c->kind][i]))
			to[n++] = at.things[c->kind][i];
	return n;
}

static void make_stream(struct api_server *s, struct api_call *c)
{
	const struct thing *things[THINGS_MAX];
	unsigned n = visible(s, c, c->version, things);
	for (unsigned i = 0; i < n; i++) {
		wire_event(&c->body->bytes, s->manner.json, "ADDED", things[i]);
		mark(s, c, MARK_PUT, things[i]);
	}
	if (s->manner.streams == STREAMS_WELL)
		bookmark(s, c, true);
}

/* more: "VERSION:FROM" of a page before, or empty */
static void make_list(struct api_server *s, struct api_call *c, const char *more, unsigned limit)
{
	const struct thing *things[THINGS_MAX];
	size_t ends[THINGS_MAX];
	char next[THING_LABEL] = "";
	const char *colon = strchr(more, ':');
	unsigned from = colon == NULL ? 0 : (unsigned)strtoul(colon + 1, NULL, 10);
	unsigned n = visible(s, c, c->version, things);
	unsigned page = limit == 0 || s->manner.page == 0 ? limit : MIN(limit, s->manner.page);
	unsigned here = page == 0 ? n - from : MIN(page, n - from);
	struct buf b = buf_on(next, sizeof(next));
	c->last = from + here == n;
	if (!c->last)
		buf_printf(&b, "%llu:%u", (unsigned long long)c->version, from + here);
	(void)buf_cstr(&b);
	struct wire_list l = { c->kind, c->version, next, things + from, here, c->fault == API_GARBAGE };
	wire_list(&c->body->bytes, s->manner.json, &l, ends);
	for (unsigned i = 0; i < here; i++) {
		mark(s, c, MARK_PUT, things[from + i]);
		c->body->marks[c->body->nmarks - 1].end = ends[i];
	}
}

/* ---- requests ---- */

static void status_only(struct api_server *s, struct api_call *c, unsigned code, unsigned retry)
{
	struct wire_status no = { code, retry };
	c->status = code;
	c->retry_secs = 0;
	c->end = API_END_WELL;
	wire_status(&c->body->bytes, s->manner.json, &no);
	mark(s, c, code == 410 ? MARK_GONE : MARK_NO, NULL);
	c->body->marks[c->body->nmarks - 1].retry_secs = retry;
}

static void refuse(struct api_server *s, struct api_call *c)
{
	static const unsigned codes[] = { 401, 403, 429, 500, 503, 504 };
	unsigned code = codes[below(s, COUNT(codes))];
	bool waits = code == 429 || code == 503;
	status_only(s, c, code, waits && below(s, 2) == 0 ? 1 + below(s, RETRY_SECS_MAX) : 0);
	if (below(s, 3) != 0)
		return;
	c->body->bytes.n = 0;   /* a proxy says it */
	c->body->nmarks = 0;
	buf_text(&c->body->bytes, "no healthy upstream");
}

static enum api_fault draw_fault(struct api_server *s)
{
	if (s->host->now.ms < s->manner.away_until)
		return API_REFUSES;
	if (s->manner.faults == 0 || below(s, 100) >= s->manner.faults_of_100)
		return API_WELL;
	for (unsigned tries = 0; tries < 64; tries++) {
		unsigned f = 1 + below(s, API_FAULT_COUNT - 1);
		if (s->manner.faults >> f & 1)
			return (enum api_fault)f;
	}
	return API_WELL;
}

/* The body that a good server would send. */
static void make_body(struct api_server *s, struct api_call *c, const char *more, unsigned limit)
{
	uint64_t now = s->truth->version;
	if (c->how == API_STREAM && s->manner.streams == STREAMS_REFUSED) {
		status_only(s, c, below(s, 2) == 0 ? 400 : 422, 0);
		return;
	}
	if (more[0] != 0)
		c->version = strtoull(more, NULL, 10);
	else if (c->how == API_LIST && c->version == 0)
		c->version = MAX(s->floor, now - below(s, LAG_MAX + 1));   /* of a cache, which may be behind */
	else if (c->how != API_WATCH)
		c->version = now;
	if (c->version > now) {
		api_fault(s, "a version that nobody has told");
	} else if (c->version < s->floor && c->how == API_WATCH && below(s, 2) == 0) {
		say_no(s, c, 410, 0);
	} else if (c->version < s->floor) {
		status_only(s, c, 410, 0);
	} else if (c->how == API_LIST) {
		make_list(s, c, more, limit);
		c->end = API_END_WELL;
	} else if (c->how == API_STREAM) {
		make_stream(s, c);
	} else if (has_news(s, c)) {
		more_events(s, c);
	}
}

/* Bytes before the last object's end; of a watch, some. */
static size_t half(struct api_server *s, const struct api_call *c)
{
	size_t last = 16;
	for (unsigned i = 0; i < c->body->nmarks; i++)
		if (c->body->marks[i].kind == MARK_PUT || c->body->marks[i].kind == MARK_REMOVE)
			last = MAX(c->body->marks[i].end, last);
	return below(s, (unsigned)last);
}

static void spoil(struct api_server *s, struct api_call *c)
{
	bool list = c->how == API_LIST;
	switch (c->fault) {
	case API_REFUSES:
		c->end = API_END_BROKEN;
		break;
	case API_MUTE:
		c->at = NEVER;
		break;
	case API_NO:
	case API_GONE:
	case API_STRANGER:
		c->body->bytes.n = 0;
		c->body->nmarks = 0;
		if (c->fault == API_NO)
			refuse(s, c);
		else if (c->fault == API_GONE)
			status_only(s, c, 410, 0);
		else
			buf_text(&c->body->bytes, "<html>Log in</html>");
		break;
	case API_BREAKS:
	case API_ENDS:
	case API_STOPS:
		c->body->cut = half(s, c);
		c->end = c->fault == API_BREAKS ? API_END_BROKEN : c->fault == API_ENDS ? API_END_WELL : API_END_NEVER;
		break;
	case API_SAYS_GONE:
		if (c->how == API_WATCH && c->status == 200)
			say_no(s, c, 410, 0);
		break;
	case API_SAYS_NO:
		if (!list && c->status == 200)
			say_no(s, c, below(s, 2) == 0 ? 500 : 429, below(s, 2) == 0 ? 0 : 1 + below(s, RETRY_SECS_MAX));
		break;
	case API_GARBAGE:
		if (list && below(s, 2) == 0) {
			c->body->bytes.n = 0;
			c->body->nmarks = 0;
			c->last = false;
			put_random(s, &c->body->bytes, 200);
		} else if (!list && c->status == 200) {
			garbage(s, c);
		}
		break;
	case API_SHORT:
		if (c->how == API_WATCH)
			c->end = API_END_WELL;
		break;
	case API_WELL:
	case API_SLOW:
	case API_FAULT_COUNT:
		break;
	}
}

static void begin(struct api_server *s, uint32_t worker, const struct effect *fx)
{
	char more[THING_LABEL];
	struct api_call new = { .fetch = fx->fetch, .worker = worker, .open = true, .status = 200, .expires = NEVER };
	if (!api_read(s, fx, &new, more))
		return;
	struct api_call *c = &s->calls[new.kind];
	unsigned limit = (unsigned)new.piece;
	if (c->open)
		api_fault(s, "a resource is asked for twice at once");
	*c = new;
	c->body = &s->bodies[c->kind];
	c->body->sent = 0;
	c->body->nmarks = c->body->taken = 0;
	c->body->bytes = buf_on(s->room + API_BODY_MAX * c->kind, API_BODY_MAX);
	c->body->cut = NEVER_CUT;
	c->begun = s->host->now.ms;
	c->at = c->begun + below(s, LATENCY_MS);
	c->bookmark = c->begun + BOOKMARK_MS + below(s, 10000);
	c->piece = below(s, 2) == 0 ? API_BODY_MAX : 100 + below(s, 600);
	c->fault = draw_fault(s);
	make_body(s, c, more, limit);
	spoil(s, c);
	if (c->fault == API_SLOW)
		c->piece = 1 + below(s, SLOW_PIECE);
	if (s->trace && c->fault != API_WELL)
		printf("    goes wrong: %s\n", faults[c->fault]);
}

void api_perform(struct api_server *s, uint32_t worker, const struct effect *fx)
{
	if (fx->kind == FX_FETCH) {
		begin(s, worker, fx);
		return;
	}
	for (unsigned i = 0; i < THING_KINDS; i++)
		if (s->calls[i].open && s->calls[i].fetch == fx->fetch)
			api_over(s, &s->calls[i], true);
}

/* ---- saying it ---- */

static void tell(struct api_server *s, struct api_call *c, struct fetched what)
{
	what.fetch = c->fetch;
	host_fetched(s->host, c->worker, s->host->now.ms, &what);
	host_run(s->host, s->host->now.ms);
}

static void tell_head(struct api_server *s, struct api_call *c)
{
	static const char list[] = "application/vnd.kubernetes.protobuf", watch[] = "application/vnd.kubernetes."
	                                                                             "protobuf;stream=watch";
	const char *type = c->fault == API_STRANGER ? "text/html" : s->manner.json ? "application/json"
		: c->how == API_LIST ? list : watch;
	c->head = true;
	if (c->status == 200 && c->fault != API_STRANGER && c->first && c->how != API_WATCH)
		begin_list(&s->asked[c->kind]);
	tell(s, c, (struct fetched){ .kind = FETCHED_HEAD, .status = c->status, .bytes = span_text(type) });
}

static void tell_end(struct api_server *s, struct api_call *c)
{
	bool good = c->status == 200 && c->end == API_END_WELL && c->body->cut == NEVER_CUT;
	uint64_t fetch = c->fetch;
	if (good && c->how == API_LIST && c->last && c->fault != API_STRANGER) {
		c->progress = true;
		s->asked[c->kind].version = c->version;
		end_list(s, c->kind);
	}
	if (c->status == 410 && c->head)
		s->asked[c->kind].owed = true;
	api_over(s, c, false);
	struct fetched end = { .kind = FETCHED_END, .fetch = fetch,
		               .text = c->end == API_END_BROKEN ? "Connection reset by peer" : NULL };
	host_fetched(s->host, c->worker, s->host->now.ms, &end);
	host_run(s->host, s->host->now.ms);
}

/* How many bytes the next piece has: none goes on behind where one may leave. */
static size_t piece_next(const struct api_call *c, size_t n)
{
	const struct api_body *b = c->body;
	n = MIN(n, MIN(b->bytes.n, b->cut) - b->sent);
	for (unsigned i = b->taken; i < b->nmarks; i++)
		if (b->marks[i].stop && b->marks[i].end > b->sent)
			return MIN(n, b->marks[i].end - b->sent);
	return n;
}

static void tell_piece(struct api_server *s, struct api_call *c)
{
	struct api_body *b = c->body;
	size_t n = piece_next(c, c->piece);
	uint64_t fetch = c->fetch;
	struct span bytes = span_of(b->bytes.p + b->sent, n);
	b->sent += n;
	for (; b->taken < b->nmarks && b->marks[b->taken].end <= b->sent; b->taken++)
		if (!c->deaf || b->taken < c->deaf_from)
			take_mark(s, c, &b->marks[b->taken]);
	c->at = s->host->now.ms + (c->fault == API_SLOW ? 1 + below(s, SLOW_MS) : below(s, 4));
	tell(s, c, (struct fetched){ .kind = FETCHED_PIECE, .bytes = bytes });
	if (!c->open || c->fetch != fetch || b->sent < b->bytes.n || b->cut != NEVER_CUT)
		return;
	b->bytes.n = b->sent = 0;
	b->nmarks = b->taken = 0;
	c->deaf_from = 0;
}

/* A watch that has said all it has. */
static void wait_for_news(struct api_server *s, struct api_call *c)
{
	msec now = s->host->now.ms;
	c->at = now;
	if (now >= c->expires) {
		c->end = API_END_WELL;
		c->body->cut = c->body->sent;
	} else if (has_news(s, c)) {
		more_events(s, c);
	} else if (now >= c->bookmark && s->manner.bookmarks) {
		c->version = s->truth->version;
		bookmark(s, c, false);
		c->bookmark = now + BOOKMARK_MS + below(s, 10000);
	} else {
		c->at = MIN(c->expires, s->manner.bookmarks ? c->bookmark : NEVER);
	}
}

/* Is it a watch that has said all it has, and may say more? */
static bool waits(const struct api_call *c)
{
	const struct api_body *b = c->body;
	return c->head && c->status == 200 && c->how != API_LIST && b->sent == b->bytes.n &&
	       (b->cut == NEVER_CUT ? c->end == API_GOES_ON : b->bytes.n < b->cut);
}

static void go_on(struct api_server *s, struct api_call *c)
{
	const struct api_body *b = c->body;
	if (!c->head && c->fault == API_REFUSES)
		tell_end(s, c);
	else if (!c->head)
		tell_head(s, c);
	else if (b->sent < MIN(b->bytes.n, b->cut))
		tell_piece(s, c);
	else if (waits(c))
		wait_for_news(s, c);
	else if (c->end == API_END_NEVER)
		c->at = NEVER;
	else
		tell_end(s, c);
}

/* When a call has something to do: events wake a watch that waits. */
static msec when(const struct api_server *s, const struct api_call *c)
{
	if (!c->open)
		return NEVER;
	return waits(c) && has_news(s, c) ? MIN(c->at, s->host->now.ms) : c->at;
}

msec api_turn(struct api_server *s)
{
	msec next = NEVER;
	for (unsigned i = 0; i < THING_KINDS; i++) {
		struct api_call *c = &s->calls[i];
		if (when(s, c) <= s->host->now.ms)
			go_on(s, c);
		next = MIN(next, when(s, c));
	}
	for (unsigned i = 0; i < THING_KINDS; i++)
		next = MIN(next, when(s, &s->calls[i]));
	return next;
}

void api_mend(struct api_server *s)
{
	s->manner.faults = 0;
	s->manner.away_until = 0;
	for (unsigned i = 0; i < THING_KINDS; i++) {
		s->calls[i].piece = API_BODY_MAX;
		if (s->calls[i].fault == API_SLOW)
			s->calls[i].fault = API_WELL;
	}
}

static bool has_open(const struct api_server *s)
{
	bool is = false;
	for (unsigned i = 0; i < THING_KINDS; i++)
		is |= s->calls[i].open;
	return is;
}

void api_restart(struct api_server *s)
{
	for (unsigned i = 0; i < THING_KINDS; i++) {
		struct api_call *c = &s->calls[i];
		if (!c->open)
			continue;
		c->end = API_END_BROKEN;
		tell_end(s, c);
	}
	if (below(s, 3) != 0 || has_open(s))
		return;
	s->manner.json = below(s, 2);
	s->manner.streams = (enum api_streams)below(s, 3);
}

void api_forget(struct api_server *s)
{
	memset(s->asked, 0, sizeof(s->asked));
	memset(s->told.n, 0, sizeof(s->told.n));
	for (unsigned i = 0; i < THING_KINDS; i++) {
		s->asked[i].owed = true;
		s->calls[i].open = false;   /* whoever was told is gone */
	}
	s->tokens = s->manner.rate.burst;
}

bool api_told_all(const struct api_server *s)
{
	for (unsigned kind = 0; kind < THING_KINDS; kind++) {
		const struct api_asked *a = &s->asked[kind];
		unsigned n = 0;
		if (a->requests == 0)
			continue;
		for (unsigned i = 0; i < s->truth->now.n[kind]; i++) {
			const struct thing *t = s->truth->now.things[kind][i];
			if (!api_shows(&a->filter, t))
				continue;
			n++;
			if (state_find(&s->told, t->kind, t->ns, t->name) == t)
				continue;
			if (s->trace)
				printf("not told: %s/%s\n", t->ns, t->name);
			return false;
		}
		if (n != s->told.n[kind] || !a->whole) {
			if (s->trace)
				printf("of kind %u: %u told, %u are\n", kind, s->told.n[kind], n);
			return false;
		}
	}
	return true;
}
