/* anchors: the files that the configuration names as trust anchors, read. */
#ifndef APP_ANCHORS_H
#define APP_ANCHORS_H

#include "conf/model.h"

/* Files that are not read from the disk, but given: for tests. */
struct anchor_files {
	const struct anchor_files *next;
	const char *name;
	struct span text;
};

/* Set m->anchors. What cannot be read is told in diag. A file that is missing, or a state file that is broken, takes
 * nothing else away; anything else that is no anchor is an error. returns whether there was none */
bool anchors_load(struct model *m, const struct anchor_files *given, struct diag *diag);

#endif
