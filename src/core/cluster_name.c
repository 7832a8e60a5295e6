#include "core/cluster_name.h"

static const uint8_t four_wire[] = "\7in-addr\4arpa", six_wire[] = "\3ip6\4arpa";
static const struct name four = { four_wire, sizeof(four_wire), 2 }, six = { six_wire, sizeof(six_wire), 2 };

bool cluster_name_labels(struct name folded, unsigned zone_labels, struct cluster_labels *ret)
{
	const uint8_t *at = folded.wire;
	ret->n = folded.labels - zone_labels;
	if (ret->n > CLUSTER_LABELS_MAX)
		return false;
	for (unsigned i = 0; i < ret->n; i++) {
		ret->at[i] = span_of(at + 1, *at);
		at += 1u + *at;
	}
	return true;
}

bool cluster_name_addr(struct span label, struct addr *ret)
{
	uint8_t text[LABEL_MAX];
	unsigned dashes = 0, doubled = 0;
	if (label.n > sizeof(text))
		return false;
	for (size_t i = 0; i < label.n; i++) {
		bool dash = label.p[i] == '-';
		if (!dash && !((label.p[i] >= '0' && label.p[i] <= '9') || (label.p[i] >= 'a' && label.p[i] <= 'f')))
			return false;
		dashes += dash;
		doubled += dash && i > 0 && label.p[i - 1] == '-';
		text[i] = label.p[i];
	}
	bool is_four = dashes == 3 && doubled == 0;
	for (size_t i = 0; i < label.n; i++)
		if (text[i] == '-')
			text[i] = is_four ? '.' : ':';
	struct addr a;
	if (addr_parse(span_of(text, label.n), 0, &a) != OK || (a.family == ADDR_4) != is_four)
		return false;
	*ret = a;
	return true;
}

void cluster_name_label(const struct addr *a, struct buf *to)
{
	size_t from = to->n;
	addr_text(a, to);
	for (size_t i = from; buf_ok(to) && i < to->n; i++)
		if (to->p[i] == '.' || to->p[i] == ':')
			to->p[i] = '-';
	if (buf_ok(to) && to->n > from && to->p[to->n - 1] == '-')
		buf_u8(to, '0');   /* no label may end in one */
}

static bool hex(uint8_t c, unsigned *ret)
{
	*ret = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool reverse_six(struct name n, struct addr *ret)
{
	struct addr a = { .family = ADDR_6 };
	const uint8_t *at = n.wire;
	for (unsigned i = 32; i-- > 0; at += 2) {
		unsigned digit;
		if (at[0] != 1 || !hex(at[1], &digit))
			return false;
		a.ip[i / 2] |= (uint8_t)(digit << (i % 2 == 0 ? 4 : 0));
	}
	*ret = a;
	return true;
}

static bool reverse_four(struct name n, struct addr *ret)
{
	struct addr a = { .family = ADDR_4 };
	const uint8_t *at = n.wire;
	for (unsigned i = 4; i-- > 0; at += 1u + *at) {
		unsigned value = 0;
		if (*at < 1 || *at > 3 || (*at > 1 && at[1] == '0'))
			return false;
		for (unsigned k = 1; k <= *at; k++) {
			if (at[k] < '0' || at[k] > '9')
				return false;
			value = value * 10 + at[k] - '0';
		}
		if (value > 255)
			return false;
		a.ip[i] = (uint8_t)value;
	}
	*ret = a;
	return true;
}

bool cluster_name_reverse(struct name folded, struct addr *ret)
{
	if (folded.labels == 6 && name_below(folded, four))
		return reverse_four(folded, ret);
	return folded.labels == 34 && name_below(folded, six) && reverse_six(folded, ret);
}

bool cluster_name_is_reverse(struct name folded)
{
	return name_below(folded, four) || name_below(folded, six);
}
