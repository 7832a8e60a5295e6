#include "plugin/etcd.h"

#include <stdatomic.h>

#include "base/base64.h"
#include "base/heap.h"
#include "base/json.h"
#include "core/sample.h"

#define ASKS_MAX 128u              /* under way, of one worker: half of all fetches */
#define TRIES_MAX 3u               /* endpoints asked for one question */
#define TOKEN_MAX 2048u
#define ARENA_MAX ((size_t)24 << 20)   /* of one ask: a body, and what is made of it */
#define LIVE_ARENA_MAX ((size_t)1 << 20)
#define WHY_MAX 160u
#define SAID_MAX 80u             /* of what an etcd says of an error */
#define CONNECT_MS 1500u
#define IDLE_MS 2500u

enum stage { STAGE_PARKED, STAGE_LOGIN, STAGE_VALUES, STAGE_LEASE, STAGE_HAS, STAGE_FAILED };

struct piece {
	struct piece *next;
	struct span bytes;
};

struct lease {
	uint64_t id;
	uint32_t left;                 /* seconds; 0: not known, or over */
};

struct etcd_ask {
	struct etcd_ask *next;
	slot_id query;
	uint64_t fetch;                /* 0: none is under way */
	enum stage stage;
	struct arena arena;
	const char *path;
	struct skydns_key key;
	struct piece *pieces, **last;
	size_t size;
	unsigned status, tries, logins;
	struct skydns found;
	struct lease leases[SKYDNS_LEASES_MAX];
	unsigned nleases, lease;       /* known of, and the one that is asked about */
	char why[WHY_MAX];
};

/* One worker's. */
struct desk {
	struct etcd_ask *asks;
	unsigned n, endpoint;          /* the one that answered last */
	bool logging_in;
	char token[TOKEN_MAX];         /* "": none */
};

struct etcd_live {
	struct arena arena;
	struct etcd conf;              /* endpoints and logins alone */
	uint32_t workers;
	_Atomic uint64_t asked, failed, unreadable;
	struct desk desks[];
};

