/* plugin: one file and one line in plugins.def, which gives the order. Settings come from rows (opt.h), behaviour is
 * four steps (core/chain.h), and what must outlive a reload is made once for equal settings (live). */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include "core/chain.h"
#include "core/engine.h"
#include "core/flush.h"
#include "plugin/opt.h"

struct live_env {
	struct hash_key key;
	uint32_t workers;
	const struct addr *addrs;      /* of this machine, those of loopback aside */
	unsigned naddrs;
};

struct report;
struct samples;
struct sample_labels;

/* A file that settings name. It is read with the configuration, and watched: a change reads the configuration again. */
struct file_want {
	const char *path;
	msec every;                    /* look for a change this often; 0: only when the configuration is read */
	bool optional;                 /* may be missing */
	bool secret;                   /* its bytes are wiped as soon as they were taken */
};

struct plugin {
	struct settings settings;      /* name and doc are the plugin's */
	struct steps steps;
	/* What lives over reloads: kept by those with equal text, across configurations. NULL live_make: nothing. */
	void (*live_text)(const void *self, struct buf *to);
	/* One for all blocks with that text, not one for each: every callback below may come once a block. */
	bool live_shared;
	void *(*live_make)(const void *self, const struct live_env *env);
	void (*live_free)(void *live);
	/* What lives is there, or the configuration goes: let go of what self holds outside its arena. May be called
	 * several times. */
	void (*settings_drop)(void *self);
	/* A worker leaves a configuration that had it: let go of what this worker holds in it. */
	void (*live_leave)(void *live, struct engine *e);
	/* From any thread: forget what is kept of names, and count it. */
	void (*live_flush)(void *live, struct flush *f);
	/* In a worker: the same for what this worker has of its own. */
	void (*live_forget)(void *live, struct engine *e, struct flush *f);
	/* In a worker: what it knows of the servers that the link asks. */
	void (*report)(const struct link *l, struct engine *e, struct report *to);
	/* From any thread: what all workers know of them. */
	void (*measure)(const struct link *l, struct report *to);
	/* Once the whole chain stands: take from it, or give to it, what concerns more than one plugin. */
	void (*joined)(void *self, struct chain *chain, struct arena *a, struct diag *diag);
	/* Is an instance wanted at all with these settings? NULL: always. */
	bool (*wanted)(const void *self);
	/* The i-th file it wants; false: these were all. Asked after each file_take, as what a file includes is wanted
	 * then. */
	bool (*file_want)(const void *self, unsigned i, struct file_want *ret);
	/* The bytes of the i-th file, which live as long as the configuration; p NULL: it is missing, and optional.
	 * Errors go to diag. Called before joined. */
	void (*file_take)(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag);
	/* From any thread: what monitoring wants to know of it (core/sample.h). */
	void (*samples)(const struct link *l, const struct sample_labels *where, struct samples *to);
	/* From any thread: for how many seconds nothing has been heard of what it answers from, where that is unusual;
	 * 0: all is well. */
	int64_t (*silent)(const struct link *l, struct wall now);
	/* From any thread: NULL, or why the program is not ready to serve yet, in one word: its name (plugin ready). */
	const char *(*not_ready)(const struct link *l);
};

#define PLUGIN(name) extern const struct plugin plugin_##name;
#include "plugin/plugins.def"
#undef PLUGIN

/* chain_conf's options (plugin/upstreams.c), clause "server". */
extern const struct settings upstreams_settings;

/* All plugins in the order of plugins.def. */
extern const struct plugin *const plugins[];
extern const unsigned nplugins;

#endif
