/* fetch: HTTP as an effect. What lives of a plugin begins a request; its head, pieces and end come back to the step
 * .fetched of the same plugin, with the same live. Nothing is parsed but the status. */
#ifndef CORE_FETCH_H
#define CORE_FETCH_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slots.h"
#include "base/span.h"
#include "base/time.h"

struct chain;
struct engine;
struct query;
struct steps;

#define FETCH_URL_MAX 4096u
#define FETCH_TEXT_MAX 1024u          /* the other texts of a request, and of a login: paths, names */
#define FETCH_PEM_MAX (512u * 1024u)  /* certificates, keys, tokens */
#define FETCH_BODY_MAX (1u << 20)     /* of a request */
#define FETCH_ADDRS_MAX 16u
#define FETCHES_MAX 256u              /* under way, of one worker */

/* How the two ends prove who they are. Files are read anew for each request, as they may be exchanged. PEM text goes
 * before a file. Nothing of it is ever logged. */
struct fetch_login {
	const char *ca_file, *cert_file, *key_file;   /* NULL none; without authorities: those of the system */
	struct span ca, cert, key;
	const char *token_file;           /* Authorization: Bearer */
	struct span token;
	bool token_bare;                  /* without the word Bearer before it (etcd) */
	const char *user, *password;      /* Authorization: Basic */
	const char *server_name;          /* checked instead of the URL's host; NULL the URL's */
	bool unchecked;                   /* insecure-skip-tls-verify */
};

struct fetch {
	const char *method;               /* NULL: GET */
	const char *url;                  /* http://, https:// */
	const char *accept, *content_type;    /* NULL none */
	struct span body;
	const struct fetch_login *login;  /* NULL: none */
	const struct addr *addrs;         /* where the URL's host is; none are needed when it is an address */
	unsigned naddrs;
	const struct chain *chain;        /* of the server that looks the host up when there are none, engine.tending's
	                                   * while .tend is called; NULL: nobody does, and a name is refused */
	uint32_t connect_ms, idle_ms;     /* until it is open; without a byte. 0: 10 s, and no bound */
};

enum fetched_kind {
	FETCHED_HEAD,     /* status, retry_secs, bytes: the content type */
	FETCHED_PIECE,    /* bytes, never empty, cut anywhere */
	FETCHED_END,      /* of the request; text: what was wrong, NULL when all came that was to come */
};

struct fetched {
	enum fetched_kind kind;
	uint64_t fetch;
	unsigned status;
	uint32_t retry_secs;              /* Retry-After; 0: nothing is said */
	struct span bytes;                /* valid during the call */
	const char *text;
};

struct fetch_row;
struct fetch_request;

/* Those under way, of one engine. */
struct fetches {
	struct slots rows;
	struct fetch_row *todo, **todo_last;   /* the world is to be told of them */
	struct fetch_request *said;            /* told of in this turn */
};

void fetches_init(struct fetches *f);
void fetches_fini(struct fetches *f);

/* Begin a request; what it points to is copied. It ends with FETCHED_END, or with fetch_end: until then, `live` is
 * there.
 * returns ERR_LIMIT: too many are under way, or something in it is too long */
enum err fetch_begin(struct engine *e, const struct steps *steps, void *live, const struct fetch *what, uint64_t *ret)
	MUST_CHECK;
/* No more of it is wanted; an id whose request has ended is nothing. */
void fetch_end(struct engine *e, uint64_t fetch);

/* For the engine: a question for the host's addresses has ended. */
void fetches_looked(struct engine *e, const struct query *q);
/* For the engine: tell the world what there is room for, hear what it says; is there anything left to tell? */
void fetches_turn(struct engine *e);
void fetches_event(struct engine *e, const struct fetched *what);
bool fetches_busy(const struct fetches *f);

#endif