static void count(_Atomic uint64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

static struct query *query_of(struct engine *e, const struct etcd_ask *ask)
{
	return slots_get(&e->queries, ask->query);
}

static void ask_free(struct etcd_ask *ask)
{
	arena_free(&ask->arena);
	heap_free(ask);
}

/* Let go of those that nobody waits for. */
static void sweep(struct desk *d, struct engine *e)
{
	for (struct etcd_ask **at = &d->asks; *at != NULL;) {
		struct etcd_ask *ask = *at;
		if (query_of(e, ask) != NULL) {
			at = &ask->next;
			continue;
		}
		if (ask->fetch != 0)
			fetch_end(e, ask->fetch);
		d->logging_in &= ask->stage != STAGE_LOGIN;
		*at = ask->next;
		d->n--;
		ask_free(ask);
	}
}

static void ended(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, const char *why)
{
	struct buf b = buf_on(ask->why, sizeof(ask->why));
	ask->stage = why == NULL ? STAGE_HAS : STAGE_FAILED;
	ask->fetch = 0;
	if (why != NULL) {
		buf_printf(&b, "etcd: %.120s", why);
		count(&live->failed, 1);
	}
	buf_cstr(&b);
	query_wake(query_of(e, ask));
}

/* ---- requests ---- */

static void put_json(struct buf *to, const char *text)
{
	buf_u8(to, '"');
	for (; *text != 0; text++) {
		if ((uint8_t)*text < 0x20)
			buf_printf(to, "\\u%04x", (unsigned)(uint8_t)*text);
		else if (*text == '"' || *text == '\\')
			buf_printf(to, "\\%c", *text);
		else
			buf_u8(to, (uint8_t)*text);
	}
	buf_u8(to, '"');
}

static const char *body_put(const struct etcd_live *live, const struct etcd_ask *ask, struct buf *to)
{
	if (ask->stage == STAGE_LOGIN) {
		buf_text(to, "{\"name\":");
		put_json(to, live->conf.user);
		buf_text(to, ",\"password\":");
		put_json(to, live->conf.password);
		buf_u8(to, '}');
		return "/v3/auth/authenticate";
	}
	if (ask->stage == STAGE_LEASE) {
		buf_printf(to, "{\"ID\":\"%llu\"}", (unsigned long long)ask->leases[ask->lease].id);
		return "/v3/lease/timetolive";
	}
	skydns_ask(&ask->key, to);
	return "/v3/kv/txn";
}

static enum err begin(struct etcd_live *live, struct engine *e, struct etcd_ask *ask)
{
	struct desk *d = &live->desks[e->worker];
	struct query *q = query_of(e, ask);
	struct fetch_login login = live->conf.login;
	uint8_t body[SKYDNS_BODY_MAX];
	char url[FETCH_URL_MAX];
	struct buf b = buf_on(body, sizeof(body)), u = buf_on(url, sizeof(url));
	TRY(query_spend(q, 1, 0, 0));
	buf_printf(&u, "%s%s", live->conf.endpoints[d->endpoint], body_put(live, ask, &b));
	const char *where = buf_cstr(&u);
	if (!buf_ok(&b) || !buf_ok(&u))
		return ERR_LIMIT;
	if (ask->stage != STAGE_LOGIN) {
		login.token = span_text(d->token);
		login.token_bare = true;
	}
	struct fetch what = { .method = "POST", .url = where, .accept = "application/json",
		              .content_type = "application/json", .body = buf_span(&b), .login = &login,
		              .chain = q->chain, .connect_ms = CONNECT_MS, .idle_ms = IDLE_MS };
	ask->pieces = NULL;
	ask->last = &ask->pieces;
	ask->size = 0;
	ask->status = 0;
	count(&live->asked, 1);
	return fetch_begin(e, &plugin_etcd.steps, live, &what, &ask->fetch);
}

static void go(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, enum stage stage)
{
	struct desk *d = &live->desks[e->worker];
	ask->fetch = 0;
	ask->stage = stage;
	if (stage != STAGE_LEASE && live->conf.user != NULL && d->token[0] == 0)
		ask->stage = d->logging_in ? STAGE_PARKED : STAGE_LOGIN;
	if (ask->stage == STAGE_PARKED)
		return;
	d->logging_in |= ask->stage == STAGE_LOGIN;
	if (begin(live, e, ask) == OK)
		return;
	if (ask->stage == STAGE_LOGIN)
		d->logging_in = false;
	ended(live, e, ask, "too much is asked for");
}

enum err etcd_ask(const struct link *l, struct query *q, const struct skydns_key *key)
{
	struct etcd_live *live = l->live;
	const struct etcd *s = l->self;
	struct engine *e = q->engine;
	struct desk *d = &live->desks[e->worker];
	sweep(d, e);
	if (d->n == ASKS_MAX)
		return ERR_LIMIT;
	struct etcd_ask *ask = heap_new(sizeof(*ask));
	*ask = (struct etcd_ask){ .next = d->asks, .query = q->id, .key = *key };
	arena_init(&ask->arena, ARENA_MAX);
	ask->path = arena_text(&ask->arena, span_text(s->path));
	ask->key.full = arena_span(&ask->arena, key->full);
	ask->key.at = span_of(ask->key.full.p, key->at.n);
	ASSERT(ask->path != NULL && ask->key.full.p != NULL);   /* SKYDNS_KEY_MAX */
	d->asks = ask;
	d->n++;
	go(live, e, ask, STAGE_VALUES);
	return OK;
}

/* ---- what comes back ---- */

static struct etcd_ask *by_fetch(const struct desk *d, uint64_t fetch)
{
	for (struct etcd_ask *ask = d->asks; ask != NULL; ask = ask->next)
		if (ask->fetch == fetch)
			return ask;
	return NULL;
}

static void keep(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, struct span bytes)
{
	struct piece *p = ARENA_NEW(&ask->arena, struct piece);
	ask->size += bytes.n;
	if (p != NULL && ask->size <= JSON_BYTES_MAX) {
		*p = (struct piece){ NULL, arena_span(&ask->arena, bytes) };
		*ask->last = p;
		ask->last = &p->next;
		if (p->bytes.p != NULL)
			return;
	}
	fetch_end(e, ask->fetch);
	live->desks[e->worker].logging_in &= ask->stage != STAGE_LOGIN;
	ended(live, e, ask, "the answer is too long");
}

static bool body_of(struct etcd_ask *ask, struct span *ret)
{
	uint8_t *to = arena_alloc(&ask->arena, ask->size + 1);
	size_t n = 0;
	for (const struct piece *p = ask->pieces; to != NULL && p != NULL; p = p->next) {
		memcpy(to + n, p->bytes.p, p->bytes.n);
		n += p->bytes.n;
	}
	*ret = span_of(to, n);
	return to != NULL;
}

static void note_leases(struct etcd_ask *ask)
{
	for (unsigned i = 0; i < ask->found.n; i++) {
		unsigned k = 0;
		while (k < ask->nleases && ask->leases[k].id != ask->found.list[i].lease)
			k++;
		if (ask->found.list[i].lease != 0 && k == ask->nleases && k < SKYDNS_LEASES_MAX)
			ask->leases[ask->nleases++] = (struct lease){ ask->found.list[i].lease, 0 };
	}
}

static void next_lease(struct etcd_live *live, struct engine *e, struct etcd_ask *ask)
{
	if (ask->lease < ask->nleases)
		go(live, e, ask, STAGE_LEASE);
	else
		ended(live, e, ask, NULL);
}

static void take_values(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, struct span body)
{
	if (skydns_read(&ask->arena, ask->path, &ask->key, body, &ask->found) != OK) {
		ended(live, e, ask, "the answer cannot be read");
		return;
	}
	count(&live->unreadable, ask->found.unreadable);
	note_leases(ask);
	next_lease(live, e, ask);
}

/* Seconds that are left of it; what is no number below a hundred years is nothing. */
static void take_lease(struct etcd_ask *ask, struct span body)
{
	const struct json *answer;
	struct json_error why;
	uint32_t n = 0;
	if (json_parse(&ask->arena, body, &answer, &why) != OK)
		return;
	struct span s = json_text(json_get(answer, "TTL"));
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || s.n > 9)
			return;
		n = n * 10 + (s.p[i] - '0');
	}
	ask->leases[ask->lease].left = n;
}

