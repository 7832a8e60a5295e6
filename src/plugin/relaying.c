#include "plugin/relaying.h"

#include "base/duration.h"
#include "base/hash.h"
#include "plugin/forwarding.h"
#include "plugin/validate.h"

#define FILE_EVERY (10 * SECOND)
#define HOST_MAX 300u                  /* bytes of a TO without its scheme and port */
#define NAMESERVERS_MAX 16u            /* taken of one file */
#define PROBE_FIRST (500 * (msec)1)

static void say(const struct directive *d, const struct word *w, struct diag *diag, const char *text)
{
	diag_error(diag, d->file, w->line, w->column, "%s", text);
}

bool relaying_holds(const struct forwarding *f, struct name name)
{
	const struct relaying *r = &f->relaying;
	if (!name_below(name, f->zone))
		return false;
	return name_eq(name, f->zone) || zones_find(&r->except, name) == NULL;
}

/* ---- servers ---- */

/* The rest of text behind its port, if it ends in one. */
static struct span cut_port(struct span s, uint16_t *ret_port)
{
	size_t i = s.n;
	uint32_t port = 0, unit = 1;
	while (i > 0 && s.p[i - 1] >= '0' && s.p[i - 1] <= '9' && s.n - i < 5) {
		port += unit * (s.p[--i] - '0');
		unit *= 10;
	}
	bool bare_6 = i > 0 && s.p[0] != '[' && memchr(s.p, ':', i - 1) != NULL && memchr(s.p, '%', i) == NULL;
	if (i == s.n || i == 0 || s.p[i - 1] != ':' || bare_6 || port == 0 || port > 65535)
		return s;
	*ret_port = (uint16_t)port;
	return span_of(s.p, i - 1);
}

/* HOST[:PORT] with or without brackets; over TLS the name that its certificate must have stands behind %. */
bool relaying_server(struct span s, bool tls, struct arena *a, struct upstream *ret)
{
	uint16_t port = tls ? 853 : 53;
	*ret = (struct upstream){ .tls = tls };
	s = cut_port(s, &port);
	const uint8_t *percent = tls && s.n > 0 ? memchr(s.p, '%', s.n) : NULL;
	if (percent != NULL) {
		struct span name = span_from(s, (size_t)(percent - s.p) + 1);
		ret->tls_name = name.n == 0 ? NULL : arena_text(a, name);
		s.n = (size_t)(percent - s.p);
	}
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_of(s.p + 1, s.n - 2);
	return addr_parse(s, port, &ret->addr) == OK;
}

static struct to *to_add(struct relaying *r, const struct directive *d, const struct word *w, struct diag *diag)
{
	if (r->ntos < TOS_MAX)
		return &r->tos[r->ntos++];
	diag_error(diag, d->file, w->line, w->column, "more than 15 TOs configured: %u", d->nargs - 1);
	return NULL;
}

static bool is_name(const char *text, struct name *ret, uint8_t store[NAME_MAX_BYTES])
{
	return text[0] != 0 && name_from_text(span_text(text), NULL, store, ret) == OK;
}

static void server_refuse(const struct directive *d, const struct word *w, struct diag *diag)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name n;
	bool name = is_name(w->text, &n, store) && strpbrk(w->text, ":/ []%") == NULL;
	if (name)
		diag_error(diag, d->file, w->line, w->column,
		           "'%s' is a host's name, and a server's name is not looked up; expected its address",
		           w->text);
	else
		diag_error(diag, d->file, w->line, w->column, "not an IP address, file, or valid domain: \"%s\"",
		           w->text);
}

