/* lease: addresses and the rules beside them, for as long as they are renewed. */
#include "io/lease.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"

#define TABLE "signet_node_cache"
#define PRIORITY_RAW (-300)      /* before connection tracking */
#define NFT(type) (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (type))

enum err lease_open(struct lease *l, struct buf *why)
{
	l->rules.fd = -1;
	TRY(netlink_open(&l->route, NETLINK_ROUTE, why));
	if (!l->with_rules)
		return OK;
	return netlink_open(&l->rules, NETLINK_NETFILTER, why);
}

void lease_close(struct lease *l)
{
	netlink_close(&l->route);
	netlink_close(&l->rules);
}

static enum err complain(struct buf *why, const char *what, int error)
{
	buf_printf(why, "%s: %s", what, strerror(error));
	return ERR_WORLD;
}

/* --- interface and addresses ---- */

static int link_change(struct lease *l, uint16_t type, uint16_t flags, bool up)
{
	struct netlink_batch m;
	unsigned bits = up ? IFF_UP : 0;
	struct ifinfomsg fixed = { .ifi_family = AF_UNSPEC, .ifi_flags = bits, .ifi_change = bits };
	netlink_begin(&m);
	netlink_message(&l->route, &m, type, (uint16_t)(flags | NLM_F_ACK), span_of(&fixed, sizeof(fixed)));
	netlink_text(&m, IFLA_IFNAME, l->interface);
	if (flags & NLM_F_CREATE) {
		size_t info = netlink_open_nest(&m, IFLA_LINKINFO);
		netlink_text(&m, IFLA_INFO_KIND, "dummy");
		netlink_close_nest(&m, info);
	}
	return netlink_send(&l->route, &m);
}

/* One that is there already is taken: what a predecessor left. A kernel without the kind has lo. */
static enum err interface_set(struct lease *l, struct buf *why)
{
	int error = link_change(l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, true);
	l->own_interface = error == 0 || error == EEXIST;
	if (error == EEXIST)
		error = link_change(l, RTM_NEWLINK, 0, true);
	if (error != 0 && error != EOPNOTSUPP)
		return complain(why, "interface", error);
	l->index = if_nametoindex(l->own_interface ? l->interface : "lo");
	return l->index != 0 ? OK : complain(why, "interface", errno);
}

static int address_change(struct lease *l, const struct addr *a, uint32_t life_s)
{
	struct netlink_batch m;
	struct ifaddrmsg fixed = { .ifa_family = a->family == ADDR_4 ? AF_INET : AF_INET6,
		                   .ifa_prefixlen = (uint8_t)(8 * addr_len(a)), .ifa_index = l->index,
		                   .ifa_flags = a->family == ADDR_4 ? 0 : IFA_F_NODAD,
		                   .ifa_scope = a->family == ADDR_4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE };
	struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = life_s };   /* nobody else's source */
	uint16_t flags = NLM_F_ACK | (life_s > 0 ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	netlink_begin(&m);
	netlink_message(&l->route, &m, life_s > 0 ? RTM_NEWADDR : RTM_DELADDR, flags, span_of(&fixed, sizeof(fixed)));
	netlink_put(&m, IFA_LOCAL, span_of(a->ip, addr_len(a)));
	netlink_put(&m, IFA_ADDRESS, span_of(a->ip, addr_len(a)));
	if (life_s > 0)
		netlink_put(&m, IFA_CACHEINFO, span_of(&life, sizeof(life)));
	return netlink_send(&l->route, &m);
}

enum err lease_addresses(struct lease *l, uint32_t life_s, struct buf *why)
{
	if (*l->interface == 0)
		return OK;
	if (l->index == 0)
		TRY(interface_set(l, why));
	l->have_addresses = true;
	for (unsigned i = 0; i < l->naddrs; i++) {
		int error = address_change(l, &l->addrs[i], life_s);
		if (error != 0)
			return complain(why, "address", error);
	}
	return OK;
}

/* --- rules ---- */

struct family {
	const char *set;
	uint32_t kind;               /* nft's number of the key's type: its display is all it is for */
	uint8_t nfproto, from, to, bytes;    /* where the addresses stand in the header */
};

static const struct family families[] = {
	{ "addresses4", 7, NFPROTO_IPV4, 12, 16, 4 },
	{ "addresses6", 8, NFPROTO_IPV6, 8, 24, 16 },
};

static const struct chain {
	const char *name;
	uint32_t hook;
	bool answers;                /* what leaves from the addresses, beside what comes to them */
} chains[] = { { "prerouting", NF_INET_PRE_ROUTING, false }, { "output", NF_INET_LOCAL_OUT, true } };

static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

static void rules_message(struct lease *l, struct netlink_batch *m, uint16_t type, uint16_t flags)
{
	struct nfgenmsg fixed = { .nfgen_family = NFPROTO_INET };
	netlink_message(&l->rules, m, NFT(type), flags, span_of(&fixed, sizeof(fixed)));
}

