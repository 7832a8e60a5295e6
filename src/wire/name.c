#include "wire/name.h"

#include "base/assert.h"
#include "wire/words.h"

#define HOPS_MAX LABELS_MAX   /* a pointer behind each label is the most a writer has use for (attacks D8) */

static const uint8_t root_wire[1];
const struct name name_root = { root_wire, 1, 0 };

/* Bytes that stand for themselves in text; the rest is escaped, so that what is printed reads back. */
static const uint8_t plain[256] = {
	['!'] = 1, ['#'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, [','] = 1, ['-'] = 1, ['/'] = 1,
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
	[':'] = 1, ['<'] = 1, ['='] = 1, ['>'] = 1, ['?'] = 1, ['['] = 1, [']'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
	['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
	['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1,
	['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1,
	['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
	['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
	['{'] = 1, ['|'] = 1, ['}'] = 1, ['~'] = 1,
};

enum err name_parse(struct span msg, size_t *at, uint8_t store[NAME_MAX_BYTES], struct name *ret)
{
	size_t from = *at, p = from;   /* the run of labels being read began at `from` */
	size_t after = 0, kept = 0;    /* offset behind the first pointer; bytes in store */
	unsigned labels = 0, hops = 0;
	for (;;) {   /* ends: p moves on, and a pointer only goes back, HOPS_MAX times at most */
		if (UNLIKELY(p >= msg.n))
			return ERR_SHORT;
		uint8_t c = msg.p[p];
		if (c == 0)
			break;
		if (LIKELY(c <= LABEL_MAX)) {
			p += 1u + c;
			if (kept + (p - from) + 1 > NAME_MAX_BYTES)
				return ERR_NAME;
			labels++;
			continue;
		}
		if (c < 0xc0)
			return ERR_NAME;
		if (p + 1 >= msg.n)
			return ERR_SHORT;
		size_t target = get_u16(msg.p + p) & 0x3fffu;
		if (target >= from || ++hops > HOPS_MAX)
			return ERR_POINTER;
		if (p > from)
			memcpy(store + kept, msg.p + from, p - from);
		kept += p - from;
		if (after == 0)
			after = p + 2;
		from = p = target;
	}
	size_t run = p - from + 1;
	const uint8_t *wire = msg.p + from;
	if (kept > 0) {
		memcpy(store + kept, wire, run);
		wire = store;
	}
	*at = after != 0 ? after : p + 1;
	*ret = (struct name){ wire, (uint8_t)(kept + run), (uint8_t)labels };
	return OK;
}

enum err name_from_wire(struct span s, struct name *ret)
{
	size_t p = 0;
	unsigned labels = 0;
	for (;; labels++) {   /* at most LABELS_MAX: each label takes two bytes of 255 */
		if (p >= s.n)
			return ERR_SHORT;
		uint8_t c = s.p[p];
		if (c == 0)
			break;
		if (c >= 0xc0)
			return ERR_POINTER;
		p += 1u + c;
		if (c > LABEL_MAX || p + 1 > NAME_MAX_BYTES)
			return ERR_NAME;
	}
	*ret = (struct name){ s.p, (uint8_t)(p + 1), (uint8_t)labels };
	return OK;
}

/* Labels of text into store. The part ends with the root label only when *ret_rooted: the text ended with a dot. */
static enum err labels_from_text(struct span text, uint8_t store[NAME_MAX_BYTES], struct name *ret_part,
                                 bool *ret_rooted)
{
	size_t head = 0, n = 1, i = 0;   /* the label's length byte; bytes of store in use */
	unsigned labels = 0;
	while (i < text.n) {
		uint8_t c = text.p[i];
		if (c == '.') {
			if (n == head + 1 || n >= NAME_MAX_BYTES)
				return ERR_NAME;
			store[head] = (uint8_t)(n - head - 1);
			labels++;
			head = n++;
			i++;
			continue;
		}
		if (c != '\\')
			i++;
		else if (unescape(text, &i, &c) != OK)
			return ERR_NAME;
		if (n - head > LABEL_MAX || n >= NAME_MAX_BYTES)
			return ERR_NAME;
		store[n++] = c;
	}
	*ret_rooted = n == head + 1;
	store[head] = (uint8_t)(n - head - 1);
	*ret_part = (struct name){ store, (uint8_t)n, (uint8_t)(labels + !*ret_rooted) };
	return OK;
}

enum err name_from_text(struct span text, const struct name *origin, uint8_t store[NAME_MAX_BYTES],
                        struct name *ret)
{
	if (text.n == 0)
		return ERR_NAME;
	if (text.n == 1 && text.p[0] == '.') {
		*ret = name_root;
		return OK;
	}
	struct name part = { store, 0, 0 };
	bool rooted = false;
	if (origin == NULL || text.n != 1 || text.p[0] != '@')
		TRY(labels_from_text(text, store, &part, &rooted));
	if (rooted) {
		*ret = part;
		return OK;
	}
	return name_join(part, part.labels, origin != NULL ? *origin : name_root, store, ret);
}

void name_label_text(struct span label, struct buf *to)
{
	for (const uint8_t *p = label.p, *end = p + label.n; p < end; p++) {
		uint8_t *room;
		if (LIKELY(plain[*p])) {
			buf_u8(to, *p);
		} else if (*p > ' ' && *p < 0x7f) {
			buf_u8(to, '\\');
			buf_u8(to, *p);
		} else if ((room = buf_room(to, 4)) != NULL) {
			room[0] = '\\';
			room[1] = (uint8_t)('0' + *p / 100);
			room[2] = (uint8_t)('0' + *p / 10 % 10);
			room[3] = (uint8_t)('0' + *p % 10);
		}
	}
}

void name_text(struct name n, struct buf *to)
{
	if (n.labels == 0) {
		buf_u8(to, '.');
		return;
	}
	const uint8_t *p = n.wire;
	for (unsigned i = 0; i < n.labels; i++, p += 1 + *p) {
		name_label_text(span_of(p + 1, *p), to);
		buf_u8(to, '.');
	}
}

struct name name_dup(struct arena *a, struct name n)
{
	n.wire = arena_dup(a, n.wire, n.len);
	return n;
}

#define WORD sizeof(uint64_t)
#define EACH_BYTE UINT64_C(0x0101010101010101)

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

/* fold() of eight bytes at once: sums of seven bits each carry into the eighth of their own byte alone. */
static inline uint64_t fold_word(uint64_t w)
{
	uint64_t low = w & 0x7f * EACH_BYTE;
	uint64_t from_a = low + (0x80 - 'A') * EACH_BYTE, past_z = low + (0x7f - 'Z') * EACH_BYTE;
	uint64_t upper = from_a & ~past_z & ~w & 0x80 * EACH_BYTE;
	return w | upper >> 2;
}

static inline void fold_word_at(const uint8_t *from, uint8_t *to)
{
	uint64_t w = fold_word(word_at(from));
	memcpy(to, &w, sizeof(w));
}

/* Where the bytes are no whole words, the last word covers some a second time. */
struct name name_fold(struct name n, uint8_t store[NAME_MAX_BYTES])
{
	/* length bytes are below 'A' and so fold to themselves */
	if (n.len < WORD) {
		for (size_t i = 0; i < n.len; i++)
			store[i] = fold(n.wire[i]);
	} else {
		for (size_t i = 0; i + WORD < n.len; i += WORD)
			fold_word_at(n.wire + i, store + i);
		fold_word_at(n.wire + n.len - WORD, store + n.len - WORD);
	}
	n.wire = store;
	return n;
}

static inline bool word_eq(const uint8_t *a, const uint8_t *b)
{
	uint64_t x = word_at(a), y = word_at(b);
	return x == y || fold_word(x) == fold_word(y);
}

static bool fold_eq(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (n >= WORD) {
		for (size_t i = 0; i + WORD < n; i += WORD)
			if (!word_eq(a + i, b + i))
				return false;
		return word_eq(a + n - WORD, b + n - WORD);
	}
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

bool name_eq(struct name a, struct name b)
{
	/* length bytes are compared in step with the labels, so equal bytes mean equal labels */
	return a.len == b.len && fold_eq(a.wire, b.wire, a.len);
}

struct name name_up(struct name n, unsigned labels)
{
	ASSERT(labels <= n.labels);
	const uint8_t *p = n.wire;
	for (unsigned i = 0; i < labels; i++)
		p += 1u + *p;
	return (struct name){ p, (uint8_t)(n.len - (p - n.wire)), (uint8_t)(n.labels - labels) };
}

bool name_below(struct name n, struct name top)
{
	if (top.labels == 0)
		return true;
	if (n.labels < top.labels || n.len < top.len)
		return false;
	/* What most names fail first: a length where it would begin, the same bytes. And it has to begin there. */
	const uint8_t *at = n.wire + (n.len - top.len);
	return *at == *top.wire && fold_eq(at, top.wire, top.len) && name_up(n, n.labels - top.labels).wire == at;
}

unsigned name_common(struct name a, struct name b)
{
	unsigned labels = MIN(a.labels, b.labels), equal = 0;
	const uint8_t *p = name_up(a, a.labels - labels).wire, *q = name_up(b, b.labels - labels).wire;
	for (unsigned i = 0; i < labels; i++) {
		equal = *p == *q && fold_eq(p + 1, q + 1, *p) ? equal + 1 : 0;
		p += 1u + *p;
		q += 1u + *q;
	}
	return equal;
}

/* Labels as left-justified unsigned bytes, A-Z folded (RFC4034 6.1). */
static int label_cmp(const uint8_t *a, const uint8_t *b)
{
	size_t n = MIN(*a, *b);
	for (size_t i = 1; i <= n; i++) {
		int diff = (int)fold(a[i]) - (int)fold(b[i]);
		if (diff != 0)
			return diff;
	}
	return (int)*a - (int)*b;
}

int name_cmp(struct name a, struct name b)
{
	unsigned labels = MIN(a.labels, b.labels);
	const uint8_t *p = name_up(a, a.labels - labels).wire, *q = name_up(b, b.labels - labels).wire;
	int diff = (int)a.labels - (int)b.labels;
	/* the rightmost difference decides, and it is the last one met */
	for (unsigned i = 0; i < labels; i++) {
		int d = label_cmp(p, q);
		if (d != 0)
			diff = d;
		p += 1u + *p;
		q += 1u + *q;
	}
	return diff;
}

struct span name_ordered(struct name n, uint8_t store[NAME_ORDERED_MAX])
{
	uint8_t starts[LABELS_MAX];
	size_t at = 0;
	for (unsigned i = 0, from = 0; i < n.labels; i++) {
		starts[i] = (uint8_t)from;
		from += 1u + n.wire[from];
	}
	for (unsigned up = n.labels; up-- > 0;) {
		const uint8_t *label = n.wire + starts[up];
		for (unsigned i = 1; i <= label[0]; i++) {
			uint8_t byte = fold(label[i]);
			if (byte <= 1)
				store[at++] = 1;
			store[at++] = byte <= 1 ? byte + 1 : byte;
		}
		store[at++] = 0;
	}
	return span_of(store, at);
}

bool name_is_wildcard(struct name n)
{
	return n.labels > 0 && n.wire[0] == 1 && n.wire[1] == '*';
}

enum err name_join(struct name prefix, unsigned labels, struct name suffix, uint8_t store[NAME_MAX_BYTES],
                   struct name *ret)
{
	ASSERT(labels <= prefix.labels);
	size_t n = 0;
	for (unsigned i = 0; i < labels; i++)
		n += 1u + prefix.wire[n];
	if (n + suffix.len > NAME_MAX_BYTES)
		return ERR_NAME;
	/* a prefix that stands at the start of store already is not in the way of the suffix */
	memmove(store + n, suffix.wire, suffix.len);
	memmove(store, prefix.wire, n);
	*ret = (struct name){ store, (uint8_t)(n + suffix.len), (uint8_t)(labels + suffix.labels) };
	return OK;
}
