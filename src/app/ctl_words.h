/* ctl_words: what is said to the running program: a line of words as on the command line, which may come from anybody
 * that reaches the socket. Both ends read it with this: the client to say at once what is wrong, the server because it
 * believes nobody. */
#ifndef APP_CTL_WORDS_H
#define APP_CTL_WORDS_H

#include "wire/name.h"

#define CTL_SOCKET "/run/signet/ctl.sock"
#define CTL_LINE_MAX 4200u       /* a name with every byte as \DDD, and words around it */
#define CTL_ANSWER_MAX (1u << 20)
#define CTL_WORDS_MAX 8u

/* What may follow a command. */
enum {
	CTL_NAME = 1 << 0,           /* a name may */
	CTL_NAME_NEEDED = 1 << 1,    /* a name must */
	CTL_BELOW = 1 << 2,          /* --below */
	CTL_REMOVE = 1 << 3,         /* --remove */
	CTL_TIME = 1 << 4,           /* a time behind the name */
};

enum ctl_id {
#define CTL(id, word, follows, arguments, what, theirs) CTL_##id,
#include "app/ctl.def"
#undef CTL
	CTL_COUNT
};

struct ctl_row {
	const char *word;
	unsigned follows;
	const char *arguments, *what, *theirs;
};
extern const struct ctl_row ctl_rows[CTL_COUNT];

struct ctl_request {
	enum ctl_id id;
	bool json, below, remove;
	struct name name;            /* len 0: none was given; its bytes are in store */
	uint32_t seconds;            /* 0: none was given */
	uint8_t store[NAME_MAX_BYTES];
};

/* returns  OK | ERR_SYNTAX, why says what is wrong and what was expected */
enum err ctl_parse(struct span line, struct ctl_request *ret, struct buf *why) MUST_CHECK;

#endif
