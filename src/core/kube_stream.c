#include "core/kube_stream.h"

#include "base/heap.h"
#include "core/kube_protobuf.h"
#include "core/protobuf.h"

#define META_MAX (64u << 10)         /* metadata of a list: a version and a token to continue */
#define FRAME_MAX (KUBE_OBJECT_MAX + 4096u)   /* an object and what is around it in a watch */
#define FRAME_SKIP_MAX (64u << 20)   /* more than any server has: it is no length at all */
#define HOLD_KEPT (64u << 10)        /* a larger buffer is given back when its object is done */
#define DEPTH_MAX 256u               /* of JSON */

enum step { MAGIC, KEY, NUMBER, LENGTH, FRAME, TAKE, SKIP };

void kube_stream_init(struct kube_stream *s, enum kube_form form, bool watch)
{
	*s = (struct kube_stream){ .form = form, .watch = watch, .step = watch ? FRAME : MAGIC };
}

void kube_stream_fini(struct kube_stream *s)
{
	heap_free(s->hold);
	s->hold = NULL;
	s->cap = s->held = 0;
}

/* ---- what was cut ---- */

static void hold(struct kube_stream *s, struct span bytes, size_t expected)
{
	if (s->held + bytes.n > s->cap) {
		size_t cap = MAX(MAX(s->held + bytes.n, expected), 2 * s->cap);
		uint8_t *bigger = heap_new(cap);
		if (s->held > 0)
			memcpy(bigger, s->hold, s->held);
		heap_free(s->hold);
		s->hold = bigger;
		s->cap = cap;
	}
	if (bytes.n > 0)
		memcpy(s->hold + s->held, bytes.p, bytes.n);
	s->held += bytes.n;
}

/* The last item is done with. */
static void let_go(struct kube_stream *s)
{
	s->held = 0;
	if (s->cap > HOLD_KEPT)
		kube_stream_fini(s);
}

/* n bytes from the front. */
static struct span cut(struct kube_stream *s, struct span *piece, size_t n)
{
	struct span taken = span_of(piece->p, n);
	*piece = span_from(*piece, n);
	if (s->inner)
		s->left -= n;
	return taken;
}

/* ---- protobuf ---- */

/* A varint that may be cut. returns OK with *ret_done; ERR_FORMAT */
static enum err take_varint(struct kube_stream *s, struct span *piece, uint64_t *ret, bool *ret_done)
{
	*ret_done = false;
	while (piece->n > 0) {
		if (s->inner && s->left == 0)
			return ERR_FORMAT;
		s->head[s->nhead++] = cut(s, piece, 1).p[0];
		if (s->head[s->nhead - 1] < 0x80) {
			struct span head = span_of(s->head, s->nhead);
			s->nhead = 0;
			*ret_done = true;
			return protobuf_varint(&head, ret);
		}
		if (s->nhead == sizeof(s->head))
			return ERR_FORMAT;
	}
	return OK;
}

/* How long what follows is has been read: it is to be taken, stepped over, or gone into. */
static enum err begin(struct kube_stream *s, uint64_t n)
{
	if (s->inner && n > s->left)
		return ERR_FORMAT;
	if (!s->inner && s->kind == KUBE_ITEM_PUT) {
		s->inner = true;
		s->left = n;
		s->step = KEY;
		return OK;
	}
	uint64_t most = s->kind == KUBE_ITEM_META ? META_MAX : KUBE_OBJECT_MAX;
	s->want = n;
	s->held = 0;
	s->step = SKIP;
	if (s->inner && s->kind != KUBE_ITEM_NONE) {
		if (n <= most)
			s->step = TAKE;
		else if (s->kind == KUBE_ITEM_META)
			return ERR_FORMAT;
		else
			s->over++;
	}
	return OK;
}

/* A field of runtime.Unknown (raw = 2), or of the list in it: metadata = 1, items = 2. */
static enum err field(struct kube_stream *s, uint64_t key)
{
	uint32_t number;
	uint8_t wire;
	TRY(protobuf_key(key, &number, &wire));
	bool bytes = wire == PROTOBUF_BYTES;
	s->kind = bytes && number == 2 ? KUBE_ITEM_PUT : bytes && number == 1 && s->inner ? KUBE_ITEM_META :
	          KUBE_ITEM_NONE;
	s->step = bytes ? LENGTH : NUMBER;
	if (!bytes && wire != PROTOBUF_VARINT)
		return begin(s, wire == PROTOBUF_FIXED64 ? 8 : 4);
	return OK;
}

