/* rpl: a scenario in the .rpl format, read: a configuration, ranges of what servers say, and the steps of clients and
 * time. Two dialects: testbound's (unbound.conf) and Deckard's (flat keys). Only the data format is shared with the
 * programs it comes from. */
#ifndef SIM_RPL_H
#define SIM_RPL_H

#include "base/addr.h"
#include "wire/msg.h"

#define RPL_WHY 1024u
#define RPL_ADDRS_MAX 32u

/* Words of MATCH, by bit. */
enum rpl_match {
	MATCH_opcode, MATCH_qtype, MATCH_qname, MATCH_qcase, MATCH_subdomain, MATCH_rcode, MATCH_flags, MATCH_question,
	MATCH_answer, MATCH_authority, MATCH_additional, MATCH_all, MATCH_all_noedns, MATCH_ttl, MATCH_DO, MATCH_CO,
	MATCH_noedns, MATCH_ednsdata, MATCH_UDP, MATCH_TCP, MATCH_client_cookie, MATCH_server_cookie, MATCH_COUNT
};

/* Words of ADJUST, by bit. */
enum rpl_adjust {
	ADJUST_copy_id, ADJUST_copy_query, ADJUST_do_not_answer, ADJUST_copy_ednsdata_assume_clientsubnet,
	ADJUST_increment_ecs_scope, ADJUST_raw_id, ADJUST_COUNT
};

enum { EDE_NOT_ASKED = -1, EDE_ANY = -2 };

#define EDNS_FLAG_DO 0x8000u
#define EDNS_FLAG_CO 0x4000u

/* A message, as a file describes one or as it came over the network. */
struct rpl_packet {
	struct rpl_packet *next;      /* EXTRA_PACKET */
	uint16_t id, flags;           /* flags without opcode and rcode */
	uint16_t rcode;
	uint8_t opcode;
	bool asked, tcp, edns;        /* asked: there is a question */
	struct question question;
	struct rr *rrs;
	size_t nrrs, cap;
	uint16_t edns_flags, edns_size;
	struct span options;          /* of the OPT, as on the wire */
};

struct rpl_entry {
	struct rpl_entry *next;
	unsigned line;
	uint32_t match, adjust;       /* bits */
	int ede;
	struct rpl_packet packet;
	struct span hex;              /* a reply given in bytes; n = 0 none */
	struct span raw;
	bool is_raw;
};

struct rpl_range {
	struct rpl_range *next, *before;
	unsigned from, to;
	unsigned naddrs;              /* 0: any address */
	struct addr addrs[RPL_ADDRS_MAX];
	struct rpl_entry *entries;
};

enum rpl_kind {
	STEP_QUERY, STEP_CHECK_ANSWER, STEP_ANSWER, STEP_CHECK_OUT_QUERY, STEP_REPLY, STEP_MOCK, STEP_TIME_PASSES,
	STEP_TIMEOUT, STEP_ERROR, STEP_TRAFFIC, STEP_NOTHING, STEP_ASSIGN, STEP_CHECK_AUTOTRUST, STEP_CHECK_TEMPFILE,
	STEP_COUNT
};

struct rpl_step {
	struct rpl_step *next;
	unsigned nr, line;
	enum rpl_kind kind;
	struct span rest;             /* of its line */
	struct addr addr;             /* family ADDR_NONE: none */
	struct rpl_entry *entry;
	struct span file;             /* CHECK_AUTOTRUST: what it must hold */
	bool used;                    /* a reply of Deckard's dialect serves once */
};

/* A file beside the configuration, and what it holds as time goes on. */
struct rpl_file {
	struct rpl_file *next;
	const char *name;
	struct span text;
};

struct rpl {
	struct arena *arena;
	bool deckard;
	bool files;                   /* it wants other files than those of trust anchors */
	struct rpl_file *autotrust;
	const char *conf;             /* unbound.conf */
	struct rpl_range *first, *last;
	struct rpl_step *steps;
};

enum rpl_found { RPL_READ, RPL_NOT_PLAYED, RPL_UNREADABLE };

extern const char *const rpl_step_names[STEP_COUNT];

/* why says what cannot be read or played. All memory from a. */
enum rpl_found rpl_read(struct arena *a, struct span text, struct rpl *ret, struct buf *why);
/* The value of a line "key: value" of the configuration, without quotes; n = 0 none. */
struct span rpl_conf_value(const struct rpl *r, const char *key);

/* A message as it came. */
enum err rpl_parse(struct arena *a, struct span wire, struct rpl_packet *ret) MUST_CHECK;

struct rpl_judge {
	bool deckard;
	bool upstream;                /* a question of the resolver, not an answer to its client */
	uint32_t ttl_slack;
};

/* Does the message match the entry? If not, why has the first difference. */
bool rpl_matches(const struct rpl_judge *j, const struct rpl_entry *e, const struct rpl_packet *got, struct buf *why);
/* What a server of this entry says to q, cut to `limit` as servers do. */
void rpl_answer(const struct rpl_entry *e, const struct rpl_packet *q, struct span question, size_t limit,
                struct buf *to);
/* The message of a question of the scenario's client. */
void rpl_question(const struct rpl_entry *e, uint16_t id, struct buf *to);
/* "example.com. IN A". */
void rpl_question_text(const struct rpl_packet *p, struct buf *to);

#endif
