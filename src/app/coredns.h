/* coredns: what the program prints at its start under CoreDNS's name. */
#ifndef APP_COREDNS_H
#define APP_COREDNS_H

#include "app/run.h"

#define COREDNS_PARITY "1.14.7"   /* the release of CoreDNS whose behaviour ours is measured by */

/* A line for each zone served; the version's two lines. */
void coredns_zones(const struct model *m);
void coredns_version(void);

#endif
