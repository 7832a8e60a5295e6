/* player: one scenario against the real engine, with a clock and a network that are made up. Nothing of the machine is
 * touched, so a scenario takes milliseconds and repeats exactly. */
#ifndef SIM_PLAYER_H
#define SIM_PLAYER_H

#include "sim/purse.h"
#include "sim/rpl.h"

enum played { PLAYED_PASS, PLAYED_FAIL, PLAYED_SKIP };

struct play_how {
	bool trace;                   /* print every packet and step */
	const char *append;           /* more lines of configuration; "" none */
	uint64_t seed;                /* of all that is left to chance */
	struct purse *purse;          /* NULL: nobody wants to know */
};

/* why: of a failure the first difference, of a skip what cannot be played. */
enum played play_file(const char *file, const struct play_how *how, struct buf *why);

#endif
