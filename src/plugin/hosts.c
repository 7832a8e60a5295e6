/* hosts: names and addresses of a file like /etc/hosts, and of lines in the Corefile itself. A name has only what is
 * written; as there is no SOA, an unknown one is SERVFAIL and not NXDOMAIN, unless it may fall through. */
#include <stdatomic.h>

#include "base/duration.h"
#include "base/heap.h"
#include "core/sample.h"
#include "plugin/arguments.h"
#include "plugin/lines.h"
#include "plugin/localdata.h"
#include "plugin/saying.h"
#include "plugin/zones.h"

#define FILE_DEFAULT "/etc/hosts"
#define EVERY_DEFAULT_MS (5 * SECOND)
#define TTL_DEFAULT 3600u
#define TTL_MAX 65535u
#define HOSTS_RRS_MAX 64u       /* records of one name and type; more are left out */
#define REVERSE_TEXT_MAX 80u    /* "f.f. ... ip6.arpa.", NUL */

struct hosts_line {
	struct hosts_line *next;
	struct span text;
};

struct hosts {
	const char *file;
	msec every;
	uint32_t ttl;
	bool no_reverse, falls, falls_unsupported;
	struct zone_list zones, fall_zones;
	struct hosts_line *lines, **last;   /* in the Corefile */
	struct span text;                   /* of the file */
	struct local_tree tree;
	bool wildcards;                     /* there are some */
	uint64_t entries;
};

struct live {
	_Atomic(const void *) of;           /* whose entries these are */
	_Atomic int64_t since;
};

/* ---- what is said of a name ---- */

enum say { SAY_PASS, SAY_DATA, SAY_FAILURE };

struct ruling {
	enum say say;
	struct rr rrs[HOSTS_RRS_MAX];
	unsigned n;
};

static const struct local_item *items_of(const struct hosts *s, struct name name)
{
	const struct local_node *n = local_find(&s->tree, name, CLASS_IN).node;
	if (n != NULL && n->items != NULL)
		return n->items;
	for (unsigned i = 1; s->wildcards && i <= name.labels; i++) {
		static const uint8_t star_wire[] = "\1*";
		const struct name star = { star_wire, sizeof(star_wire), 1 };
		uint8_t store[NAME_MAX_BYTES];
		struct name wild;
		if (name_join(star, 1, name_up(name, i), store, &wild) != OK)
			continue;
		n = local_find(&s->tree, wild, CLASS_IN).node;
		if (n != NULL && n->items != NULL)
			return n->items;
	}
	return NULL;
}

static void take(const struct local_item *items, const struct question *q, struct ruling *r)
{
	for (const struct local_item *i = items; i != NULL; i = i->next) {
		if (i->rr.type != q->type || r->n == HOSTS_RRS_MAX)
			continue;
		r->rrs[r->n] = i->rr;
		r->rrs[r->n++].owner = q->name;
	}
}

static bool has_addresses(const struct local_item *items)
{
	while (items != NULL && items->rr.type == RR_PTR)
		items = items->next;
	return items != NULL;
}

static void judge(const struct hosts *s, const struct question *q, struct ruling *r)
{
	bool reverse = q->type == RR_PTR, address = q->type == RR_A || q->type == RR_AAAA;
	r->n = 0;
	r->say = SAY_PASS;
	if (q->class != CLASS_IN || (!reverse && zones_find(&s->zones, q->name) == NULL))
		return;
	if (!reverse && !address && s->falls_unsupported)
		return;
	const struct local_item *items = items_of(s, q->name);
	take(items, q, r);
	if (r->n > 0 || (!reverse && has_addresses(items)))
		r->say = SAY_DATA;
	else if (!reverse && !(s->falls && zones_find(&s->fall_zones, q->name) != NULL))
		r->say = SAY_FAILURE;
}

static void message(const struct question *q, struct ruling *r, struct msg *m)
{
	*m = (struct msg){ .flags = FLAG_QR | FLAG_AA | FLAG_RA, .question = *q, .rrs = r->rrs, .nrrs = r->n };
}

static enum verdict request(const struct link *l, struct query *q)
{
	struct ruling r;
	struct msg m;
	judge(l->self, &q->question, &r);
	if (r.say == SAY_PASS)
		return PASS;
	if (r.say == SAY_FAILURE)
		return query_fail(q, RCODE_SERVFAIL, -1, NULL);
	message(&q->question, &r, &m);
	return saying_query_msg(&m, ORIGIN_LOCAL, q);
}