/* Somebody's login has ended: those that waited for it go on, or it is the next one's turn. */
static void unpark(struct etcd_live *live, struct engine *e)
{
	struct desk *d = &live->desks[e->worker];
	d->logging_in = false;
	sweep(d, e);
	for (struct etcd_ask *ask = d->asks; ask != NULL; ask = ask->next) {
		if (ask->stage != STAGE_PARKED)
			continue;
		if (d->token[0] != 0)
			go(live, e, ask, STAGE_VALUES);
		else
			ended(live, e, ask, "the login failed");
	}
}

static void take_token(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, struct span body)
{
	struct desk *d = &live->desks[e->worker];
	const struct json *answer = NULL;
	struct json_error why;
	const char *token = NULL;
	if (json_parse(&ask->arena, body, &answer, &why) == OK)
		token = json_cstr(json_get(answer, "token"));
	d->logging_in = false;
	d->token[0] = 0;
	if (token != NULL && token[0] != 0 && strlen(token) < TOKEN_MAX)
		memcpy(d->token, token, strlen(token) + 1);
	if (d->token[0] != 0)
		go(live, e, ask, STAGE_VALUES);
	else
		ended(live, e, ask, "the login has no token");
	unpark(live, e);
}

/* The token is good no more, or there is none: 401, and 400 for none at all. */
static bool login_again(struct etcd_live *live, struct engine *e, struct etcd_ask *ask)
{
	struct desk *d = &live->desks[e->worker];
	if (ask->stage != STAGE_VALUES || live->conf.user == NULL || ask->logins++ > 0)
		return false;
	if (ask->status != 401 && ask->status != 400)
		return false;
	d->token[0] = 0;
	go(live, e, ask, STAGE_VALUES);
	return true;
}

/* What the etcd says of it, as far as it is one line of plain text. */
static void say_why(struct etcd_ask *ask, struct buf *to)
{
	struct span body;
	if (!body_of(ask, &body))
		return;
	for (size_t i = 0; i < MIN(body.n, SAID_MAX) && body.p[i] >= 0x20 && body.p[i] < 0x7f; i++)
		buf_printf(to, "%s%c", i == 0 ? ": " : "", body.p[i]);
}

