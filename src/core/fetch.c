#include "core/fetch.h"

#include "base/heap.h"
#include "core/engine.h"
#include "core/lookup.h"

#define EFFECTS_RESERVE 16u   /* one that fails is told to who began it, and may be worth a line */

enum fetch_state { FETCH_LOOKING, FETCH_FAILED, FETCH_FRESH, FETCH_ASKED, FETCH_ENDED };

/* What is asked, until the world was told. */
struct fetch_request {
	struct fetch_request *next;
	struct arena arena;                /* it stands in this itself */
	struct fetch what;
};

struct fetch_row {
	uint64_t id;
	enum fetch_state state;
	const struct steps *steps;
	void *live;
	struct fetch_request *request;     /* until the world is told */
	struct lookup *lookup;             /* of the host's addresses; NULL: none was needed */
	struct fetch_row *next;            /* to do */
};

void fetches_init(struct fetches *f)
{
	*f = (struct fetches){ .todo_last = &f->todo };
	slots_init(&f->rows, FETCHES_MAX);
}

/* ---- what is asked, copied ---- */

static enum err copy_text(struct arena *a, const char **text, size_t max)
{
	if (*text == NULL)
		return OK;
	size_t n = strnlen(*text, max + 1);
	if (n > max)
		return ERR_LIMIT;
	*text = arena_text(a, span_of(*text, n));
	return *text == NULL ? ERR_LIMIT : OK;
}

static enum err copy_span(struct arena *a, struct span *s, size_t max)
{
	if (s->n > max)
		return ERR_LIMIT;
	if (s->n > 0)
		*s = arena_span(a, *s);
	return s->n > 0 && s->p == NULL ? ERR_LIMIT : OK;
}

static enum err copy_login(struct arena *a, const struct fetch_login **login)
{
	if (*login == NULL)
		return OK;
	struct fetch_login *l = arena_dup(a, *login, sizeof(*l));
	if (l == NULL)
		return ERR_LIMIT;
	TRY(copy_text(a, &l->ca_file, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->cert_file, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->key_file, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->token_file, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->user, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->password, FETCH_TEXT_MAX));
	TRY(copy_text(a, &l->server_name, FETCH_TEXT_MAX));
	TRY(copy_span(a, &l->ca, FETCH_PEM_MAX));
	TRY(copy_span(a, &l->cert, FETCH_PEM_MAX));
	TRY(copy_span(a, &l->key, FETCH_PEM_MAX));
	TRY(copy_span(a, &l->token, FETCH_PEM_MAX));
	*login = l;
	return OK;
}

static enum err copy_request(struct arena *a, struct fetch *what)
{
	TRY(copy_text(a, &what->method, FETCH_TEXT_MAX));
	TRY(copy_text(a, &what->url, FETCH_URL_MAX));
	TRY(copy_text(a, &what->accept, FETCH_TEXT_MAX));
	TRY(copy_text(a, &what->content_type, FETCH_TEXT_MAX));
	TRY(copy_span(a, &what->body, FETCH_BODY_MAX));
	if (what->naddrs > FETCH_ADDRS_MAX)
		return ERR_LIMIT;
	if (what->naddrs > 0)
		what->addrs = arena_dup(a, what->addrs, sizeof(*what->addrs) * what->naddrs);
	if (what->naddrs > 0 && what->addrs == NULL)
		return ERR_LIMIT;
	return copy_login(a, &what->login);
}

static struct fetch_request *request_new(const struct fetch *what)
{
	struct arena a;
	arena_init(&a, FETCH_BODY_MAX + 4 * FETCH_PEM_MAX + 32 * FETCH_TEXT_MAX);
	struct fetch_request *r = ARENA_NEW(&a, struct fetch_request);
	ASSERT(r != NULL);
	r->what = *what;
	enum err err = copy_request(&a, &r->what);
	r->arena = a;
	if (err == OK)
		return r;
	arena_free(&a);
	return NULL;
}

static void request_free(struct fetch_request *r)
{
	struct arena a = r->arena;
	arena_free(&a);
}

static void forget_said(struct fetches *f)
{
	for (struct fetch_request *r = f->said, *next; r != NULL; r = next) {
		next = r->next;
		request_free(r);
	}
	f->said = NULL;
}

/* ---- a fetch's life ---- */

static void put_todo(struct fetches *f, struct fetch_row *row)
{
	row->next = NULL;
	*f->todo_last = row;
	f->todo_last = &row->next;
}

/* All answers are there. */
static void found(struct engine *e, struct fetch_row *row)
{
	struct fetch_request *r = row->request;
	size_t n = row->lookup->naddrs;
	r->what.addrs = arena_dup(&r->arena, row->lookup->addrs, sizeof(*r->what.addrs) * n);
	r->what.naddrs = (unsigned)n;
	row->state = n > 0 && r->what.addrs != NULL ? FETCH_FRESH : FETCH_FAILED;
	put_todo(&e->fetches, row);
}

