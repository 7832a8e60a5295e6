/* validate: its settings, some of which the app has to read from files because nothing here may (validating.c), and its
 * steps (validate.c). */
#ifndef PLUGIN_VALIDATE_H
#define PLUGIN_VALIDATE_H

#include "core/autotrust.h"
#include "plugin/plugin.h"

enum anchor_kind { ANCHOR_TEXT, ANCHOR_FILE, ANCHOR_AUTO_FILE, ANCHOR_BIND_FILE, ANCHOR_INSECURE };

/* One statement that says where trust begins or ends. */
struct anchor_source {
	enum anchor_kind kind;
	const char *text;             /* a record, a path, or a name */
	const char *file;             /* where it stands */
	uint32_t line, column;
	struct span bytes;            /* of a file that was read with the configuration; p NULL: not so */
};

#define ANCHOR_SOURCES_MAX 1024u

/* What a Corefile's dnssec says beside what both dialects have. */
struct validate_words {
	bool is_one;                  /* the settings are a Corefile's */
	bool validate, serve;
};

struct validating {
	struct validate_conf conf;
	struct validate_words corefile;
	int64_t wall;                 /* val-override-date, seconds since 1970; 0: the clock */
	uint32_t log_level, bogus_ttl;
	bool log_failures;
	size_t known_bytes;           /* of what is remembered of zones */
	uint32_t ahead;               /* of 100 questions that may be asked ahead, how many are */
	bool permissive, ignore_cd, fake_sha1, fake_dsa, clean_additional, harden_stripped, all_algorithms;
	secs skew_min, skew_max;
	struct autotrust_conf autotrust;
	bool sentinel, signaling;
	struct {
		bool given;
		uint32_t max;
	} iterations;                 /* of NSEC3 hashes; more is insecure */
	unsigned nsources;
	struct anchor_source *sources;
	const struct link *resolver;  /* which has what referrals said of DS; NULL: the chain has none */
};

/* The settings of the chain's validation; NULL when it has none. */
const struct validating *validate_settings(const struct chain *chain);

/* The keys of an anchor's zone have come: they are news for the anchor itself (anchoring.c). */
void anchoring_hear(const struct link *l, struct query *q);
/* root-key-sentinel: does the question test which of the root's keys are trusted here? And is a proved answer to it to
 * be withheld, because of those that are (RFC8509 3)? */
bool anchoring_is_asked(const struct validating *s, const struct question *q);
bool anchoring_refuses(const struct validating *s, const struct query *q);
/* Ask for the keys of zones whose time has come. */
msec anchoring_tend(const struct link *l, struct engine *e);

enum verdict validate_request(const struct link *l, struct query *q);
enum verdict validate_response(const struct link *l, struct query *q);
enum verdict validate_wake(const struct link *l, struct query *q, const struct query *child);
void validate_early(const struct link *l, struct query *q, const struct query *child);
void validate_reached(const struct link *l, struct query *q, struct name zone);

#endif
