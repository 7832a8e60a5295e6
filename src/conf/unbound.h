/* unbound: statements of unbound.conf files, in the order in which Unbound would see them, includes followed. What a
 * statement means is lower's matter; here it is only known how many values it takes and where it may stand. */
#ifndef CONF_UNBOUND_H
#define CONF_UNBOUND_H

#include "base/diag.h"
#include "conf/source.h"
#include "conf/vocabulary.h"

#define INCLUDE_DEPTH_MAX 64u      /* files within files; Unbound allows 100,000 */
#define INCLUDE_FILES_MAX 10000u   /* in all; a file that includes itself twice would never end */

/* Whose words errors are in: ours, those of unbound-checkconf, which stops at the first syntax error, or those of
 * CoreDNS (conf/corefile_voice.h). */
enum voice { VOICE_OWN, VOICE_UNBOUND, VOICE_COREDNS };

/* A clause that starts an object. */
struct clause {
	const struct clause_row *row;
	uint32_t nr;                 /* from 1 */
	const char *file;
	uint32_t line, column;
	const struct directive *name;   /* its name: statement, the last one; NULL none */
	struct clause *next;
};

struct statements {
	struct directive *first, **last;
	struct clause *clauses, **last_clause;
	uint32_t nclauses;
	const char **files;          /* all that were read, the main one first */
	unsigned nfiles;
	bool stopped;                /* VOICE_UNBOUND: a syntax error ended the reading */
};

struct reading {
	struct source source;
	const struct vocabulary *words;
	enum voice voice;
	struct diag *diag;
};

/* Of the main file, whose text has been read. returns OK, errors in the text are in diag | ERR_LIMIT */
enum err statements_from_text(const struct reading *r, const char *file, struct span text,
                              struct statements *ret) MUST_CHECK;

#endif
