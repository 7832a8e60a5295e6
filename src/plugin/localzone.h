/* localzone: names that the configuration answers itself (unbound.conf's local-zone, local-data, local-data-ptr). */
#ifndef PLUGIN_LOCALZONE_H
#define PLUGIN_LOCALZONE_H

#include "plugin/localdata.h"
#include "plugin/plugin.h"

enum local_kind {
#define KIND(NAME, text, flags, there, nowhere) LOCAL_##NAME,
#include "plugin/localzone_kinds.def"
	LOCAL_KINDS
};

/* A statement, kept until all are read: zones come first, whatever the order. */
struct stated {
	struct stated *next;
	const struct directive *d;
};

struct localzone {
	bool unblock_lan, log_actions;
	struct stated *zones;                /* the last one first: it is the one that counts */
	struct stated *data, *last_data;     /* in order; local-data and local-data-ptr */
	struct local_tree tree;
};

extern const char *const local_kind_names[LOCAL_KINDS];

/* Option parsers, and the tree made of what they gathered. */
void localzone_zone(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void localzone_data(void *self, const struct directive *d, struct arena *a, struct diag *diag);
void localzone_ready(void *self, struct arena *a, struct diag *diag);

#endif
