/* One plugin alone on an engine, for the tests of a file: its settings, and a chain to fill in. */
#ifndef PLUGIN_LONE_TEST_H
#define PLUGIN_LONE_TEST_H

#include "core/text_test.h"
#include "plugin/plugin.h"

#define LONE_SETTINGS_MAX 65536u

static struct arena arena;
static struct diag diag;
static uint64_t settings[LONE_SETTINGS_MAX / 8];
static struct engine *engine;
static struct effects *effects;
static struct metrics metrics;
static struct chain chain;

/* Everything anew; `chain` begins with the plugin. */
static void lone_open(const struct plugin *p)
{
	uint8_t seed[32] = { 1 };
	struct hash_key key = { { 2 } };
	arena_init(&arena, (size_t)64 << 20);
	diag_init(&diag, &arena);
	assert_true(p->settings.size <= sizeof(settings));
	memset(settings, 0, sizeof(settings));
	memset(&metrics, 0, sizeof(metrics));
	engine = arena_alloc(&arena, sizeof(*engine));
	effects = arena_alloc(&arena, sizeof(*effects));
	engine_init(engine, 0, 1, &key, seed);
	effects->scratch = &arena;
	engine->fx = effects;
	engine->metrics = &metrics;
	chain = (struct chain){ .n = 1, .links[0] = { &p->steps, p->settings.name, settings, NULL } };
}

static void lone_close(void)
{
	engine_fini(engine);
	arena_free(&arena);
}

#endif
