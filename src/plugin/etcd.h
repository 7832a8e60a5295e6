/* etcd: what the plugin's parts share: its settings, and what it asks of an etcd (etcd_api.c), by the gateway that
 * speaks JSON over HTTP. Each question asks anew, as caches stand before it. What is asked belongs to the worker that
 * asks, and outlives no question. */
#ifndef PLUGIN_ETCD_H
#define PLUGIN_ETCD_H

#include "plugin/plugin.h"
#include "plugin/skydns.h"
#include "plugin/zones.h"

#define ETCD_ENDPOINTS_MAX 8u
#define ETCD_TTL_DEFAULT 300u
#define ETCD_TTL_MAX (7u * 86400u)   /* whatever a value says (CVE-2025-58063) */

struct etcd {
	struct zone_list zones, fall_zones;
	bool falls;
	const char *path;                /* "/skydns", without a slash behind it */
	const char *endpoints[ETCD_ENDPOINTS_MAX];
	unsigned nendpoints;
	const char *user, *password;     /* NULL: none */
	struct fetch_login login;
	uint32_t lease_min, lease_max;   /* seconds: the TTL that a lease gives */
	const struct directive *said;    /* the latest line that says so */
	unsigned flags;                  /* FLAG_RA where others are asked behind it */
};

struct samples;
struct sample_labels;

/* What came of the values for q's question. */
enum etcd_state { ETCD_NONE, ETCD_WAITS, ETCD_HAS, ETCD_FAILED };

/* Ask for the values of a key for q, which waits. returns OK | ERR_LIMIT too many are asked for */
enum err etcd_ask(const struct link *l, struct query *q, const struct skydns_key *key) MUST_CHECK;
/* How far that is. ret: the values, with the TTLs that leases allow; why: a text, for ETCD_FAILED; both until
 * etcd_done. ETCD_NONE: nothing is asked for q. */
enum etcd_state etcd_look(const struct link *l, const struct query *q, struct skydns **ret, const char **ret_why);
void etcd_done(const struct link *l, const struct query *q);

/* Rows of the plugin. */
void etcd_live_text(const void *self, struct buf *to);
void *etcd_live_make(const void *self, const struct live_env *env);
void etcd_live_free(void *live);
void etcd_live_leave(void *live, struct engine *e);
void etcd_fetched(void *live, struct engine *e, const struct fetched *what);
void etcd_samples(const struct link *l, const struct sample_labels *where, struct samples *to);

#endif
