#include "core/kube_watch.h"

#include "base/assert.h"
#include "core/kube_json.h"
#include "core/kube_protobuf.h"

void kube_watch_init(struct kube_watch *w, const struct kube_want *want, struct kube_rate *rate, msec now)
{
	*w = (struct kube_watch){ .want = *want, .rate = rate, .at = now };
}

/* ---- requests ---- */

static void rate_done(struct kube_watch *w)
{
	if (w->inflight)
		kube_rate_done(w->rate);
	w->inflight = false;
}

/* The request under way, if there is one, is of no use any more. */
static void leave(struct kube_watch *w)
{
	rate_done(w);
	if (w->status == 200)
		kube_stream_fini(&w->stream);
	if (w->fetch != 0)
		w->left = w->fetch;
	w->fetch = 0;
	w->status = 0;
	w->piece.n = 0;
}

void kube_watch_fini(struct kube_watch *w)
{
	leave(w);
}

uint64_t kube_watch_left(struct kube_watch *w)
{
	uint64_t left = w->left;
	w->left = 0;
	return left;
}

/* Half of it for all, half by chance, so that not all come back at once. */
static msec rest(const struct kube_watch *w, msec least, struct rng *rng)
{
	msec all = KUBE_BACKOFF_FIRST;
	for (unsigned i = 0; i < w->fails && all < KUBE_BACKOFF_MAX; i++)
		all *= 2;
	all = MIN(all, KUBE_BACKOFF_MAX);
	return MAX(all / 2, least) + rng_below(rng, (uint32_t)all);
}

/* Something went wrong: longer each time, until something comes. */
static void back_off(struct kube_watch *w, msec now, msec least, struct rng *rng)
{
	leave(w);
	w->times.due = 0;
	w->at = now + rest(w, least, rng);
	w->step = KUBE_RESTS;
	w->fails++;
	w->counts.fails++;
}

/* Ask again at once, from where the mark stands. */
static void again(struct kube_watch *w, msec now)
{
	leave(w);
	w->step = KUBE_RESTS;
	w->at = now;
}

/* What is known of versions is of no use: a new list, of what the store behind the API has. */
static void relist(struct kube_watch *w, msec now, struct rng *rng)
{
	leave(w);
	w->mark.nversion = w->mark.nmore = 0;
	w->newest = true;
	w->step = KUBE_RESTS;
	w->at = now + (w->fails == 0 ? rng_below(rng, (uint32_t)KUBE_BACKOFF_FIRST) : rest(w, 0, rng));
	w->fails++;
}

/* A list, a page of it or a watch: what comes next. */
static enum kube_ask request_next(struct kube_watch *w, struct rng *rng, struct kube_request *r)
{
	*r = (struct kube_request){ .how = KUBE_ASK_LIST };
	r->timeout_secs = KUBE_WATCH_SECS + rng_below(rng, KUBE_WATCH_SECS);
	if (w->mark.nmore > 0) {
		r->more = span_of(w->mark.more, w->mark.nmore);
		r->limit = KUBE_PAGE;
	} else if (w->mark.nversion > 0) {
		r->how = KUBE_ASK_WATCH;
		r->version = span_of(w->mark.version, w->mark.nversion);
	} else if (!w->plain) {
		r->how = KUBE_ASK_STREAM;
	} else {
		r->limit = w->unpaged ? 0 : KUBE_PAGE;
		/* The API's own cache will do where nothing newer is known, and is cheap for it. */
		r->version = span_text(w->newest ? "" : "0");
	}
	return r->how;
}

/* Nothing has come for too long, or no end of a list. */
static void silent(struct kube_watch *w, msec now, struct rng *rng)
{
	bool watched = w->step == KUBE_WATCHES && w->status == 200;
	/* A server that begins a streaming list and never says that it was all may not know of such lists. */
	if (w->step == KUBE_STREAMS && w->status == 200)
		w->plain = true;
	if (watched)
		again(w, now);
	else
		back_off(w, now, 0, rng);
}

static msec patience(const struct kube_watch *w)
{
	msec most = w->times.heard + (w->step == KUBE_WATCHES && w->status == 200 ? KUBE_IDLE : KUBE_ANSWER);
	/* Events that go on and on do not make a list whole. */
	return w->step == KUBE_STREAMS ? MIN(most, w->times.begun + KUBE_STREAM_MAX) : most;
}

