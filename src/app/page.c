#include "app/page.h"

#include <stdio.h>

#include "app/show.h"

#define LABEL_WIDTH 15u
#define CELL_MAX 1024u

void page_begin(struct page *p, struct buf to, bool json)
{
	*p = (struct page){ .to = to, .json = json, .first = true };
	if (json)
		buf_u8(&p->to, '{');
}

/* What people are shown ends no line and moves no cursor, whoever chose it. */
static void plain(struct buf *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->p[i] < 0x20 || b->p[i] == 0x7f)
			b->p[i] = '?';
	}
}

static void comma(struct page *p)
{
	if (!p->first)
		buf_u8(&p->to, ',');
	p->first = false;
}

static void key_put(struct page *p, const char *key)
{
	comma(p);
	show_string(span_text(key), &p->to);
	buf_u8(&p->to, ':');
}

static void pad(struct page *p, size_t from, unsigned width)
{
	while (p->to.n - from < width && buf_ok(&p->to))
		buf_u8(&p->to, ' ');
}

static void label_put(struct page *p, const char *label)
{
	size_t from = p->to.n;
	buf_text(&p->to, label);
	pad(p, from, LABEL_WIDTH);
	buf_u8(&p->to, ' ');
}

void page_field(struct page *p, const char *key, const char *label, const char *fmt, ...)
{
	char text[CELL_MAX];
	struct buf b = buf_on(text, sizeof(text));
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (p->json) {
		key_put(p, key);
		show_string(buf_span(&b), &p->to);
	} else if (label != NULL) {
		plain(&b);
		label_put(p, label);
		buf_span_put(&p->to, buf_span(&b));
		buf_u8(&p->to, '\n');
	}
}

void page_number(struct page *p, const char *key, const char *label, uint64_t n)
{
	if (p->json) {
		key_put(p, key);
		buf_uint(&p->to, n);
	} else if (label != NULL) {
		label_put(p, label);
		buf_uint(&p->to, n);
		buf_u8(&p->to, '\n');
	}
}

void page_truth(struct page *p, const char *key, bool is)
{
	if (!p->json)
		return;
	key_put(p, key);
	buf_text(&p->to, is ? "true" : "false");
}

void page_line(struct page *p, const char *fmt, ...)
{
	if (p->json)
		return;
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&p->to, fmt, ap);
	va_end(ap);
	buf_u8(&p->to, '\n');
}

void page_list(struct page *p, const char *key, const char *label)
{
	if (p->json) {
		key_put(p, key);
		buf_u8(&p->to, '[');
		p->first = true;
	} else if (label != NULL) {
		buf_printf(&p->to, "%s\n", label);
	}
}

void page_row(struct page *p)
{
	p->row = p->to.n;
	if (!p->json) {
		buf_text(&p->to, "  ");
		return;
	}
	comma(p);
	buf_u8(&p->to, '{');
	p->first = true;
}

void page_cell(struct page *p, const char *key, unsigned width, const char *fmt, ...)
{
	char text[CELL_MAX];
	struct buf b = buf_on(text, sizeof(text));
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (p->json) {
		key_put(p, key);
		show_string(buf_span(&b), &p->to);
		return;
	}
	size_t from = p->to.n;
	plain(&b);
	buf_span_put(&p->to, buf_span(&b));
	pad(p, from, width);
	buf_text(&p->to, "  ");
}

void page_cell_number(struct page *p, const char *key, unsigned width, uint64_t n)
{
	if (!p->json) {
		page_cell(p, key, width, "%llu", (unsigned long long)n);
		return;
	}
	key_put(p, key);
	buf_uint(&p->to, n);
}

void page_row_end(struct page *p)
{
	if (p->json) {
		buf_u8(&p->to, '}');
		p->first = false;
		return;
	}
	while (p->to.n > p->row && p->to.p[p->to.n - 1] == ' ')
		p->to.n--;
	buf_u8(&p->to, '\n');
}

void page_item(struct page *p, const char *text)
{
	if (p->json) {
		comma(p);
		show_string(span_text(text), &p->to);
		return;
	}
	for (buf_text(&p->to, "  "); *text != 0; text++)
		buf_u8(&p->to, (uint8_t)*text < 0x20 || *text == 0x7f ? '?' : (uint8_t)*text);
	buf_u8(&p->to, '\n');
}

void page_list_end(struct page *p)
{
	if (p->json)
		buf_u8(&p->to, ']');
	p->first = false;
}

void page_end(struct page *p)
{
	if (p->json)
		buf_text(&p->to, "}\n");
}