/* One TO of the directive. */
static void to_read(struct relaying *r, const struct directive *d, const struct word *w, struct arena *a,
                    struct diag *diag)
{
	const char *scheme = strstr(w->text, "://"), *rest = scheme == NULL ? w->text : scheme + 3;
	size_t n = scheme == NULL ? 0 : (size_t)(scheme - w->text);
	bool tls = n == 3 && strncmp(w->text, "tls", n) == 0, https = n == 5 && strncmp(w->text, "https", n) == 0;
	struct upstream u;
	if (https) {
		diag_error(diag, d->file, w->line, w->column,
		           "'%s': upstreams are not asked over HTTPS, where nothing is gained over TLS; expected "
		           "tls://ADDRESS%%NAME", w->text);
		return;
	}
	if (scheme != NULL && !tls && (n != 3 || strncmp(w->text, "dns", n) != 0)) {
		diag_error(diag, d->file, w->line, w->column,
		           "'%.*s' is not supported as a destination protocol in forward: %s", (int)n, w->text,
		           w->text);
		return;
	}
	bool good = relaying_server(span_text(rest), tls, a, &u), file = scheme == NULL && strchr(rest, '/') != NULL;
	if (!good && !file) {
		server_refuse(d, w, diag);
		return;
	}
	struct to *to = to_add(r, d, w, diag);
	if (to != NULL)
		*to = (struct to){ .server = u, .file = good ? NULL : directive_path(d, rest, a) };
}

void relaying_head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct forwarding *f = self;
	struct relaying *r = &f->relaying;
	struct name zones[REVERSE_ZONES_MAX];
	r->is = true;
	r->at = d;
	r->rules.probe = name_root;
	r->rules.probe_every = PROBE_FIRST;
	if (d->nargs < 2) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "Wrong argument count or unexpected line ending after '%s'",
		           d->nargs == 0 ? d->word.text : d->args[0].text);
		return;
	}
	f->name_text = d->args[0].text;
	if (zones_of(d->args[0].text, a, zones) == 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "unable to normalize '%s'",
		           d->args[0].text);
		return;
	}
	memcpy(f->zone_wire, zones[0].wire, zones[0].len);
	f->zone = (struct name){ .wire = f->zone_wire, .len = zones[0].len, .labels = zones[0].labels };
	for (unsigned i = 1; i < d->nargs; i++)
		to_read(r, d, &d->args[i], a, diag);
}

/* ---- files ---- */

static bool span_has(struct span s, const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i + n <= s.n; i++) {
		if (memcmp(s.p + i, text, n) == 0)
			return true;
	}
	return false;
}

static struct to *file_at(struct relaying *r, unsigned i)
{
	for (unsigned k = 0; k < r->ntos; k++) {
		if (r->tos[k].file != NULL && i-- == 0)
			return &r->tos[k];
	}
	return NULL;
}

/* Behind the servers' files those of `tls`. *ret_which: 0 certificate, 1 key, 2 authorities. */
static const char *identity_file(const struct relaying *r, unsigned i, unsigned *ret_which)
{
	for (unsigned k = 0; k < r->ntos; k++)
		i -= r->tos[k].file != NULL;
	for (unsigned k = 0; k < COUNT(r->own.files); k++) {
		if (r->own.files[k] == NULL || i-- > 0)
			continue;
		if (ret_which != NULL)
			*ret_which = k;
		return r->own.files[k];
	}
	return NULL;
}

static void identity_take(struct relaying *r, unsigned i, struct span text, struct diag *diag)
{
	struct span *const to[] = { &r->own.trust.certificate, &r->own.trust.key, &r->own.trust.ca };
	unsigned which = 0;
	const char *path = identity_file(r, i, &which);
	if (path == NULL)
		return;
	if (text.n == 0 || !span_has(text, "-----BEGIN "))
		diag_error(diag, path, 0, 0, "there is no %s in it; expected PEM", which == 1 ? "key" : "certificate");
	*to[which] = text;
}

bool relaying_file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct forwarding *f = self;
	const struct to *to = file_at((struct relaying *)&f->relaying, i);
	const char *path = to != NULL ? to->file : identity_file(&f->relaying, i, NULL);
	if (path != NULL)
		*ret = (struct file_want){ .path = path, .every = FILE_EVERY };
	return path != NULL;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; n 0 at its end. */
