/* optioning: the EDNS options that a line of a Corefile's rewrite puts into questions to upstreams, or takes out of
 * them (RFC6891 6.1.2). What is to be said of the client is said of the one who asks; where nobody does (a
 * sub-question), nothing is. */
#ifndef PLUGIN_OPTIONING_H
#define PLUGIN_OPTIONING_H

#include "core/query.h"
#include "plugin/opt.h"

enum optioning_action { OPTIONING_SET, OPTIONING_APPEND, OPTIONING_REPLACE, OPTIONING_UNSET, OPTIONING_ACTIONS };

/* What its data are. */
enum optioning_data {
	OPTIONING_BYTES,           /* what is written */
	OPTIONING_QNAME, OPTIONING_QTYPE, OPTIONING_CLIENT_IP, OPTIONING_CLIENT_PORT, OPTIONING_PROTOCOL,
	OPTIONING_SERVER_IP, OPTIONING_SERVER_PORT,
	OPTIONING_SUBNET,          /* RFC7871 */
	OPTIONING_NOTHING,         /* a name that no plugin tells: the line does nothing */
};

struct optioning {
	enum optioning_action action;
	uint16_t code;
	enum optioning_data data;
	struct span bytes;
	uint8_t bits4, bits6;      /* of a subnet */
};

/* The words of d from `first` on: local|nsid|subnet, what is done, and with what. False: they are wrong, and that has
 * been said. */
bool optioning_read(const struct directive *d, unsigned first, struct arena *a, struct diag *diag,
                    struct optioning *ret) MUST_CHECK;
/* Would it change anything for that client, who may be NULL? options: as they stand so far. */
bool optioning_fits(const struct optioning *o, const struct client *c, struct span options);
/* Do it. returns OK | ERR_LIMIT more than ASK_OPTIONS_MAX */
enum err optioning_apply(const struct optioning *o, struct query *q) MUST_CHECK;

#endif