static void failed(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, const char *text)
{
	struct desk *d = &live->desks[e->worker];
	char why[WHY_MAX];
	struct buf b = buf_on(why, sizeof(why));
	enum stage stage = ask->stage;
	if (stage == STAGE_LEASE) {       /* nothing is known of it: it gives the least */
		ask->lease++;
		next_lease(live, e, ask);
		return;
	}
	if (text == NULL && login_again(live, e, ask))
		return;
	bool its_own = text != NULL || ask->status >= 500;
	if (its_own && ++ask->tries < MIN(TRIES_MAX, live->conf.nendpoints)) {
		d->endpoint = (d->endpoint + 1) % live->conf.nendpoints;
		d->logging_in &= stage != STAGE_LOGIN;
		go(live, e, ask, STAGE_VALUES);
		return;
	}
	if (its_own)                      /* the next question begins with the next */
		d->endpoint = (d->endpoint + 1) % live->conf.nendpoints;
	if (text != NULL)
		buf_printf(&b, "%.120s", text);
	else
		buf_printf(&b, "%s: HTTP status %u", stage == STAGE_LOGIN ? "the login" : "the values", ask->status);
	if (text == NULL)
		say_why(ask, &b);
	ended(live, e, ask, buf_cstr(&b));
	if (stage == STAGE_LOGIN)
		unpark(live, e);
}

static void over(struct etcd_live *live, struct engine *e, struct etcd_ask *ask, const char *text)
{
	struct span body;
	ask->fetch = 0;
	if (text != NULL || ask->status != 200) {
		failed(live, e, ask, text);
	} else if (!body_of(ask, &body)) {
		failed(live, e, ask, "the answer is too long");
	} else if (ask->stage == STAGE_LOGIN) {
		take_token(live, e, ask, body);
	} else if (ask->stage == STAGE_LEASE) {
		take_lease(ask, body);
		ask->lease++;
		next_lease(live, e, ask);
	} else {
		take_values(live, e, ask, body);
	}
}

void etcd_fetched(void *self, struct engine *e, const struct fetched *what)
{
	struct etcd_live *live = self;
	struct desk *d = &live->desks[e->worker];
	struct etcd_ask *ask = by_fetch(d, what->fetch);
	if (ask == NULL)
		return;
	if (query_of(e, ask) == NULL) {
		bool login = ask->stage == STAGE_LOGIN;
		sweep(d, e);
		if (login)
			unpark(live, e);
		return;
	}
	if (what->kind == FETCHED_HEAD)
		ask->status = what->status;
	else if (what->kind == FETCHED_PIECE)
		keep(live, e, ask, what->bytes);
	else
		over(live, e, ask, what->text);
}

/* ---- for the one who waits ---- */

static struct etcd_ask **by_query(struct desk *d, const struct query *q)
{
	struct etcd_ask **at = &d->asks;
	while (*at != NULL && (*at)->query != q->id)
		at = &(*at)->next;
	return at;
}

/* A lease gives what is left of it, within the bounds; a value's own TTL may be less. */
static uint32_t ttl_of(const struct etcd *s, const struct etcd_ask *ask, const struct skydns_value *v)
{
	uint32_t left = 0, own = MIN(v->ttl, ETCD_TTL_MAX);
	if (v->lease == 0)
		return own == 0 ? ETCD_TTL_DEFAULT : own;
	for (unsigned i = 0; i < ask->nleases; i++)
		if (ask->leases[i].id == v->lease)
			left = ask->leases[i].left;
	left = MIN(MAX(left, s->lease_min), s->lease_max);
	return own == 0 ? left : MIN(own, left);
}

enum etcd_state etcd_look(const struct link *l, const struct query *q, struct skydns **ret, const char **ret_why)
{
	struct etcd_live *live = l->live;
	struct etcd_ask *ask = *by_query(&live->desks[q->engine->worker], q);
	if (ask == NULL)
		return ETCD_NONE;
	*ret = &ask->found;
	*ret_why = ask->why;
	if (ask->stage != STAGE_HAS)
		return ask->stage == STAGE_FAILED ? ETCD_FAILED : ETCD_WAITS;
	for (unsigned i = 0; i < ask->found.n; i++) {
		ask->found.list[i].ttl = ttl_of(l->self, ask, &ask->found.list[i]);
		ask->found.list[i].lease = 0;
	}
	return ETCD_HAS;
}

