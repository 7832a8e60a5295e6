/* anchor_file: a file of trust anchors that a client command names. */
#ifndef APP_ANCHOR_FILE_H
#define APP_ANCHOR_FILE_H

#include <stdio.h>

#include "core/anchor.h"

/* DS and DNSKEY records, or BIND's trust-anchors and trusted-keys; which of the two it is a brace tells. What is wrong
 * with it goes to `errors` with its place, NULL: nowhere. returns the number of anchors taken, -1 when the file cannot
 * be read */
int anchor_file_read(struct arena *a, struct anchors *t, const char *path, FILE *errors);

#endif
