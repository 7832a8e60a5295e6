#include "core/sample.h"

#define LABELS_MAX 1024u

void samples_init(struct samples *s, struct arena *a)
{
	*s = (struct samples){ .arena = a };
}

static struct sample *next(struct samples *s)
{
	if (s->n == SAMPLES_MAX)
		return NULL;
	if (s->n == s->cap) {
		unsigned cap = s->cap == 0 ? 256 : s->cap * 2;
		struct sample *list = ARENA_ARRAY(s->arena, struct sample, cap);
		if (list == NULL)
			return NULL;
		if (s->n > 0)
			memcpy(list, s->list, sizeof(*list) * s->n);
		s->list = list;
		s->cap = cap;
	}
	return &s->list[s->n];
}

static const char *join(struct arena *a, const char *part, const char *more)
{
	char text[LABELS_MAX];
	struct buf b = buf_on(text, sizeof(text));
	bool both = part != NULL && *part != 0 && more != NULL && *more != 0;
	buf_printf(&b, "%s%s%s", part == NULL ? "" : part, both ? "," : "", more == NULL ? "" : more);
	return buf_ok(&b) ? arena_text(a, buf_span(&b)) : NULL;
}

static struct sample *find(const struct samples *s, const struct family *f, const char *labels)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->list[i].family == f && strcmp(s->list[i].labels, labels) == 0)
			return &s->list[i];
	return NULL;
}

void sample_add(struct samples *s, const struct family *f, uint64_t n, const char *part, const char *more)
{
	struct sample *x = next(s);
	const char *labels = x == NULL ? NULL : join(s->arena, part, more);
	if (labels == NULL)
		return;
	struct sample *same = find(s, f, labels);
	if (same != NULL) {
		same->n = f->type == SAMPLE_LEAST ? MIN(same->n, n) : same->n + n;
		return;
	}
	*x = (struct sample){ .family = f, .labels = labels, .n = n };
	s->n++;
}

void sample_histogram(struct samples *s, const struct family *f, struct histogram h, const char *part,
                      const char *more)
{
	size_t size = sizeof(*h.buckets) * (f->nbounds + 1);
	struct sample *x = next(s);
	const char *labels = x == NULL ? NULL : join(s->arena, part, more);
	uint64_t *kept = labels == NULL ? NULL : arena_dup(s->arena, h.buckets, size);
	if (kept == NULL)
		return;
	struct sample *same = find(s, f, labels);
	if (same != NULL) {
		for (unsigned i = 0; i <= f->nbounds; i++) {
			same->buckets[i] += kept[i];
			same->n += kept[i];
		}
		same->sum += h.sum;
		return;
	}
	*x = (struct sample){ .family = f, .labels = labels, .buckets = kept, .sum = h.sum };
	for (unsigned i = 0; i <= f->nbounds; i++)
		x->n += kept[i];
	s->n++;
}

static void bucket_text(const struct sample *x, const char *bound, uint64_t n, struct buf *to)
{
	buf_printf(to, "%s_bucket{%s%sle=\"%s\"} %llu\n", x->family->name, x->labels, *x->labels == 0 ? "" : ",", bound,
	           (unsigned long long)n);
}

static void labels_text(const char *labels, struct buf *to)
{
	if (*labels != 0)
		buf_printf(to, "{%s}", labels);
}

static void histogram_text(const struct sample *x, struct buf *to)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < x->family->nbounds; i++) {
		char bound[32];
		struct buf b = buf_on(bound, sizeof(bound));
		buf_printf(&b, "%g", x->family->bounds[i]);
		n += x->buckets[i];
		bucket_text(x, buf_cstr(&b), n, to);
	}
	bucket_text(x, "+Inf", x->n, to);
	buf_printf(to, "%s_sum", x->family->name);
	labels_text(x->labels, to);
	buf_printf(to, " %g\n%s_count", x->sum, x->family->name);
	labels_text(x->labels, to);
	buf_printf(to, " %llu\n", (unsigned long long)x->n);
}

static void one_text(const struct sample *x, struct buf *to)
{
	if (x->family->type == SAMPLE_HISTOGRAM) {
		histogram_text(x, to);
		return;
	}
	buf_text(to, x->family->name);
	labels_text(x->labels, to);
	buf_printf(to, " %llu\n", (unsigned long long)x->n);
}

static bool is_first(const struct samples *s, unsigned at)
{
	for (unsigned i = 0; i < at; i++)
		if (s->list[i].family == s->list[at].family)
			return false;
	return true;
}

void samples_text(const struct samples *s, struct buf *to)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "gauge" };
	for (unsigned i = 0; i < s->n; i++) {
		const struct family *f = s->list[i].family;
		if (!is_first(s, i))
			continue;
		buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, types[f->type]);
		for (unsigned k = i; k < s->n; k++)
			if (s->list[k].family == f)
				one_text(&s->list[k], to);
	}
}