/* The host's addresses are asked for first. */
static void look_up(struct engine *e, struct fetch_row *row, const struct chain *chain, struct span host)
{
	row->lookup = heap_new(sizeof(*row->lookup));
	row->state = FETCH_LOOKING;
	if (lookup_begin(row->lookup, e, chain, host, row->id) == OK) {
		if (row->lookup->waiting == 0)
			found(e, row);
		return;
	}
	struct buf b = buf_on(row->lookup->why, sizeof(row->lookup->why));
	buf_printf(&b, "%.*s: it cannot be looked up", (int)MIN(host.n, 255), (const char *)host.p);
	buf_cstr(&b);
	row->state = FETCH_FAILED;
	put_todo(&e->fetches, row);
}

void fetches_looked(struct engine *e, const struct query *q)
{
	struct fetches *f = &e->fetches;
	struct fetch_row *row = slots_get(&f->rows, q->ask.fetch);
	if (row == NULL || row->state != FETCH_LOOKING)
		return;
	lookup_take(row->lookup, q);
	if (row->lookup->waiting == 0)
		found(e, row);
}

enum err fetch_begin(struct engine *e, const struct steps *steps, void *live, const struct fetch *what, uint64_t *ret)
{
	struct fetches *f = &e->fetches;
	ASSERT(steps->fetched != NULL && what->url != NULL);
	if (f->rows.used == FETCHES_MAX)
		return ERR_LIMIT;
	struct fetch_request *request = request_new(what);
	if (request == NULL)
		return ERR_LIMIT;
	struct fetch_row *row = heap_new(sizeof(*row));
	*row = (struct fetch_row){ .steps = steps, .live = live, .request = request };
	row->id = slots_add(&f->rows, row);
	ASSERT(row->id != 0);
	row->state = FETCH_FRESH;
	struct span host;
	if (what->naddrs == 0 && what->chain != NULL && lookup_needed(what->url, &host))
		look_up(e, row, what->chain, host);
	else
		put_todo(f, row);
	*ret = row->id;
	return OK;
}

static void row_free(struct fetch_row *row)
{
	if (row->request != NULL)
		request_free(row->request);
	heap_free(row->lookup);
	heap_free(row);
}

void fetch_end(struct engine *e, uint64_t fetch)
{
	struct fetches *f = &e->fetches;
	struct fetch_row *row = slots_get(&f->rows, fetch);
	if (row == NULL)
		return;
	slots_drop(&f->rows, fetch);
	if (row->state == FETCH_LOOKING) {
		row_free(row);   /* what its questions bring names an id that is not found */
		return;
	}
	if (row->state == FETCH_ASKED)
		put_todo(f, row);
	row->state = FETCH_ENDED;
}

/* To who began it. */
static void tell(struct engine *e, struct fetch_row *row, const struct fetched *what)
{
	const struct steps *steps = row->steps;
	void *live = row->live;
	if (what->kind == FETCHED_END)
		slots_drop(&e->fetches.rows, row->id);
	steps->fetched(live, e, what);
}

static void fail(struct engine *e, struct fetch_row *row)
{
	tell(e, row, &(struct fetched){ .kind = FETCHED_END, .fetch = row->id, .text = row->lookup->why });
	row_free(row);
}

/* A fresh one that ended before the world heard of it still has its request, and nothing is said. */
static void say(struct engine *e, struct fetch_row *row)
{
	struct fetches *f = &e->fetches;
	if (row->state == FETCH_ENDED && row->request != NULL) {
		row_free(row);
		return;
	}
	if (row->state == FETCH_FAILED) {
		fail(e, row);
		return;
	}
	struct effect *fx = effects_add(e->fx, row->state == FETCH_ENDED ? FX_FETCH_END : FX_FETCH);
	fx->fetch = row->id;
	if (row->state == FETCH_ENDED) {
		row_free(row);
		return;
	}
	fx->request = &row->request->what;
	row->request->next = f->said;
	f->said = row->request;
	row->request = NULL;
	row->state = FETCH_ASKED;
}

void fetches_turn(struct engine *e)
{
	struct fetches *f = &e->fetches;
	forget_said(f);
	while (f->todo != NULL && effects_room(e->fx) >= EFFECTS_RESERVE) {
		struct fetch_row *row = f->todo;
		f->todo = row->next;
		if (f->todo == NULL)
			f->todo_last = &f->todo;
		say(e, row);
	}
}

void fetches_event(struct engine *e, const struct fetched *what)
{
	struct fetches *f = &e->fetches;
	struct fetch_row *row = slots_get(&f->rows, what->fetch);
	if (row == NULL || row->state != FETCH_ASKED)
		return;
	tell(e, row, what);
	if (what->kind == FETCHED_END)
		row_free(row);
}

bool fetches_busy(const struct fetches *f)
{
	return f->todo != NULL;
}

void fetches_fini(struct fetches *f)
{
	forget_said(f);
	for (struct fetch_row *row = f->todo, *next; row != NULL; row = next) {
		next = row->next;
		if (row->state == FETCH_ENDED)
			row_free(row);
	}
	for (uint32_t i = 0; i < f->rows.cap; i++) {
		if (f->rows.rows[i].what != NULL)
			row_free(f->rows.rows[i].what);
	}
	slots_fini(&f->rows);
}
