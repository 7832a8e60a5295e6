/* transfer: one request of signet-fetch, from the frame that asks for it to the frame that ends it.
 * what is read anew for each: files with tokens, certificates, keys and authorities
 * what is never done: looking a name up, following a redirect, going through a proxy, TLS below 1.2 */
#ifndef APP_FETCH_TRANSFER_H
#define APP_FETCH_TRANSFER_H

#include <curl/curl.h>

#include "app/fetch/outlet.h"

struct transfer;

/* Begin what the frame asks for; where it cannot be, its end is sent and NULL returned. */
struct transfer *transfer_begin(struct outlet *out, CURLM *multi, const struct frame_in *asked, msec now);
/* It is through, by libcurl's account: its end is sent, and it is freed. */
void transfer_done(struct transfer *t, CURLM *multi, CURLcode code);
/* Nobody wants it any more. */
void transfer_stop(struct transfer *t, CURLM *multi);
struct transfer *transfer_of(CURL *easy);
uint64_t transfer_fetch(const struct transfer *t);
/* When it will have been without a byte for too long; NEVER: that is not bounded. */
msec transfer_idle_at(const struct transfer *t);
void transfer_idle(struct transfer *t, CURLM *multi);

#endif