static struct span word_next(struct span *line)
{
	size_t i = 0, from;
	while (i < line->n && is_blank(line->p[i]))
		i++;
	for (from = i; i < line->n && !is_blank(line->p[i]);)
		i++;
	struct span w = span_of(line->p + from, i - from);
	*line = span_from(*line, i);
	return w;
}

static bool is_word(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* systemd-resolved listens there on its own machine alone, and asks this server in turn where it is the machine's. */
static void hint(const char *file, uint32_t line, const struct addr *a, struct diag *diag)
{
	static const uint8_t stub[4] = { 127, 0, 0, 53 };
	if (a->family == ADDR_4 && memcmp(a->ip, stub, sizeof(stub)) == 0)
		diag_warning(diag, file, line, 1,
		             "127.0.0.53 is systemd-resolved on the machine itself: in a pod it is not there, and "
		             "where it asks this server the questions go in a circle, so name the file of the "
		             "servers it asks, /run/systemd/resolve/resolv.conf; expected those");
}

void relaying_file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct relaying *r = &((struct forwarding *)self)->relaying;
	struct to *to = file_at(r, i);
	if (to == NULL) {
		identity_take(r, i, text, diag);
		return;
	}
	struct upstream found[NAMESERVERS_MAX];
	unsigned n = 0;
	uint32_t number = 0;
	while (text.n > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		struct span line = span_of(text.p, end == NULL ? text.n : (size_t)(end - text.p));
		text = end == NULL ? span_of(text.p, 0) : span_from(text, line.n + 1);
		number++;
		struct span word = word_next(&line), value = word_next(&line);
		if (!is_word(word, "nameserver") || n == NAMESERVERS_MAX)
			continue;
		struct upstream u;
		if (!relaying_server(value, false, a, &u)) {
			diag_warning(diag, to->file, number, 1, "'%.*s' is no address, and is passed over",
			             (int)MIN(value.n, HOST_MAX), (const char *)value.p);
			continue;
		}
		hint(to->file, number, &u.addr, diag);
		found[n++] = u;
	}
	to->list = arena_dup(a, found, sizeof(found[0]) * MAX(n, 1u));
	to->n = to->list == NULL ? 0 : n;
}

/* ---- lines within the braces ---- */

static struct relaying *relaying_of(void *self)
{
	return &((struct forwarding *)self)->relaying;
}

static bool has_args(const struct directive *d, unsigned least, struct diag *diag)
{
	if (d->nargs >= least)
		return true;
	diag_error(diag, d->file, d->word.line, d->word.column,
	           "Wrong argument count or unexpected line ending after '%s'", d->word.text);
	return false;
}

void relaying_except(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct relaying *r = relaying_of(self);
	if (!has_args(d, 1, diag))
		return;
	struct zone_list more = zones_read(d, 0, a, diag);
	struct name *all = ARENA_ARRAY(a, struct name, r->except.n + more.n + 1);
	if (all == NULL)
		return;
	if (r->except.n > 0)
		memcpy(all, r->except.names, sizeof(*all) * r->except.n);
	if (more.n > 0)
		memcpy(all + r->except.n, more.names, sizeof(*all) * more.n);
	r->except = (struct zone_list){ all, r->except.n + more.n };
}

static bool number_parse(const char *text, uint32_t *ret)
{
	uint64_t v = 0;
	for (const char *c = text; *c != 0; c++) {
		if (*c < '0' || *c > '9' || v > UINT32_MAX / 10)
			return false;
		v = v * 10 + (uint64_t)(*c - '0');
	}
	*ret = (uint32_t)v;
	return *text != 0;
}

void relaying_attempts(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct relaying *r = relaying_of(self);
	(void)a;
	if (!has_args(d, 1, diag))
		return;
	r->attempts_given = true;
	if (!number_parse(d->args[0].text, &r->rules.max_attempts))
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "max_connect_attempts: '%s' is no number; expected one from 0", d->args[0].text);
}

