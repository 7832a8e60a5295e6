/* frames: what the server and signet-fetch say to each other over their socket: bytes in, values out. A frame is its
 * length, its kind, the fetch it is about and its payload. Both sides bound what they take; what is malformed ends the
 * connection, as the two are of one build.
 *   to the helper      FRAME_ASK a request, in fields; FRAME_STOP
 *   to the server      FRAME_HEAD status, Retry-After and content type; FRAME_PIECE bytes; FRAME_END a text,
 *                      empty when all came */
#ifndef APP_FETCH_FRAMES_H
#define APP_FETCH_FRAMES_H

#include "base/buf.h"
#include "core/fetch.h"

enum frame_kind { FRAME_ASK = 1, FRAME_STOP, FRAME_HEAD, FRAME_PIECE, FRAME_END, FRAME_KINDS };

#define FRAME_HEADER 13u              /* length 4, kind 1, fetch 8 */
#define FRAME_PIECE_MAX 16384u        /* what libcurl gives at once */
#define FRAME_TEXT_MAX 512u           /* of an end, and of a content type */
#define FRAME_ASK_MAX (FETCH_BODY_MAX + 4 * FETCH_PEM_MAX + FETCH_URL_MAX + 16 * FETCH_TEXT_MAX + 4096u)

struct frame_in {
	enum frame_kind kind;
	uint64_t fetch;
	struct span payload;
	size_t size;                  /* of the whole frame */
};

/* The frame that the bytes begin with.
 * payload_max  of those that the other side may send
 * returns      OK | ERR_SHORT not all of it is there | ERR_FORMAT */
enum err frame_in_read(struct span bytes, size_t payload_max, struct frame_in *ret) MUST_CHECK;

/* The header of a frame whose payload follows. */
void frame_out_header(struct buf *to, enum frame_kind kind, uint64_t fetch, size_t payload);

/* How many bytes the payload of FRAME_ASK has, and the payload. */
size_t frame_ask_size(const struct fetch *what);
void frame_ask_write(struct buf *to, const struct fetch *what);

/* A request as it was read: borrows from the payload. */
struct frame_ask {
	struct fetch what;
	struct fetch_login login;
	struct addr addrs[FETCH_ADDRS_MAX];
};
enum err frame_ask_read(struct span payload, struct frame_ask *ret) MUST_CHECK;

#endif
