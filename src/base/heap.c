#include "base/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"

static _Atomic size_t bytes, blocks;

void *heap_new(size_t n)
{
	void *p = calloc(1, n);
	ASSERT(p != NULL);
	atomic_fetch_add_explicit(&bytes, malloc_usable_size(p), memory_order_relaxed);
	atomic_fetch_add_explicit(&blocks, 1, memory_order_relaxed);
	return p;
}

void heap_free(void *p)
{
	if (p == NULL)
		return;
	atomic_fetch_sub_explicit(&bytes, malloc_usable_size(p), memory_order_relaxed);
	atomic_fetch_sub_explicit(&blocks, 1, memory_order_relaxed);
	free(p);
}

size_t heap_bytes(void)
{
	return atomic_load_explicit(&bytes, memory_order_relaxed);
}

size_t heap_blocks(void)
{
	return atomic_load_explicit(&blocks, memory_order_relaxed);
}

void *heap_pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT(p != MAP_FAILED);
	return p;
}

void heap_pages_free(void *p, size_t n)
{
	if (p != NULL)
		munmap(p, n);
}