bool kube_watch_turn(struct kube_watch *w, msec now, struct rng *rng, struct buf *url, enum kube_ask *ret_how)
{
	static const enum kube_step steps[] = { KUBE_LISTS, KUBE_WATCHES, KUBE_STREAMS };
	struct kube_request r;
	if (w->fetch != 0 && now >= patience(w))
		silent(w, now, rng);
	if (w->fetch != 0 || now < w->at)
		return false;
	enum kube_ask how = request_next(w, rng, &r);
	msec when = kube_rate_take(w->rate, now, r.more.n > 0);
	w->times.due = w->times.due == 0 ? now : w->times.due;
	if (when > 0) {
		w->at = when;
		return false;
	}
	w->inflight = true;
	w->step = steps[how];
	if (kube_request_url(&w->want, &r, url) != OK) {
		back_off(w, now, 0, rng);
		return false;
	}
	(void)buf_cstr(url);
	*ret_how = how;
	return true;
}

void kube_watch_begun(struct kube_watch *w, uint64_t fetch, msec now, struct rng *rng)
{
	if (fetch == 0) {
		back_off(w, now, 0, rng);
		return;
	}
	w->fetch = fetch;
	w->times.due = 0;
	w->times.begun = w->times.heard = now;
	w->no.n = w->no.retry_secs = 0;
	w->spoke = false;
	w->coming = (struct kube_mark){ 0 };
	if (w->step == KUBE_WATCHES)
		w->counts.watches++;
	else if (w->mark.nmore == 0)
		w->counts.lists++;
}

msec kube_watch_deadline(const struct kube_watch *w)
{
	return w->left != 0 ? 0 : w->fetch != 0 ? patience(w) : w->at;
}

/* ---- what the API says no with ---- */

/* To the log, unless the same stands there already. */
static void say(struct kube_watch *w, unsigned no, const char *what, struct span why)
{
	struct buf b = buf_on(w->told.say, sizeof(w->told.say));
	if (w->told.no == no)
		return;
	w->told.no = no;
	w->told.text = true;
	buf_printf(&b, "plugin/kubernetes: %s: %s", kube_resource(w->want.kind), what);
	if (why.n > 0)
		buf_printf(&b, ": %.*s", (int)MIN(why.n, KUBE_TEXT_MAX / 2), (const char *)why.p);
	/* It is the API's text, and one line. */
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] < ' ' || b.p[i] == 0x7f)
			b.p[i] = ' ';
	(void)buf_cstr(&b);
}

static const char *meaning(unsigned status, char *to, size_t size, const struct kube_watch *w)
{
	const char *verb = w->step == KUBE_LISTS ? "list" : "watch";
	struct buf b = buf_on(to, size);
	if (status == 401)
		buf_printf(&b, "the API does not know us (401); the token or certificate is not good, "
		           "it is tried again");
	else if (status == 403)
		buf_printf(&b, "the API forbids verb %s of resource %s (403); the role needs verbs list and watch",
		           verb, kube_resource(w->want.kind));
	else if (status == 404)
		buf_printf(&b, "the API has no such resource (404)");
	else
		buf_printf(&b, "the API says %u", status);
	return buf_cstr(&b);
}

/* A version that the server no longer has. */
static void gone(struct kube_watch *w, msec now, struct rng *rng)
{
	if (w->mark.nmore > 0 || w->step == KUBE_LISTS)
		w->unpaged = true;   /* a list that lasts longer than its first page's version is kept */
	relist(w, now, rng);
}

/* The request was answered with something other than 200, and that has come as far as it will. */
static void refused(struct kube_watch *w, const struct kube_status *s, msec now, struct rng *rng)
{
	char text[KUBE_TEXT_MAX / 2];
	unsigned code = s->code != 0 ? s->code : w->status;
	if (code == 410) {
		gone(w, now, rng);
		return;
	}
	/* A server without streaming lists finds what asks for one invalid. */
	if (w->step == KUBE_STREAMS && (code == 400 || code == 422)) {
		w->plain = true;
		again(w, now);
		return;
	}
	say(w, code, meaning(code, text, sizeof(text), w), s->message);
	back_off(w, now, (msec)MAX(s->retry_secs, w->no.retry_secs) * SECOND, rng);
}