void relaying_health(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct relay *r = &relaying_of(self)->rules;
	msec every = 0;
	if (!has_args(d, 1, diag))
		return;
	if (duration_parse(span_text(d->args[0].text), &every) != OK || every < 0) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           every < 0 ? "health_check can't be negative: %s" : "health_check: invalid duration \"%s\"",
		           d->args[0].text);
		return;
	}
	r->probe_every = every;
	for (unsigned i = 1; i < d->nargs; i++) {
		const struct word *w = &d->args[i];
		struct name zones[REVERSE_ZONES_MAX];
		if (strcmp(w->text, "no_rec") == 0) {
			r->probe_no_rd = true;
		} else if (strcmp(w->text, "domain") == 0 && i + 1 < d->nargs) {
			w = &d->args[++i];
			if (zones_of(w->text, a, zones) > 0)
				r->probe = zones[0];
			else
				diag_error(diag, d->file, w->line, w->column, "health_check: invalid domain name %s",
				           w->text);
		} else {
			diag_error(diag, d->file, w->line, w->column, "health_check: unknown option %s", w->text);
		}
	}
}

void relaying_policy(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	static const struct { const char *word; enum relay_order order; } rows[] = {
		{ "random", ORDER_RANDOM }, { "round_robin", ORDER_ROUND_ROBIN }, { "sequential", ORDER_SEQUENTIAL },
	};
	(void)a;
	if (!has_args(d, 1, diag))
		return;
	for (unsigned i = 0; i < COUNT(rows); i++) {
		if (strcmp(d->args[0].text, rows[i].word) == 0) {
			relaying_of(self)->rules.order = rows[i].order;
			return;
		}
	}
	diag_error(diag, d->file, d->args[0].line, d->args[0].column, "unknown policy '%s'", d->args[0].text);
}

/* RCODEs by name, in any case. */
static void rcodes_read(struct relay_rcodes *to, const struct directive *d, struct diag *diag)
{
	if (!has_args(d, 1, diag))
		return;
	for (unsigned i = 0; i < d->nargs; i++) {
		const struct word *w = &d->args[i];
		int code = -1;
		for (unsigned k = 0; k < RELAY_RCODES_MAX; k++) {
			const char *name = rcode_name(k);
			if (name != NULL && strcasecmp(name, w->text) == 0)
				code = (int)k;
		}
		if (code < 0)
			diag_error(diag, d->file, w->line, w->column, "%s is not a valid rcode", w->text);
		else if (!relay_has(to, (unsigned)code) && to->n < RELAY_RCODES_MAX)
			to->list[to->n++] = (uint16_t)code;
	}
}

void relaying_next(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	rcodes_read(&relaying_of(self)->rules.next, d, diag);
}

void relaying_failover(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct relay_rcodes *to = &relaying_of(self)->rules.failover;
	(void)a;
	rcodes_read(to, d, diag);
	if (relay_has(to, RCODE_NOERROR))
		say(d, &d->word, diag, "NoError cannot be used in failover");
}

void relaying_tls(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct identity *own = &relaying_of(self)->own;
	if (d->nargs > COUNT(own->files)) {
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "Wrong argument count or unexpected line ending after 'tls'");
		return;
	}
	const char *path[3];
	for (unsigned i = 0; i < d->nargs; i++)
		path[i] = directive_path(d, d->args[i].text, a);
	own->is = d->nargs > 0;
	own->files[0] = d->nargs >= 2 ? path[0] : NULL;
	own->files[1] = d->nargs >= 2 ? path[1] : NULL;
	own->files[2] = d->nargs == 1 || d->nargs == 3 ? path[d->nargs - 1] : NULL;
}

void relaying_source(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	if (!has_args(d, 1, diag))
		return;
	if (addr_parse(span_text(d->args[0].text), 0, &relaying_of(self)->source) != OK)
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "source_address: '%s' is no address; expected ADDRESS", d->args[0].text);
}

/* Words of the directive for what is not there. */
void relaying_refused(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)self;
	(void)a;
	bool doh = strcmp(d->word.text, "doh_method") == 0;
	diag_error(diag, d->file, d->word.line, d->word.column, "'%s' is not supported: %s", d->word.text,
	           doh ? "upstreams are not asked over HTTPS; expected tls:// servers, and no such line"
	               : "servers' names are not looked up; expected their addresses, and no such line");
}

