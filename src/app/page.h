/* page: an answer of the running program, for people (aligned, short) or as JSON for machines: said once, written as
 * either. Fields stand in lines of their own, rows of a list in one line each. */
#ifndef APP_PAGE_H
#define APP_PAGE_H

#include "base/buf.h"

struct page {
	struct buf to;
	bool json;
	bool first;          /* nothing stands yet in the object or list at hand: no comma */
	size_t row;          /* text: where the row begins */
};

void page_begin(struct page *p, struct buf to, bool json);
/* A field of the page; a cell of the row at hand. key is its name in JSON, label that for people; NULL: people are not
 * shown it. */
void page_field(struct page *p, const char *key, const char *label, const char *fmt, ...) PRINTF(4, 5);
void page_number(struct page *p, const char *key, const char *label, uint64_t n);
void page_truth(struct page *p, const char *key, bool is);
/* For people alone. */
void page_line(struct page *p, const char *fmt, ...) PRINTF(2, 3);
void page_list(struct page *p, const char *key, const char *label);
void page_row(struct page *p);
/* width: of the column, for people */
void page_cell(struct page *p, const char *key, unsigned width, const char *fmt, ...) PRINTF(4, 5);
void page_cell_number(struct page *p, const char *key, unsigned width, uint64_t n);
void page_row_end(struct page *p);
void page_list_end(struct page *p);
/* A list of texts: in JSON an array of strings. */
void page_item(struct page *p, const char *text);
void page_end(struct page *p);


#endif
