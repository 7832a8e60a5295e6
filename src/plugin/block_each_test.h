/* A server block of its own for each test of the file: `b`. */
#ifndef PLUGIN_BLOCK_EACH_TEST_H
#define PLUGIN_BLOCK_EACH_TEST_H

#include "plugin/block_test.h"

static struct block b;

static int set_up(void **state)
{
	(void)state;
	block_open(&b);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	block_close(&b);
	return 0;
}

#endif
