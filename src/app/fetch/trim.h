/* trim: give back pages that were read from libraries once, while they were loaded or a connection was made. libcurl
 * brings thirty libraries along, most of which nothing here ever calls; what is needed again comes back by itself. */
#ifndef APP_FETCH_TRIM_H
#define APP_FETCH_TRIM_H

void trim(void);

#endif