/* The magic of a list, or the length of a frame. */
static enum err four_bytes(struct kube_stream *s, struct span *piece)
{
	while (piece->n > 0 && s->nhead < 4)
		s->head[s->nhead++] = cut(s, piece, 1).p[0];
	if (s->nhead < 4)
		return OK;
	s->nhead = 0;
	if (s->step == MAGIC) {
		s->step = KEY;
		return memcmp(s->head, "k8s", 4) == 0 ? OK : ERR_FORMAT;
	}
	s->want = get_u32(s->head);
	s->held = 0;
	if (s->want > FRAME_SKIP_MAX)
		return ERR_FORMAT;
	s->step = s->want <= FRAME_MAX ? TAKE : SKIP;
	s->over += s->step == SKIP;
	return OK;
}

static enum kube_item_kind kind_of(struct span type)
{
	return span_is(type, "ADDED") || span_is(type, "MODIFIED") ? KUBE_ITEM_PUT :
	       span_is(type, "DELETED")  ? KUBE_ITEM_REMOVE :
	       span_is(type, "BOOKMARK") ? KUBE_ITEM_BOOKMARK :
	       span_is(type, "ERROR")    ? KUBE_ITEM_ERROR : KUBE_ITEM_NONE;
}

/* All of what is wanted is there. */
static enum err taken(struct kube_stream *s, struct span bytes, struct kube_item *ret)
{
	struct span type;
	s->step = s->watch ? FRAME : KEY;
	*ret = (struct kube_item){ (enum kube_item_kind)s->kind, bytes };
	if (!s->watch)
		return OK;
	TRY(kube_protobuf_event(bytes, &type, &ret->bytes));
	ret->kind = kind_of(type);
	return OK;
}

static enum err take(struct kube_stream *s, struct span *piece, struct kube_item *ret)
{
	size_t n = (size_t)MIN(s->want - s->held, piece->n);
	struct span bytes = cut(s, piece, n);
	if (s->held == 0 && n == s->want)
		return taken(s, bytes, ret);
	hold(s, bytes, (size_t)s->want);
	return s->held == s->want ? taken(s, span_of(s->hold, s->held), ret) : OK;
}

static enum err skip(struct kube_stream *s, struct span *piece)
{
	s->want -= cut(s, piece, (size_t)MIN(s->want, piece->n)).n;
	if (s->want == 0)
		s->step = s->watch ? FRAME : KEY;
	return OK;
}

static enum err protobuf_step(struct kube_stream *s, struct span *piece, struct kube_item *ret)
{
	uint64_t value = 0;
	bool done;
	switch ((enum step)s->step) {
	case MAGIC:
	case FRAME:
		return four_bytes(s, piece);
	case KEY:
	case NUMBER:
	case LENGTH:
		TRY(take_varint(s, piece, &value, &done));
		if (!done)
			return OK;
		if (s->step == KEY)
			return field(s, value);
		if (s->step == LENGTH)
			return begin(s, value);
		s->step = KEY;
		return OK;
	case TAKE:
		return take(s, piece, ret);
	case SKIP:
		return skip(s, piece);
	}
	return ERR_FORMAT;
}

/* Is there a thing to be done that needs no byte: the end of the raw bytes, an object of none? */
static bool is_at_turn(struct kube_stream *s)
{
	if (s->inner && s->left == 0 && s->step == KEY && s->nhead == 0) {
		s->inner = false;
		s->whole = true;
	}
	return (s->step == TAKE && s->want == s->held) || (s->step == SKIP && s->want == 0);
}

static enum err protobuf_item(struct kube_stream *s, struct span *piece, struct kube_item *ret)
{
	while (ret->kind == KUBE_ITEM_NONE && (is_at_turn(s) || piece->n > 0))
		TRY(protobuf_step(s, piece, ret));
	(void)is_at_turn(s);
	return OK;
}

/* ---- JSON ---- */

static bool is_key(const struct kube_json_scan *j, const char *text)
{
	return span_eq(span_of(j->key, j->nkey), span_text(text));
}

/* A byte inside of a string. */
static void quoted(struct kube_json_scan *j, uint8_t c)
{
	if (!j->escaped && c == '"') {
		j->quoted = false;
		return;
	}
	j->escaped = !j->escaped && c == '\\';
	if (j->depth == 1 && !j->value && j->nkey < KUBE_KEY_MAX)
		j->key[j->nkey++] = c;
}

/* One byte more of JSON text. returns ERR_FORMAT: its brackets do not fit */
static enum err scan(struct kube_json_scan *j, uint8_t c)
{
	if (j->quoted) {
		quoted(j, c);
	} else if (c == '"') {
		j->quoted = true;
		if (j->depth == 1 && !j->value)
			j->nkey = 0;
	} else if (c == '{' || c == '[') {
		if (++j->depth > DEPTH_MAX)
			return ERR_FORMAT;
	} else if (c == '}' || c == ']') {
		if (j->depth-- == 0)
			return ERR_FORMAT;
	} else if (j->depth == 1 && (c == ':' || c == ',')) {
		j->value = c == ':';
	}
	if (j->depth == 0)
		j->value = false;
	return OK;
}

