/* proof_show: a proof for people, a line for each link of the chain and then the verdict, and as JSON. */
#ifndef APP_PROOF_SHOW_H
#define APP_PROOF_SHOW_H

#include "app/proof.h"

#define PROOF_TEXT_MAX (4u << 20)

/* q: what was to be proved. */
void proof_text(struct proof *p, const struct question *q, struct buf *to);
void proof_json(struct proof *p, const struct question *q, struct buf *to);
/* "ECDSAP256SHA256"; NULL: unknown */
const char *algorithm_name(uint8_t algorithm);
/* YYYYMMDDHHMMSS, UTC, of seconds in serial arithmetic (RFC4034 3.2) */
void put_stamp(uint32_t wall, struct buf *to);

#endif
