/* outlet: signet-fetch's way to the server: frames written whole, waiting for as long as the server takes. That wait is
 * the back pressure: nothing is read of any connection meanwhile, so what the server does not take stays in the kernel,
 * and then with the other end; nothing is heaped up here, and nothing is lost. */
#ifndef APP_FETCH_OUTLET_H
#define APP_FETCH_OUTLET_H

#include "app/fetch/frames.h"

struct outlet {
	int fd;
	bool gone;                    /* the server is */
	uint64_t waited_ms;           /* in all, for the server */
};

void outlet_send(struct outlet *o, enum frame_kind kind, uint64_t fetch, struct span payload);

#endif
