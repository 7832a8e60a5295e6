/* lines: text files of lines whose words are parted by blanks; '#' begins a comment (hosts(5) and its like). */
#ifndef PLUGIN_LINES_H
#define PLUGIN_LINES_H

#include "base/span.h"

/* The next line without its end and comment, off the front of text. False: there are no more. */
bool lines_next(struct span *text, struct span *ret_line);
/* The next word, off the front of line; n 0: there are no more. */
struct span lines_word(struct span *line);

#endif
