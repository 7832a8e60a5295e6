/* heap: the one door to malloc. What it hands out is counted, so that a test can show everything came back.
 * Out of memory is a bug in the sizing of budgets and ends the process: every large user has a byte cap. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>

/* n zeroed bytes. Never NULL. */
void *heap_new(size_t n);
void heap_free(void *p);
/* Bytes and blocks now in use, all threads together. */
size_t heap_bytes(void);
size_t heap_blocks(void);

/* Pages straight from the kernel, zero and untouched until used; for slabs. Never NULL. */
void *heap_pages(size_t n);
void heap_pages_free(void *p, size_t n);

#endif
