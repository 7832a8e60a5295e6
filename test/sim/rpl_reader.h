/* rpl_reader: the text of a scenario, line by line and word by word, and what its parts are read with: rpl.c has ranges
 * and steps, rpl_entry.c messages, rpl_conf.c the configuration. The first thing that is wrong counts. */
#ifndef SIM_RPL_READER_H
#define SIM_RPL_READER_H

#include "sim/rpl.h"

#define BLANKS " \t\r\n"

struct reader {
	struct arena *arena;
	struct span text, line;       /* line: the one at hand, without white space around it */
	size_t at;
	unsigned nr;
	bool deckard;
	enum rpl_found found;
	struct buf *why;
	struct name origin;
	uint32_t ttl;
	uint8_t section;              /* of the entry at hand; QUESTION */
	struct buf conf;
};

/* Up to the first of these characters outside quotes. */
struct span reader_before(struct span s, const char *chars);
/* Take one off the front. */
struct span reader_word(struct span *s);
bool reader_starts(struct span s, const char *with);
bool reader_is_word(struct span s, const char *word);
/* The scenario cannot be read, or not played. */
void reader_wrong(struct reader *r, enum rpl_found found, const char *what, struct span which);

/* Go to the next line; the next that says something. False: there is none. */
bool reader_line(struct reader *r);
bool reader_statement(struct reader *r);

unsigned reader_number(struct reader *r, struct span s);
struct addr reader_addr(struct reader *r, struct span s);
void reader_hex(struct buf *b, struct span s, bool *half);
/* The bytes of the lines up to the one that begins so. */
struct span reader_hex_until(struct reader *r, const char *end);

/* An entry; the line at hand may be its ENTRY_BEGIN already. NULL: something is wrong. */
struct rpl_entry *entry_read(struct reader *r, bool begun);
/* $ORIGIN and $TTL hold from here to the end of the file. False: the line is neither. */
bool entry_dollar(struct reader *r);

/* Up to CONFIG_END, in either dialect. */
void conf_read(struct reader *r, struct rpl *to);

#endif
