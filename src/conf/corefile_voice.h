/* corefile_voice: the lines about a Corefile in CoreDNS's own words, which its users' tools look for. Under that voice
 * a line's text is the whole of what is printed. */
#ifndef CONF_COREFILE_VOICE_H
#define CONF_COREFILE_VOICE_H

#include "base/diag.h"

enum corefile_stage {
	STAGE_PARSE,     /* FILE:LINE - Error during parsing: WHAT */
	STAGE_PLUGIN,    /* plugin/NAME: the same */
	STAGE_DATA,      /* the same of a file that a plugin reads; warnings, too, say where, and what to do */
	STAGE_PLAIN,     /* WHAT */
};

/* The lines of d from *at on, where at was d->last before they were said. plugin: of STAGE_PLUGIN and STAGE_DATA. */
void corefile_voice(struct diag *d, struct diag_line **at, enum corefile_stage stage, const char *plugin);

#endif
