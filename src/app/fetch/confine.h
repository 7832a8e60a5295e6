/* confine: what signet-fetch gives up before it reads its first byte. */
#ifndef APP_FETCH_CONFINE_H
#define APP_FETCH_CONFINE_H

/* To end with the parent; no new rights by exec, no core, no debugger, no files written, none run, no thread or child
 * made (so nothing of libcurl looks a name up by itself). It lets those who answer questions go first. What the kernel
 * does not know of is left out. */
void confine(void);

#endif