/* The same with the status as it came. */
static void refused_with(struct kube_watch *w, enum kube_form form, struct span bytes, msec now, struct rng *rng)
{
	struct arena a;
	struct kube_status s = { 0 }, none = { 0 };
	arena_init(&a, KUBE_ARENA_MAX);
	if ((form == KUBE_PROTOBUF ? kube_protobuf_status(bytes, &s) : kube_json_status(bytes, &a, &s)) != OK)
		s = none;
	if (s.code == 0)
		s.code = w->status == 200 ? 500 : w->status;
	refused(w, &s, now, rng);
	arena_free(&a);   /* the message stood there */
}

/* ---- what comes ---- */

static bool holds(struct span s, const char *text)
{
	return s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

static void head(struct kube_watch *w, const struct fetched *f, msec now, struct rng *rng)
{
	bool json = holds(f->bytes, "json");
	rate_done(w);
	if (w->status != 0)
		return;
	if (f->status == 200 && !json && !holds(f->bytes, "protobuf")) {
		say(w, 2, "what answers is not the API: a content type it does not have", f->bytes);
		back_off(w, now, 0, rng);
		return;
	}
	w->status = MAX(f->status, 1);
	w->no.retry_secs = MIN(f->retry_secs, KUBE_RETRY_SECS_MAX);
	if (f->status != 200)
		return;
	kube_stream_init(&w->stream, json ? KUBE_JSON : KUBE_PROTOBUF, w->step != KUBE_LISTS);
	w->told.list = w->step == KUBE_STREAMS || (w->step == KUBE_LISTS && w->mark.nmore == 0);
}

static void piece(struct kube_watch *w, struct span bytes)
{
	w->counts.bytes += bytes.n;
	if (w->status == 200) {
		w->piece = bytes;
		return;
	}
	size_t n = MIN(bytes.n, sizeof(w->no.bytes) - w->no.n);
	if (n > 0)
		memcpy(w->no.bytes + w->no.n, bytes.p, n);
	w->no.n += n;
}

/* A list, or a page of it, has come. */
static void listed(struct kube_watch *w, msec now)
{
	w->mark = w->coming;
	if (w->mark.nmore == 0) {
		w->told.whole = true;
		w->newest = w->unpaged = false;
	}
	again(w, now);
}

static void ended(struct kube_watch *w, const char *text, msec now, struct rng *rng)
{
	struct span no = span_of(w->no.bytes, w->no.n);
	w->fetch = 0;
	if (w->status > 1 && w->status != 200) {
		enum kube_form form = no.n > 0 && no.p[0] == '{' ? KUBE_JSON : KUBE_PROTOBUF;
		refused_with(w, form, no, now, rng);
	} else if (text != NULL || w->status != 200) {
		say(w, 1, "the API cannot be reached, or breaks off", span_text(text == NULL ? "" : text));
		back_off(w, now, 0, rng);
	} else if (w->step == KUBE_WATCHES && (w->spoke || now - w->times.begun >= KUBE_SHORT)) {
		w->fails = 0;
		again(w, now);   /* its time is up */
	} else if (w->step == KUBE_LISTS && w->coming.nversion > 0 && kube_stream_end(&w->stream) == OK) {
		listed(w, now);
	} else if (w->step == KUBE_STREAMS) {
		w->plain = true;   /* its time is up, and it was never whole: it may not know of such lists */
		again(w, now);
	} else {
		back_off(w, now, 0, rng);
	}
}

bool kube_watch_fetched(struct kube_watch *w, const struct fetched *f, msec now, struct rng *rng)
{
	if (w->fetch == 0 || f->fetch != w->fetch)
		return false;
	w->times.heard = now;
	if (f->kind == FETCHED_HEAD)
		head(w, f, now, rng);
	else if (f->kind == FETCHED_PIECE)
		piece(w, f->bytes);
	else
		ended(w, f->text, now, rng);
	return true;
}

/* ---- news ---- */

static bool keep(uint8_t *to, size_t *n, size_t max, struct span s)
{
	if (s.n > max)
		return false;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	*n = s.n;
	return true;
}

static void keep_version(struct kube_mark *m, struct span version)
{
	if (version.n > 0)
		(void)keep(m->version, &m->nversion, sizeof(m->version), version);
}

/* The API is of one mind with us. */
static void well(struct kube_watch *w, msec now)
{
	w->spoke = true;
	if (w->step == KUBE_WATCHES)
		w->fails = 0;
	w->told.no = 0;
	w->news = MAX(now, 1);
}

static void list_meta(struct kube_watch *w, struct span bytes, struct arena *a)
{
	struct kube_meta m;
	enum err e = w->stream.form == KUBE_JSON ? kube_json_list_meta(bytes, a, &m) :
	                                           kube_protobuf_list_meta(bytes, &m);
	if (e != OK || m.version.n == 0)
		return;
	keep_version(&w->coming, m.version);
	if (!keep(w->coming.more, &w->coming.nmore, sizeof(w->coming.more), m.more)) {
		/* A token too long to be given back: all at once, then, from the beginning. This list is not whole. */
		w->coming.nversion = 0;
		w->mark.nmore = 0;
		w->unpaged = true;
	}
}

static void bookmark(struct kube_watch *w, struct span bytes, struct arena *a, msec now)
{
	struct kube_meta m;
	enum err e = w->stream.form == KUBE_JSON ? kube_json_bookmark(bytes, a, &m) :
	                                           kube_protobuf_bookmark(bytes, &m);
	if (e != OK) {
		w->counts.bad++;
		return;
	}
	if (w->step == KUBE_STREAMS && !m.initial_end) {
		w->plain = true;   /* this server takes it for a watch like any other */
		again(w, now);
	} else if (w->step == KUBE_STREAMS && m.version.n > 0) {
		w->step = KUBE_WATCHES;
		w->newest = false;
		w->told.whole = true;
	}
	if (w->step == KUBE_WATCHES) {
		keep_version(&w->mark, m.version);
		well(w, now);
	}
}

/* returns false: it is no news */
static bool object(struct kube_watch *w, const struct kube_item *item, struct arena *a, msec now,
                   struct kube_news *ret)
{
	unsigned over = 0;
	enum err e = w->stream.form == KUBE_JSON ?
	             kube_json_read(w->want.kind, item->bytes, a, &over, &ret->object) :
	             kube_protobuf_read(w->want.kind, item->bytes, a, &over, &ret->object);
	w->counts.events++;
	w->counts.over += over;
	if (e != OK) {
		w->counts.bad++;
		say(w, 4, e == ERR_LIMIT ? "an object is too large to be read, and left out" :
		                           "an object cannot be read, and is left out", (struct span){ 0 });
		return false;
	}
	ret->kind = item->kind == KUBE_ITEM_PUT ? KUBE_NEWS_PUT : KUBE_NEWS_REMOVE;
	if (w->step == KUBE_WATCHES) {
		keep_version(&w->mark, ret->object.version);
		well(w, now);
	}
	return true;
}

/* The watch says that it cannot go on. */
static void broken(struct kube_watch *w, struct span bytes, msec now, struct rng *rng)
{
	refused_with(w, w->stream.form, bytes, now, rng);
}

/* What is not read from the piece. */
static bool tell(struct kube_watch *w, msec now, struct kube_news *ret)
{
	if (w->told.text) {
		w->told.text = false;
		*ret = (struct kube_news){ .kind = KUBE_NEWS_SAID, .text = w->told.say };
		return true;
	}
	if (w->told.list) {
		w->told.list = false;
		*ret = (struct kube_news){ .kind = KUBE_NEWS_LIST };
		return true;
	}
	if (w->told.whole) {
		w->told.whole = false;
		w->synced = true;
		well(w, now);
		*ret = (struct kube_news){ .kind = KUBE_NEWS_WHOLE };
		return true;
	}
	return false;
}

bool kube_watch_next(struct kube_watch *w, msec now, struct rng *rng, struct arena *a, struct kube_news *ret)
{
	*ret = (struct kube_news){ .kind = KUBE_NEWS_NONE };
	while (!tell(w, now, ret)) {
		struct kube_item item;
		if (w->status != 200)
			return false;
		if (kube_stream_next(&w->stream, &w->piece, &item) != OK) {
			say(w, 3, "what the API sends cannot be read", (struct span){ 0 });
			back_off(w, now, 0, rng);
			continue;
		}
		if (item.kind == KUBE_ITEM_NONE) {
			w->counts.over += w->stream.over;
			w->stream.over = 0;
			return false;
		}
		if (item.kind == KUBE_ITEM_META)
			list_meta(w, item.bytes, a);
		else if (item.kind == KUBE_ITEM_BOOKMARK)
			bookmark(w, item.bytes, a, now);
		else if (item.kind == KUBE_ITEM_ERROR)
			broken(w, item.bytes, now, rng);
		else if (object(w, &item, a, now, ret))
			return true;
	}
	return true;
}