static enum verdict fast(const struct link *l, struct fast *f)
{
	struct ruling r;
	struct msg m;
	judge(l->self, &f->client->question, &r);
	if (r.say == SAY_PASS)
		return PASS;
	if (r.say == SAY_FAILURE)
		return saying_fast_error(f, RCODE_SERVFAIL, (struct reason){ -1, NULL });
	message(&f->client->question, &r, &m);
	return saying_fast_msg(&m, ORIGIN_LOCAL, f);
}

/* A worker comes to a configuration: are these other entries than before? */
static msec tend(const struct link *l, struct engine *e)
{
	struct live *live = l->live;
	if (atomic_exchange(&live->of, l->self) != l->self)
		atomic_store(&live->since, e->now.wall.sec);
	return NEVER;
}

/* ---- reading ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	s->every = EVERY_DEFAULT_MS;
	s->ttl = TTL_DEFAULT;
	s->last = &s->lines;
	s->file = d->nargs > 0 ? directive_path(d, d->args[0].text, a) : FILE_DEFAULT;
	s->zones = zones_read(d, 1, a, diag);
}

static void fallthrough_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	s->falls = true;
	s->fall_zones = zones_or_all(d, 0, a, diag);
}

static void ttl_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	uint64_t ttl = 0;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (!arguments_number(d->args[0].text, TTL_MAX, &ttl) || ttl == 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "ttl must be in range [1, %u]: %s",
		           TTL_MAX, d->args[0].text);
	s->ttl = (uint32_t)ttl;
}

static void reload_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	(void)a;
	if (!arguments_are(d, 1, diag))
		return;
	if (duration_parse(span_text(d->args[0].text), &s->every) != OK || s->every < 0)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "invalid duration for reload '%s'",
		           d->args[0].text);
}

static void no_reverse_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (arguments_are(d, 0, diag))
		((struct hosts *)self)->no_reverse = true;
}

static void unsupported_parse(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (arguments_are(d, 0, diag))
		((struct hosts *)self)->falls_unsupported = true;
}

/* A line of the file's kind, which may stand only before what comes of names that are not there. */
static void line(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	struct addr addr;
	if (s->falls || addr_parse(span_text(d->word.text), 0, &addr) != OK) {
		diag_error(diag, d->file, d->word.line, d->word.column, "unknown property '%s'", d->word.text);
		return;
	}
	size_t cap = strlen(d->word.text) + 1;
	for (unsigned i = 0; i < d->nargs; i++)
		cap += strlen(d->args[i].text) + 1;
	struct hosts_line *l = ARENA_NEW(a, struct hosts_line);
	uint8_t *bytes = arena_alloc(a, cap);
	if (l == NULL || bytes == NULL)
		return;
	struct buf b = buf_on(bytes, cap);
	buf_text(&b, d->word.text);
	for (unsigned i = 0; i < d->nargs; i++) {
		buf_u8(&b, ' ');
		buf_text(&b, d->args[i].text);
	}
	l->text = buf_span(&b);
	*s->last = l;
	s->last = &l->next;
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct hosts *s = self;
	*ret = (struct file_want){ .path = s->file, .every = s->every, .optional = true };
	return i == 0;
}

static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	(void)i;
	(void)a;
	s->text = text;
	if (text.p == NULL)
		diag_warning(diag, s->file, 0, 0, "File does not exist: %s", s->file);
}

/* ---- the tree ---- */

static enum err add(struct hosts *s, struct name owner, uint16_t type, struct span rdata)
{
	struct local_node *n = local_node_make(&s->tree, owner, CLASS_IN);
	struct rr rr = { .owner = owner, .type = type, .class = CLASS_IN, .ttl = s->ttl, .rdata = rdata };
	unsigned count = 0;
	if (n == NULL)
		return ERR_LIMIT;
	for (const struct local_item *i = n->items; i != NULL; i = i->next)
		count += i->rr.type == type;
	if (count >= HOSTS_RRS_MAX)
		return OK;
	s->entries++;
	return local_item_add(&s->tree, n, &rr);
}

