/* replylog: a Corefile's log: which replies get a line, and what it says. Rules and formats are compiled when the
 * configuration is read. A line's format travels with its record, so that no record is left without one after a reload;
 * the logger's thread makes the text. */
#ifndef CORE_REPLYLOG_H
#define CORE_REPLYLOG_H

#include "base/arena.h"
#include "core/record.h"

struct chain;
struct engine;

/* What a reply is, for people who look for trouble. */
enum replylog_class { REPLYLOG_SUCCESS = 1, REPLYLOG_DENIAL = 2, REPLYLOG_ERROR = 4 };
#define REPLYLOG_ALL (REPLYLOG_SUCCESS | REPLYLOG_DENIAL | REPLYLOG_ERROR)

#define REPLYLOG_FORMAT_MAX 400u   /* bytes of a compiled format */

/* Replies to questions at and below `scope`. */
struct replylog_rule {
	struct name scope;
	uint8_t classes;
	struct span format;
};

/* The first rule whose scope holds the name counts, whether its classes have the reply or not. */
struct replylog {
	const struct replylog_rule *rules;
	unsigned n;
	const struct chain *chain;   /* whose plugins say what {/PLUGIN/LABEL} is */
};

/* "{remote} {type}": words in braces stand for what is known of a reply, "{/a/b}" for what plugin a says of b, "-" for
 * what is not known.
 * returns OK | ERR_LIMIT longer than REPLYLOG_FORMAT_MAX, or the arena is full */
enum err replylog_compile(struct arena *a, const char *text, struct span *ret) MUST_CHECK;
extern const char replylog_common[];

/* A reply as it leaves. */
struct replylog_reply {
	struct span bytes;
	unsigned rcode;            /* with the OPT's high bits */
	uint64_t took_ns;
	const struct engine *engine;
};

/* Is a line of it wanted? cost  a few comparisons where it is not; of replies with DO, a walk over the types
 * of their records where errors alone are wanted */
bool replylog_wants(const struct replylog *log, struct wall at, const struct client *c,
                    const struct replylog_reply *r) MUST_CHECK;
/* A record of one that is wanted. */
void replylog_note(const struct replylog *log, struct record_ring *to, struct wall at, const struct client *c,
                   const struct replylog_reply *r);
/* enum replylog_class of a reply. */
unsigned replylog_classify(const struct replylog_reply *r, bool dnssec_ok, uint32_t now) MUST_CHECK;

/* The text of a RECORD_FORMATTED, without level and newline; cut where `to` is full. */
void replylog_text(const struct record *rec, struct buf *to);

#endif
