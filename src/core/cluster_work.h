/* cluster_work: one answer while it is made, for the files that make it: cluster_answer.c, cluster_svc.c (what is below
 * svc), cluster_self.c (the zone itself). What each of them needs: records and names, addresses gathered, ways to end.
 * lifetime  a call of cluster_answer */
#ifndef CORE_CLUSTER_WORK_H
#define CORE_CLUSTER_WORK_H

#include "core/cluster_answer.h"
#include "core/cluster_name.h"
#include "core/cluster_records.h"
#include "core/cluster_walk.h"

#define CLUSTER_ALIASES_MAX (CLUSTER_CHAIN_MAX + 1u)
#define CLUSTER_PTRS_MAX 256u      /* names of one address */

struct cluster_alias {
	struct name owner, target;     /* in the store */
};

struct cluster_work {
	struct arena *arena;
	const struct cluster_ask *ask;
	const struct cluster_view *view;
	struct cluster_reply *ret;
	struct cluster_records records;
	struct name name;              /* whose records these are: the question's, or behind aliases in lower case */
	struct name folded;            /* the same in lower case */
	struct name zone;
	unsigned naliases;
	struct cluster_alias aliases[CLUSTER_ALIASES_MAX];
};

static inline bool cluster_work_asks(const struct cluster_work *w, uint16_t type)
{
	return w->ask->q->type == type;
}

static inline bool cluster_work_asks_address(const struct cluster_work *w)
{
	return cluster_work_asks(w, RR_A) || cluster_work_asks(w, RR_AAAA);
}

/* ---- names ---- */

/* labels before a name, kept in the arena; len 0: it is too long, or there is no room. */
struct name cluster_work_below(struct cluster_work *w, const struct span *labels, unsigned n, struct name zone);
struct name cluster_work_service(struct cluster_work *w, struct span service, uint32_t ns, struct name zone);
struct name cluster_work_endpoint(struct cluster_work *w, const struct cluster_spot *s, struct name zone);

/* ---- records ---- */

/* Room for `most` of them; before any is added. */
enum err cluster_work_records(struct cluster_work *w, size_t most) MUST_CHECK;
/* Nothing where the owner or the data could not be made. */
void cluster_work_add(struct cluster_work *w, enum section section, struct name owner, uint16_t type,
                      struct span rdata);
void cluster_work_add_ip(struct cluster_work *w, enum section section, struct name owner, const struct addr *a);
/* ClusterIPs: of the type A or AAAA, or both. */
void cluster_work_add_ips(struct cluster_work *w, enum section section, struct name owner,
                          const struct cluster_service *s, uint16_t type);

/* ---- addresses ---- */

/* Several, each once, as many as there is room for; cut: there were more. */
struct cluster_gathered {
	struct span addrs;
	size_t size;
	bool any, cut;                 /* any: there is an endpoint, of whatever family */
};

/* How many addresses the slices of a walk may have at most. */
size_t cluster_work_spots(const struct cluster_view *v, const struct cluster_filter *f, size_t enough);
enum err cluster_work_gather(struct cluster_work *w, const struct cluster_filter *f,
                             struct cluster_gathered *g) MUST_CHECK;

/* ---- ways to end ---- */

enum err cluster_work_nodata(struct cluster_work *w) MUST_CHECK;
enum err cluster_work_absent(struct cluster_work *w) MUST_CHECK;
/* The records made are the answer. */
enum err cluster_work_said(struct cluster_work *w) MUST_CHECK;
/* The addresses are. */
enum err cluster_work_gathered(struct cluster_work *w, const struct cluster_gathered *g) MUST_CHECK;
/* The alias is noted; where it points to is the caller's to follow. */
enum err cluster_work_alias(struct cluster_work *w, struct name target) MUST_CHECK;
struct msg cluster_work_message(const struct cluster_work *w);
enum err cluster_work_pack(struct arena *a, const struct cluster_ask *ask, const struct msg *m,
                           const struct packed **ret) MUST_CHECK;

/* ---- parts ---- */

/* [more] SERVICE NAMESPACE svc */
enum err cluster_svc_say(struct cluster_work *w, const struct cluster_labels *l) MUST_CHECK;
/* The zone's own names: itself, ns.dns and dns-version. */
enum err cluster_self_apex(struct cluster_work *w) MUST_CHECK;
enum err cluster_self_ns(struct cluster_work *w) MUST_CHECK;
enum err cluster_self_version(struct cluster_work *w) MUST_CHECK;

#endif
