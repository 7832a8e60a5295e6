/* doh: questions over one HTTP/2 connection (RFC8484), as a client sends them: each a POST, its answer found by the low
 * byte of its id. Bytes in, bytes out: the connection is the caller's. */
#ifndef BENCH_DOH_H
#define BENCH_DOH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doh;

struct doh *doh_new(const char *authority);
/* Ask; the low byte of the id must not be that of a question under way. False: the connection takes no more. */
bool doh_ask(struct doh *d, const uint8_t *msg, size_t len);
/* What is to be written, at most `max` bytes of it. */
size_t doh_out(struct doh *d, uint8_t *to, size_t max);
/* What was read. False: it is not HTTP/2. */
bool doh_in(struct doh *d, const uint8_t *bytes, size_t n);
/* The next answer that came whole; NULL: none. Good until the next call of doh_in. One without status 200 and the media
 * type has length 0. */
const uint8_t *doh_next(struct doh *d, size_t *ret_len);

#endif
