#include "base/slab.h"

#include "base/assert.h"
#include "base/heap.h"

#define PAGE_UNITS (SLAB_PAGE / SLAB_UNIT)
#define EXACT 32u                  /* up to this many units each size is a class of its own */
#define CLASS_FREE 0xffu           /* page holds nothing */
#define CLASS_RUN 0xfeu            /* page begins a node of whole pages */

/* Sizes above EXACT in units: those that fill a page with a whole number of nodes. */
static const uint16_t larger[SLAB_CLASSES - EXACT] = { 36, 42, 51, 64, 73, 85, 102, 128, 170, 256 };

static uint32_t class_units(uint32_t class)
{
	return class < EXACT ? class + 1 : larger[class - EXACT];
}

/* SLAB_CLASSES when only whole pages will do. */
static uint32_t class_of(size_t units)
{
	if (units <= EXACT)
		return (uint32_t)units - 1;
	uint32_t i = 0;
	while (i < COUNT(larger) && larger[i] < units)
		i++;
	return EXACT + i;
}

static size_t units_of(size_t n)
{
	return n == 0 ? 1 : (n + SLAB_UNIT - 1) / SLAB_UNIT;
}

void slab_init(struct slab *s, size_t bytes)
{
	ASSERT(bytes >= 16 * SLAB_PAGE && bytes <= SLAB_BYTES_MAX);
	*s = (struct slab){ .npages = (uint32_t)(bytes / SLAB_PAGE) };
	s->units = heap_pages((size_t)s->npages * SLAB_PAGE);
	s->pages = (struct slab_page *)(void *)s->units;
	s->first = (uint32_t)((s->npages * sizeof(*s->pages) + SLAB_PAGE - 1) / SLAB_PAGE);
	s->top = s->first;
	s->nfree = s->npages - s->first;
}

void slab_fini(struct slab *s)
{
	heap_pages_free(s->units, (size_t)s->npages * SLAB_PAGE);
	*s = (struct slab){ 0 };
}

static void link_page(struct slab *s, uint32_t *list, uint32_t page)
{
	s->pages[page].next = *list;
	s->pages[page].prev = 0;
	if (*list != 0)
		s->pages[*list].prev = page;
	*list = page;
}

static void unlink_page(struct slab *s, uint32_t *list, uint32_t page)
{
	struct slab_page *p = &s->pages[page];
	if (p->prev != 0)
		s->pages[p->prev].next = p->next;
	else
		*list = p->next;
	if (p->next != 0)
		s->pages[p->next].prev = p->prev;
}

static void page_release(struct slab *s, uint32_t page)
{
	s->pages[page].class = CLASS_FREE;
	link_page(s, &s->free_pages, page);
	s->nfree++;
}

/* The first of n free neighbours, unlinked; 0 when there are none. A single page is an untouched one only when no
 * used one is free; of many, untouched ones are taken first, because the search is long (bound: npages). */
static uint32_t pages_take(struct slab *s, uint32_t n, uint32_t keep)
{
	if (s->nfree < n || s->nfree - n < keep)
		return 0;
	uint32_t at = 0;
	if (n == 1)
		at = s->free_pages;
	else if (s->npages - s->top < n)
		for (uint32_t i = s->first, run = 0; i < s->npages && at == 0; i++) {
			run = i >= s->top || s->pages[i].class == CLASS_FREE ? run + 1 : 0;
			at = run == n ? i + 1 - n : 0;
		}
	if (at == 0)
		at = s->npages - s->top >= n ? s->top : 0;
	if (at == 0)
		return 0;
	for (uint32_t i = at; i < at + n && i < s->top; i++)
		unlink_page(s, &s->free_pages, i);
	s->top = MAX(s->top, at + n);
	s->nfree -= n;
	return at;
}

static slab_ref run_new(struct slab *s, size_t units, uint32_t keep)
{
	if (units > (size_t)s->npages * PAGE_UNITS)
		return 0;
	uint32_t n = (uint32_t)((units + PAGE_UNITS - 1) / PAGE_UNITS);
	uint32_t page = pages_take(s, n, keep);
	if (page == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		s->pages[page + i] = (struct slab_page){ .class = CLASS_RUN };
	s->pages[page].run = n;
	s->bytes += (size_t)n * SLAB_PAGE;
	s->nodes++;
	return page * PAGE_UNITS;
}

slab_ref slab_new(struct slab *s, size_t n, uint32_t keep)
{
	size_t units = units_of(n);
	uint32_t class = class_of(units);
	if (class == SLAB_CLASSES)
		return run_new(s, units, keep);
	uint32_t page = s->partial[class], size = class_units(class);
	if (page == 0) {
		page = pages_take(s, 1, keep);
		if (page == 0)
			return 0;
		s->pages[page] = (struct slab_page){ .class = (uint8_t)class };
		link_page(s, &s->partial[class], page);
	}
	struct slab_page *p = &s->pages[page];
	slab_ref ref = p->free;
	if (ref != 0)
		p->free = *(slab_ref *)slab_at(s, ref);
	else
		ref = page * PAGE_UNITS + p->made++ * size;
	p->used++;
	if (p->used == PAGE_UNITS / size)
		unlink_page(s, &s->partial[class], page);
	s->bytes += size * SLAB_UNIT;
	s->nodes++;
	return ref;
}

void slab_free(struct slab *s, slab_ref ref, size_t n)
{
	uint32_t page = ref / PAGE_UNITS, class = class_of(units_of(n));
	struct slab_page *p = &s->pages[page];
	s->nodes--;
	if (class == SLAB_CLASSES) {
		ASSERT(p->class == CLASS_RUN && p->run > 0);
		s->bytes -= (size_t)p->run * SLAB_PAGE;
		for (uint32_t i = p->run; i-- > 0;)
			page_release(s, page + i);
		return;
	}
	ASSERT(p->class == class && p->used > 0);
	uint32_t size = class_units(class);
	s->bytes -= size * SLAB_UNIT;
	if (p->used == PAGE_UNITS / size)
		link_page(s, &s->partial[class], page);
	*(slab_ref *)slab_at(s, ref) = p->free;
	p->free = ref;
	if (--p->used == 0) {
		unlink_page(s, &s->partial[class], page);
		page_release(s, page);
	}
}