/* What is done as one: all of it, or nothing. */
static void batch_edge(struct lease *l, struct netlink_batch *m, uint16_t type)
{
	struct nfgenmsg fixed = { .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	netlink_message(&l->rules, m, type, 0, span_of(&fixed, sizeof(fixed)));
}

static void table_message(struct lease *l, struct netlink_batch *m, uint16_t type, uint16_t flags, bool owned)
{
	rules_message(l, m, type, flags);
	netlink_text(m, NFTA_TABLE_NAME, TABLE);
	if (type == NFT_MSG_NEWTABLE)
		netlink_u32(m, NFTA_TABLE_FLAGS, owned ? NFT_TABLE_F_OWNER : 0);
}

static void set_message(struct lease *l, struct netlink_batch *m, const struct family *f, uint32_t id)
{
	rules_message(l, m, NFT_MSG_NEWSET, NLM_F_CREATE);
	netlink_text(m, NFTA_SET_TABLE, TABLE);
	netlink_text(m, NFTA_SET_NAME, f->set);
	netlink_u32(m, NFTA_SET_FLAGS, NFT_SET_TIMEOUT);
	netlink_u32(m, NFTA_SET_KEY_TYPE, f->kind);
	netlink_u32(m, NFTA_SET_KEY_LEN, f->bytes);
	netlink_u32(m, NFTA_SET_ID, id);
}

static void chain_message(struct lease *l, struct netlink_batch *m, const struct chain *c)
{
	rules_message(l, m, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	netlink_text(m, NFTA_CHAIN_TABLE, TABLE);
	netlink_text(m, NFTA_CHAIN_NAME, c->name);
	size_t hook = netlink_open_nest(m, NFTA_CHAIN_HOOK);
	netlink_u32(m, NFTA_HOOK_HOOKNUM, c->hook);
	netlink_u32(m, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY_RAW);
	netlink_close_nest(m, hook);
	netlink_text(m, NFTA_CHAIN_TYPE, "filter");
}

struct expression {
	size_t element, data;
};

static struct expression expression_open(struct netlink_batch *m, const char *name)
{
	struct expression e = { .element = netlink_open_nest(m, NFTA_LIST_ELEM) };
	netlink_text(m, NFTA_EXPR_NAME, name);
	e.data = netlink_open_nest(m, NFTA_EXPR_DATA);
	return e;
}

static void expression_close(struct netlink_batch *m, struct expression e)
{
	netlink_close_nest(m, e.data);
	netlink_close_nest(m, e.element);
}

static void compare_is(struct netlink_batch *m, struct span value)
{
	struct expression e = expression_open(m, "cmp");
	netlink_u32(m, NFTA_CMP_SREG, NFT_REG_1);
	netlink_u32(m, NFTA_CMP_OP, NFT_CMP_EQ);
	size_t data = netlink_open_nest(m, NFTA_CMP_DATA);
	netlink_put(m, NFTA_DATA_VALUE, value);
	netlink_close_nest(m, data);
	expression_close(m, e);
}

static void meta_is(struct netlink_batch *m, uint32_t key, uint8_t value)
{
	struct expression e = expression_open(m, "meta");
	netlink_u32(m, NFTA_META_DREG, NFT_REG_1);
	netlink_u32(m, NFTA_META_KEY, key);
	expression_close(m, e);
	compare_is(m, span_of(&value, 1));
}

static void payload(struct netlink_batch *m, uint32_t base, uint32_t at, uint32_t bytes)
{
	struct expression e = expression_open(m, "payload");
	netlink_u32(m, NFTA_PAYLOAD_DREG, NFT_REG_1);
	netlink_u32(m, NFTA_PAYLOAD_BASE, base);
	netlink_u32(m, NFTA_PAYLOAD_OFFSET, at);
	netlink_u32(m, NFTA_PAYLOAD_LEN, bytes);
	expression_close(m, e);
}

static void address_is_in(struct netlink_batch *m, const struct family *f, bool source)
{
	payload(m, NFT_PAYLOAD_NETWORK_HEADER, source ? f->from : f->to, f->bytes);
	struct expression e = expression_open(m, "lookup");
	netlink_text(m, NFTA_LOOKUP_SET, f->set);
	netlink_u32(m, NFTA_LOOKUP_SREG, NFT_REG_1);
	expression_close(m, e);
}

/* Packets of one protocol to port 53 of an address of the set, or from there: not tracked. */
static void rule_message(struct lease *l, struct netlink_batch *m, const struct chain *c, const struct family *f,
                         unsigned which)
{
	uint16_t port = htons(LEASE_PORT);
	bool source = which >= COUNT(protocols);
	rules_message(l, m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	netlink_text(m, NFTA_RULE_TABLE, TABLE);
	netlink_text(m, NFTA_RULE_CHAIN, c->name);
	size_t list = netlink_open_nest(m, NFTA_RULE_EXPRESSIONS);
	meta_is(m, NFT_META_NFPROTO, f->nfproto);
	address_is_in(m, f, source);
	meta_is(m, NFT_META_L4PROTO, protocols[which % COUNT(protocols)]);
	payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, 2);
	compare_is(m, span_of(&port, sizeof(port)));
	size_t element = netlink_open_nest(m, NFTA_LIST_ELEM);
	netlink_text(m, NFTA_EXPR_NAME, "notrack");
	netlink_close_nest(m, element);
	netlink_close_nest(m, list);
}

/* The addresses of a family, each for so long. The set is emptied first: an element is renewed by being new. */
static void elements_message(struct lease *l, struct netlink_batch *m, const struct family *f, uint32_t life_s)
{
	uint64_t timeout = htobe64((uint64_t)life_s * 1000);
	rules_message(l, m, NFT_MSG_DELSETELEM, 0);
	netlink_text(m, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	netlink_text(m, NFTA_SET_ELEM_LIST_SET, f->set);
	rules_message(l, m, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK);
	netlink_text(m, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	netlink_text(m, NFTA_SET_ELEM_LIST_SET, f->set);
	size_t list = netlink_open_nest(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (unsigned i = 0; i < l->naddrs; i++) {
		if (addr_len(&l->addrs[i]) != f->bytes)
			continue;
		size_t element = netlink_open_nest(m, NFTA_LIST_ELEM);
		size_t key = netlink_open_nest(m, NFTA_SET_ELEM_KEY);
		netlink_put(m, NFTA_DATA_VALUE, span_of(l->addrs[i].ip, f->bytes));
		netlink_close_nest(m, key);
		netlink_put(m, NFTA_SET_ELEM_TIMEOUT, span_of(&timeout, sizeof(timeout)));
		netlink_close_nest(m, element);
	}
	netlink_close_nest(m, list);
}

static int rules_renew(struct lease *l, uint32_t life_s)
{
	struct netlink_batch m;
	netlink_begin(&m);
	batch_edge(l, &m, NFNL_MSG_BATCH_BEGIN);
	for (unsigned i = 0; i < COUNT(families); i++)
		elements_message(l, &m, &families[i], life_s);
	batch_edge(l, &m, NFNL_MSG_BATCH_END);
	return netlink_send(&l->rules, &m);
}

/* The table anew: what a predecessor left goes with it. */
static int rules_make(struct lease *l, bool owned)
{
	struct netlink_batch m;
	netlink_begin(&m);
	batch_edge(l, &m, NFNL_MSG_BATCH_BEGIN);
	table_message(l, &m, NFT_MSG_NEWTABLE, NLM_F_CREATE, owned);
	table_message(l, &m, NFT_MSG_DELTABLE, 0, owned);
	table_message(l, &m, NFT_MSG_NEWTABLE, NLM_F_CREATE, owned);
	for (unsigned f = 0; f < COUNT(families); f++)
		set_message(l, &m, &families[f], f + 1);
	for (unsigned c = 0; c < COUNT(chains); c++) {
		chain_message(l, &m, &chains[c]);
		unsigned ways = (unsigned)COUNT(protocols) * (chains[c].answers ? 2 : 1);
		for (unsigned f = 0; f < COUNT(families); f++) {
			for (unsigned which = 0; which < ways; which++)
				rule_message(l, &m, &chains[c], &families[f], which);
		}
	}
	for (unsigned i = 0; i < COUNT(families); i++)
		elements_message(l, &m, &families[i], 1);
	batch_edge(l, &m, NFNL_MSG_BATCH_END);
	return netlink_send(&l->rules, &m);
}

enum err lease_rules(struct lease *l, uint32_t life_s, struct buf *why)
{
	int error = 0;
	if (!l->with_rules)
		return OK;
	if (!l->have_rules) {
		error = rules_make(l, l->bound);
		if (error == EOPNOTSUPP || error == EINVAL)     /* before Linux 5.12 a table has no owner */
			error = rules_make(l, false);
		l->have_rules = error == 0;
	}
	if (error == 0)
		error = rules_renew(l, life_s);
	l->have_rules &= error == 0;   /* somebody took them away: they are made anew next time */
	return error == 0 ? OK : complain(why, "rules", error);
}

/* --- the end ---- */

static void rules_end(struct lease *l)
{
	struct netlink_batch m;
	netlink_begin(&m);
	batch_edge(l, &m, NFNL_MSG_BATCH_BEGIN);
	table_message(l, &m, NFT_MSG_DELTABLE, NLM_F_ACK, false);
	batch_edge(l, &m, NFNL_MSG_BATCH_END);
	(void)netlink_send(&l->rules, &m);
	l->have_rules = false;
}

void lease_withdraw(struct lease *l)
{
	if (l->have_rules)
		rules_end(l);
	for (unsigned i = 0; l->have_addresses && i < l->naddrs; i++)
		(void)address_change(l, &l->addrs[i], 0);
	l->have_addresses = false;
	if (l->own_interface && l->index != 0)
		(void)link_change(l, RTM_DELLINK, 0, false);
	l->own_interface = false;
	l->index = 0;
}