/* Does the bracket that has just been opened begin something to be taken? */
static enum kube_item_kind begins(struct kube_stream *s, uint8_t c)
{
	struct kube_json_scan *j = &s->json;
	if (s->watch)
		return j->depth == 1 && c == '{' ? KUBE_ITEM_PUT : KUBE_ITEM_NONE;
	if (j->depth == 2 && c == '[')
		j->items = is_key(j, "items");
	if (j->depth == 2 && c == '{')
		return is_key(j, "metadata") ? KUBE_ITEM_META : KUBE_ITEM_NONE;
	return j->depth == 3 && c == '{' && j->items ? KUBE_ITEM_PUT : KUBE_ITEM_NONE;
}

/* The value of a member of the object that the text is: with its quotes if it is a string. */
static struct span member(struct span text, const char *name)
{
	struct kube_json_scan j = { 0 };
	size_t from = 0;
	for (size_t i = 0; i < text.n; i++) {
		bool value = j.value;
		if (scan(&j, text.p[i]) != OK)
			break;
		if (!value && j.value)
			from = i + 1;
		if (value && is_key(&j, name) && !j.value)
			return span_of(text.p + from, i - from);
	}
	return (struct span){ text.p, 0 };
}

static bool is_around(uint8_t c)
{
	return c == '"' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct span unquote(struct span s)
{
	while (s.n > 0 && is_around(s.p[0]))
		s = span_from(s, 1);
	while (s.n > 0 && is_around(s.p[s.n - 1]))
		s.n--;
	return s;
}

static void json_taken(struct kube_stream *s, struct span bytes, struct kube_item *ret)
{
	s->taking = 0;
	*ret = (struct kube_item){ (enum kube_item_kind)s->kind, bytes };
	if (!s->watch)
		return;
	ret->kind = kind_of(unquote(member(bytes, "type")));
	ret->bytes = member(bytes, "object");
}

/* Is there still room for n bytes more of what is taken? What is too long is stepped over. */
static bool json_fits(struct kube_stream *s, size_t n)
{
	if (!s->stepping && s->held + n > (s->kind == KUBE_ITEM_META ? META_MAX : FRAME_MAX)) {
		s->over++;
		s->stepping = true;
		s->held = 0;
	}
	return !s->stepping;
}

/* What is taken ends with these bytes. */
static void json_close(struct kube_stream *s, struct span bytes, struct kube_item *ret)
{
	if (!json_fits(s, bytes.n)) {
		s->taking = 0;
	} else if (s->held == 0) {
		json_taken(s, bytes, ret);
	} else {
		hold(s, bytes, 0);
		json_taken(s, span_of(s->hold, s->held), ret);
	}
}

static enum err json_item(struct kube_stream *s, struct span *piece, struct kube_item *ret)
{
	size_t from = 0, i = 0;
	for (; i < piece->n && ret->kind == KUBE_ITEM_NONE; i++) {
		uint8_t c = piece->p[i];
		unsigned before = s->json.depth;
		TRY(scan(&s->json, c));
		if (s->json.depth > before && s->taking == 0) {
			s->kind = (uint8_t)begins(s, c);
			s->taking = s->kind == KUBE_ITEM_NONE ? 0 : s->json.depth;
			s->stepping = false;
			s->held = 0;
			from = i;
		} else if (s->json.depth < before && s->taking == before) {
			json_close(s, span_of(piece->p + from, i + 1 - from), ret);
		}
		if (before == 2 && s->json.depth == 1)
			s->json.items = false;
		s->whole |= before == 1 && s->json.depth == 0;
	}
	if (s->taking > 0 && json_fits(s, i - from))
		hold(s, span_of(piece->p + from, i - from), 0);
	*piece = span_from(*piece, i);
	return OK;
}

/* ---- both ---- */

enum err kube_stream_next(struct kube_stream *s, struct span *piece, struct kube_item *ret)
{
	*ret = (struct kube_item){ KUBE_ITEM_NONE, { piece->p, 0 } };
	if (s->taking == 0 && !(s->form == KUBE_PROTOBUF && s->step == TAKE && s->held < s->want))
		let_go(s);
	return s->form == KUBE_PROTOBUF ? protobuf_item(s, piece, ret) : json_item(s, piece, ret);
}

enum err kube_stream_end(const struct kube_stream *s)
{
	if (!s->watch)
		return s->whole ? OK : ERR_SHORT;
	if (s->form == KUBE_JSON)
		return s->taking == 0 ? OK : ERR_SHORT;
	return s->step == FRAME && s->nhead == 0 ? OK : ERR_SHORT;
}