/* ---- the whole ---- */

/* Which name its certificate must have: that of the server, that of all, or its address. */
static void name_server(const struct relaying *r, struct upstream *u, struct arena *a, struct diag *diag)
{
	if (!u->tls)
		return;
	if (u->tls_name != NULL && r->tls_servername != NULL)
		diag_error(diag, r->at->file, r->at->word.line, r->at->word.column,
		           "both forward ('%s') and proxy level ('%s') TLS servernames are set for upstream proxy; "
		           "expected one", r->tls_servername, u->tls_name);
	if (u->tls_name == NULL)
		u->tls_name = r->tls_servername;
	if (u->tls_name != NULL)
		return;
	char text[ADDR_TEXT_MAX];
	struct buf b = buf_on(text, sizeof(text));
	addr_text(&u->addr, &b);
	u->tls_name = arena_text(a, buf_span(&b));
}

/* Equal files are one identity. */
static void identity_name(struct upstream_trust *t)
{
	static const struct hash_key key = { { 0 } };
	t->id = hash_bytes(&key, t->ca) * 3 + hash_bytes(&key, t->certificate) * 5 + hash_bytes(&key, t->key) * 7;
}

/* All servers in the order of their TOs. */
static unsigned gather(const struct relaying *r, struct upstream *to)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->ntos; i++) {
		const struct to *t = &r->tos[i];
		for (unsigned k = 0; t->file != NULL && k < t->n && n < TOS_MAX; k++)
			to[n++] = t->list[k];
		if (t->file == NULL && n < TOS_MAX)
			to[n++] = t->server;
	}
	return n;
}

void relaying_joined(struct forwarding *f, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct relaying *r = &f->relaying;
	struct upstream *servers = ARENA_ARRAY(a, struct upstream, TOS_MAX);
	if (servers == NULL)
		return;
	unsigned n = gather(r, servers);
	if (n == 0) {
		diag_error(diag, r->at->file, r->at->word.line, r->at->word.column,
		           "no valid upstream addresses found");
		return;
	}
	if (r->rules.max_age > 0 && r->rules.max_age < r->rules.expire)
		diag_error(diag, r->at->file, r->at->word.line, r->at->word.column,
		           "max_age (%lld ms) must not be less than expire (%lld ms)", (long long)r->rules.max_age,
		           (long long)r->rules.expire);
	bool all_tls = true;
	identity_name(&r->own.trust);
	for (unsigned i = 0; i < n; i++) {
		servers[i].trust = r->own.is ? &r->own.trust : NULL;
		name_server(r, &servers[i], a, diag);
		if (r->source.family == servers[i].addr.family)
			servers[i].local = r->source;
		all_tls &= servers[i].tls;
	}
	if (!r->attempts_given)
		r->rules.max_attempts = 2 * n;
	r->rules.whole = validate_settings(chain) != NULL;
	f->group = (struct upstream_group){ .servers = servers, .n = n, .tls = all_tls, .tcp = f->tcp,
		                            .recursive = true, .relay = &r->rules };
	struct chain_conf *c = &chain->conf;
	c->pack.keep_flags = true;
	c->pack.ttl_max = c->pack.negative_max = UINT32_MAX;   /* a cache sees to that */
	c->pack.keep_ttls = true;
	c->by_do |= !r->rules.whole;
	chain->by_stream |= !all_tls && !f->tcp && !r->rules.prefer_udp;
}

void relaying_text(const struct relaying *r, struct buf *to)
{
	const struct relay *w = &r->rules;
	buf_printf(to, " order %d fails %u idle %u expire %lld age %lld probe %lld", w->order, w->max_fails,
	           w->max_idle, (long long)w->expire, (long long)w->max_age, (long long)w->probe_every);
	if (r->own.is)
		buf_printf(to, " trust %llx", (unsigned long long)r->own.trust.id);
}