/* The name under which PTR records of an address stand (RFC1035 3.5, RFC3596 2.5). */
static struct name reverse_of(const struct addr *addr, uint8_t store[NAME_MAX_BYTES])
{
	char text[REVERSE_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	struct name n = name_root;
	for (size_t i = addr_len(addr); i-- > 0;) {
		if (addr->family == ADDR_4)
			buf_printf(&b, "%u.", addr->ip[i]);
		else
			buf_printf(&b, "%x.%x.", addr->ip[i] & 15u, addr->ip[i] >> 4);
	}
	buf_text(&b, addr->family == ADDR_4 ? "in-addr.arpa." : "ip6.arpa.");
	return name_from_text(buf_span(&b), NULL, store, &n) == OK ? n : name_root;
}

static enum err add_name(struct hosts *s, const struct addr *addr, struct span rdata, struct span text)
{
	uint8_t store[NAME_MAX_BYTES], folded[NAME_MAX_BYTES], reverse[NAME_MAX_BYTES];
	struct name name;
	if (name_from_text(text, NULL, store, &name) != OK || zones_find(&s->zones, name) == NULL)
		return OK;   /* as every reader of such files does: what is none of its business is passed over */
	name = name_dup(s->tree.arena, name_fold(name, folded));
	if (name.wire == NULL)
		return ERR_LIMIT;
	s->wildcards |= name_is_wildcard(name);
	TRY(add(s, name, addr->family == ADDR_4 ? RR_A : RR_AAAA, rdata));
	if (s->no_reverse || name_is_wildcard(name))
		return OK;
	return add(s, reverse_of(addr, reverse), RR_PTR, span_of(name.wire, name.len));
}

static enum err add_line(struct hosts *s, struct span text)
{
	struct span address = lines_word(&text);
	struct addr addr;
	const uint8_t *zone = address.n == 0 ? NULL : memchr(address.p, '%', address.n);
	if (zone != NULL)
		address.n = (size_t)(zone - address.p);
	if (address.n == 0 || addr_parse(address, 0, &addr) != OK)
		return OK;
	struct span rdata = arena_span(s->tree.arena, span_of(addr.ip, addr_len(&addr)));
	if (rdata.p == NULL)
		return ERR_LIMIT;
	for (struct span name = lines_word(&text); name.n > 0; name = lines_word(&text))
		TRY(add_name(s, &addr, rdata, name));
	return OK;
}

static enum err build(struct hosts *s, struct arena *a)
{
	struct span rest = s->text, text;
	TRY(local_tree_init(&s->tree, a));
	while (lines_next(&rest, &text))
		TRY(add_line(s, text));
	for (const struct hosts_line *l = s->lines; l != NULL; l = l->next)
		TRY(add_line(s, l->text));
	return OK;
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct hosts *s = self;
	(void)chain;
	if (build(s, a) != OK)
		diag_error(diag, s->file, 0, 0, "more names than there is room for");
}

/* ---- numbers ---- */

static void *live_make(const void *self, const struct live_env *env)
{
	(void)self;
	(void)env;
	return heap_new(sizeof(struct live));
}

static void samples(const struct link *l, const struct sample_labels *where, struct samples *to)
{
	static const struct family entries = { .name = "coredns_hosts_entries", .type = SAMPLE_GAUGE,
		                               .help = "The combined number of entries in hosts and Corefile." };
	static const struct family reloaded = { .name = "coredns_hosts_reload_timestamp_seconds", .type = SAMPLE_GAUGE,
		                                .help = "The timestamp of the last reload of hosts file." };
	struct live *live = l->live;
	(void)where;
	sample_add(to, &entries, ((const struct hosts *)l->self)->entries, "hostsfile=\"\"", NULL);
	sample_add(to, &reloaded, (uint64_t)atomic_load(&live->since), NULL, NULL);
}

#define WORD(w, n) .corefile = { w, n, NULL }, .type = OPT_CUSTOM

static const struct opt opts[] = {
	{ WORD("fallthrough", 1), .parse = fallthrough_parse, .doc = "Names that are not here are the next plugin's." },
	{ WORD("fallthrough_unsupported", 0), .parse = unsupported_parse,
	  .doc = "Types other than A, AAAA and PTR are the next plugin's." },
	{ WORD("ttl", 1), .parse = ttl_parse, .doc = "TTL of all records." },
	{ WORD("reload", 1), .parse = reload_parse, .doc = "How often the file is looked at; 0 never." },
	{ WORD("*", 1), .parse = line, .repeats = true, .doc = "ADDRESS NAME...: as in the file." },
	{ WORD("no_reverse", 0), .parse = no_reverse_parse, .doc = "No names for addresses." },
};

const struct plugin plugin_hosts = {
	.settings = { .name = "hosts", .doc = "names of /etc/hosts and its like",
	              .corefile = { .directive = "hosts", .many = DIRECTIVE_ONCE, .head = head },
	              .size = sizeof(struct hosts), .opts = opts, .nopts = COUNT(opts) },
	.steps = { .request = request, .fast = fast, .tend = tend },
	.live_make = live_make, .live_free = heap_free,
	.joined = joined,
	.file_want = file_want, .file_take = file_take,
	.samples = samples,
};