void etcd_done(const struct link *l, const struct query *q)
{
	struct etcd_live *live = l->live;
	struct desk *d = &live->desks[q->engine->worker];
	struct etcd_ask **at = by_query(d, q), *ask = *at;
	if (ask == NULL)
		return;
	*at = ask->next;
	d->n--;
	ask_free(ask);
}

/* ---- what lives ---- */

/* Not the secret itself: a number that changes with it. */
static void put_secret(struct buf *to, const char *text)
{
	uint64_t sum = 14695981039346656037u;
	for (; *text != 0; text++)
		sum = (sum ^ (uint8_t)*text) * 1099511628211u;
	buf_printf(to, " %016llx", (unsigned long long)sum);
}

static const char *or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

void etcd_live_text(const void *self, struct buf *to)
{
	const struct etcd *s = self;
	buf_text(to, "etcd");
	for (unsigned i = 0; i < s->nendpoints; i++)
		buf_printf(to, " %s", s->endpoints[i]);
	buf_printf(to, "\n%s %s %s", or_dash(s->login.cert_file), or_dash(s->login.key_file),
	           or_dash(s->login.ca_file));
	if (s->user == NULL)
		return;
	buf_printf(to, "\n%s", s->user);
	put_secret(to, s->password);
}

static const char *text_keep(struct arena *a, const char *text)
{
	const char *kept = text == NULL ? NULL : arena_text(a, span_text(text));
	ASSERT(text == NULL || kept != NULL);   /* a line of a configuration */
	return kept;
}

void *etcd_live_make(const void *self, const struct live_env *env)
{
	const struct etcd *s = self;
	struct etcd_live *live = heap_new(sizeof(*live) + sizeof(live->desks[0]) * env->workers);
	arena_init(&live->arena, LIVE_ARENA_MAX);
	live->workers = env->workers;
	live->conf.nendpoints = s->nendpoints;
	for (unsigned i = 0; i < s->nendpoints; i++)
		live->conf.endpoints[i] = text_keep(&live->arena, s->endpoints[i]);
	live->conf.user = text_keep(&live->arena, s->user);
	live->conf.password = text_keep(&live->arena, s->password);
	live->conf.login.ca_file = text_keep(&live->arena, s->login.ca_file);
	live->conf.login.cert_file = text_keep(&live->arena, s->login.cert_file);
	live->conf.login.key_file = text_keep(&live->arena, s->login.key_file);
	return live;
}

void etcd_live_leave(void *self, struct engine *e)
{
	struct etcd_live *live = self;
	struct desk *d = &live->desks[e->worker];
	for (struct etcd_ask *ask = d->asks, *next; ask != NULL; ask = next) {
		next = ask->next;
		if (ask->fetch != 0)
			fetch_end(e, ask->fetch);
		ask_free(ask);
	}
	*d = (struct desk){ 0 };
}

void etcd_live_free(void *self)
{
	struct etcd_live *live = self;
	for (uint32_t i = 0; i < live->workers; i++)
		for (struct etcd_ask *ask = live->desks[i].asks, *next; ask != NULL; ask = next) {
			next = ask->next;
			ask_free(ask);
		}
	arena_free(&live->arena);
	heap_free(live);
}

static const struct family asked = {
	"signet_etcd_requests_total", "Requests to the etcd.", SAMPLE_COUNTER, NULL, 0
}, failures = {
	"signet_etcd_failures_total", "Questions that the etcd did not answer.", SAMPLE_COUNTER, NULL, 0
}, unreadable = {
	"signet_etcd_unreadable_total", "Values that could not be read.", SAMPLE_COUNTER, NULL, 0
};

void etcd_samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	const struct etcd_live *live = l->live;
	(void)where;
	sample_add(to, &asked, atomic_load_explicit(&live->asked, memory_order_relaxed), NULL, NULL);
	sample_add(to, &failures, atomic_load_explicit(&live->failed, memory_order_relaxed), NULL, NULL);
	sample_add(to, &unreadable, atomic_load_explicit(&live->unreadable, memory_order_relaxed), NULL, NULL);
}
