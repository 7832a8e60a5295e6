#include "plugin/localzone.h"

#include "base/assert.h"

#define DEFAULT_TTL 3600u       /* of local-data that says none */
#define REVERSE_MAX 80u         /* "f.f. ... ip6.arpa.", NUL */
#define SOA_TEXT " 10800 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800"
#define NS_TEXT " 10800 IN NS localhost."

const char *const local_kind_names[LOCAL_KINDS] = {
#define KIND(NAME, text, flags, there, nowhere) text,
#include "plugin/localzone_kinds.def"
};

struct making {
	struct localzone *z;
	struct arena *a;
	struct diag *diag;
	bool full;                 /* of the arena; said once, at the end */
};

/* ---- statements ---- */

static struct stated *stated_new(const struct directive *d, struct arena *a)
{
	struct stated *s = ARENA_NEW(a, struct stated);
	if (s != NULL)
		s->d = d;
	return s;
}

static unsigned kind_find(const char *text)
{
	unsigned i = 0;
	while (i < LOCAL_KINDS && strcmp(local_kind_names[i], text) != 0)
		i++;
	return i;
}

static void complain_kind(const struct directive *d, struct diag *diag)
{
	char text[600];
	struct buf b = buf_on(text, sizeof(text));
	buf_text(&b, "local-zone type: expected ");
	for (unsigned i = 0; i < LOCAL_KINDS; i++)
		buf_printf(&b, "%s%s", i == 0 ? "" : i + 1 < LOCAL_KINDS ? ", " : " or ", local_kind_names[i]);
	diag_error(diag, d->file, d->args[1].line, d->args[1].column, "%s", buf_cstr(&b));
}

void localzone_zone(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct localzone *z = self;
	uint8_t store[NAME_MAX_BYTES];
	struct name name;
	struct stated *s = stated_new(d, a);
	if (s == NULL)
		return;
	if (kind_find(d->args[1].text) == LOCAL_KINDS) {
		complain_kind(d, diag);
	} else if (name_from_text(span_text(d->args[0].text), NULL, store, &name) != OK) {
		diag_error(diag, d->file, d->args[0].line, d->args[0].column,
		           "cannot parse name %s; expected a domain name, then '%s'", d->args[0].text, d->args[1].text);
	} else {
		s->next = z->zones;
		z->zones = s;
	}
}

void localzone_data(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct localzone *z = self;
	struct stated *s = stated_new(d, a);
	(void)diag;
	if (s == NULL)
		return;
	if (z->data == NULL)
		z->data = s;
	else
		z->last_data->next = s;
	z->last_data = s;
}

/* ---- zones ---- */

static struct local_node *zone_node(struct making *m, const char *zone)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name name;
	enum err e = name_from_text(span_text(zone), NULL, store, &name);
	ASSERT(e == OK);   /* a name of ours, or looked at when it was read */
	struct local_node *n = local_node_make(&m->z->tree, name, CLASS_IN);
	m->full |= n == NULL;
	return n;
}

static void zone_add(struct making *m, const struct directive *d)
{
	unsigned kind = kind_find(d->args[1].text);
	struct local_node *n = zone_node(m, d->args[0].text);
	if (n == NULL)
		return;
	if (kind == LOCAL_NODEFAULT)
		n->no_default = true;
	else if (n->zone != NULL)
		diag_warning(m->diag, d->file, d->word.line, d->word.column,
		             "duplicate local-zone %s; the last one counts", d->args[0].text);
	else
		m->full |= local_zone_make(&m->z->tree, n, (uint8_t)kind) != OK;
	if (kind == LOCAL_IPSET)
		diag_warning(m->diag, d->file, d->word.line, d->word.column,
		             "local-zone %s ipset: addresses are not put into a set of the kernel; the zone is "
		             "transparent", d->args[0].text);
}

/* ---- records ---- */

/* Errors in the words of Unbound, whose users look for them. */
static const char *data_wrong(enum err e, const char *text, size_t column)
{
	bool ended = column >= strlen(text);
	if (ended && strchr(text, ' ') == NULL && strchr(text, '\t') == NULL)
		return "Syntax error, could not parse the RR's TTL";
	if (e == ERR_NOTFOUND)
		return "Syntax error, could not parse the RR's type";
	if (e == ERR_NAME)
		return "a malformed domain name";
	return ended ? "Syntax error, the RR ends early" : "Syntax error, could not parse the RR's rdata";
}

/* Where Unbound says it is: behind a type that it does not know. */
static size_t data_at(enum err e, const char *text, size_t column)
{
	if (e != ERR_NOTFOUND || column >= strlen(text))
		return column;
	column += strcspn(text + column, " \t");
	return text[column] == 0 ? column : column + 1;
}

/* May the record stand at its name? In a redirect zone all names have the records of its own. */
static bool fits(struct making *m, struct local_node *n, const struct rr *rr, const struct directive *d,
                 const char *text)
{
	const struct local_node *apex = local_apex(n);
	if (apex == NULL || (apex->zone->kind != LOCAL_REDIRECT && apex->zone->kind != LOCAL_INFORM_REDIRECT))
		return true;
	if (apex != n) {
		diag_error(m->diag, d->file, d->args[0].line, d->args[0].column,
		           "local-data in redirect zone must reside at top of zone, not at %s; expected a local-zone "
		           "of another type", text);
		return false;
	}
	for (const struct local_item *i = n->items; i != NULL; i = i->next) {
		if (i->rr.type != RR_CNAME && rr->type != RR_CNAME)
			continue;
		diag_error(m->diag, d->file, d->args[0].line, d->args[0].column,
		           "local-data '%s' in redirect zone must not coexist with %s local-data; expected the CNAME "
		           "alone", text, i->rr.type == RR_CNAME ? "CNAME" : "other");
		return false;
	}
	return true;
}

static void record_add(struct making *m, const struct directive *d, const char *text)
{
	struct rr rr;
	size_t column = 0;
	struct rr_defaults defaults = { .ttl = DEFAULT_TTL };
	enum err e = rr_from_text(m->a, span_text(text), &defaults, &rr, &column);
	if (e != OK) {
		m->full |= e == ERR_LIMIT;
		diag_error(m->diag, d->file, d->args[0].line, d->args[0].column,
		           "error parsing local-data at %zu '%s': %s; expected NAME [TTL] [CLASS] TYPE DATA",
		           data_at(e, text, column), text, data_wrong(e, text, column));
		return;
	}
	rr.section = SEC_ANSWER;
	struct local_node *n = local_node_make(&m->z->tree, rr.owner, rr.class);
	if (n == NULL)
		m->full = true;
	else if (fits(m, n, &rr, d, text))
		m->full |= local_item_add(&m->z->tree, n, &rr) != OK;
}

static void reverse_text(const struct addr *a, struct buf *to)
{
	for (size_t i = addr_len(a); i-- > 0;) {
		if (a->family == ADDR_4)
			buf_printf(to, "%u.", a->ip[i]);
		else
			buf_printf(to, "%x.%x.", a->ip[i] & 15u, a->ip[i] >> 4u);
	}
	buf_text(to, a->family == ADDR_4 ? "in-addr.arpa." : "ip6.arpa.");
}

static const char *skip_word(const char *at)
{
	return at + strcspn(at, " \t");
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* "ADDRESS [TTL] NAME" as the PTR record it stands for. */
static void pointer_add(struct making *m, const struct directive *d)
{
	const char *text = skip_blanks(d->args[0].text), *end = skip_word(text), *name = skip_blanks(end), *ttl = "";
	char reverse[REVERSE_MAX];
	struct buf b = buf_on(reverse, sizeof(reverse));
	struct addr addr;
	size_t nttl = 0;
	if (*name >= '0' && *name <= '9' && *skip_blanks(skip_word(name)) != 0) {
		ttl = name;
		nttl = (size_t)(skip_word(name) - name);
		name = skip_blanks(skip_word(name));
	}
	if (*name == 0 || addr_parse(span_of(text, (size_t)(end - text)), 0, &addr) != OK) {
		diag_error(m->diag, d->file, d->args[0].line, d->args[0].column,
		           "local-data-ptr could not be reversed; expected ADDRESS [TTL] NAME");
		return;
	}
	reverse_text(&addr, &b);
	const char *record = arena_printf(m->a, "%s %.*s PTR %s", buf_cstr(&b), (int)nttl, ttl, name);
	if (record == NULL)
		m->full = true;
	else
		record_add(m, d, record);
}

/* ---- default zones ---- */

static const struct preset {
	enum { PRESET_HOME, PRESET_LAN, PRESET_DATA } what;
	const char *text;
	uint8_t kind;
	uint8_t from, to;          /* of a range; both 0: text is the zone */
} presets[] = {
#define HOME(zone, kind) { PRESET_HOME, zone, LOCAL_##kind, 0, 0 },
#define LAN(zone) { PRESET_LAN, zone, LOCAL_STATIC, 0, 0 },
#define LAN_RANGE(from, to, zone) { PRESET_LAN, zone, LOCAL_STATIC, from, to },
#define DATA(record) { PRESET_DATA, record, 0, 0, 0 },
#include "plugin/localzone_defaults.def"
};

static const struct directive preset_place = { .file = "(default)", .args = &(const struct word){ "", 0, 0 } };

/* returns whether the zone stands as it is in the table */
static bool preset_zone(struct making *m, const struct preset *p, const char *zone)
{
	struct local_node *n = zone_node(m, zone);
	if (n == NULL)
		return false;
	n->default_seen = true;
	if (n->no_default || n->zone != NULL || (p->what == PRESET_LAN && m->z->unblock_lan))
		return false;
	m->full |= local_zone_make(&m->z->tree, n, p->kind) != OK;
	const char *soa = arena_printf(m->a, "%s%s", zone, SOA_TEXT), *ns = arena_printf(m->a, "%s%s", zone, NS_TEXT);
	if (m->full || soa == NULL || ns == NULL) {
		m->full = true;
		return false;
	}
	record_add(m, &preset_place, soa);
	record_add(m, &preset_place, ns);
	return true;
}

static void presets_add(struct making *m)
{
	bool stands = false;
	for (size_t i = 0; i < COUNT(presets); i++) {
		const struct preset *p = &presets[i];
		if (p->what == PRESET_DATA) {
			if (stands)
				record_add(m, &preset_place, p->text);
		} else if (p->to == 0) {
			stands = preset_zone(m, p, p->text);
		} else {
			for (unsigned k = p->from; k <= p->to; k++) {
				const char *zone = arena_printf(m->a, "%u.%s", k, p->text);
				m->full |= zone == NULL;
				if (zone != NULL)
					preset_zone(m, p, zone);
			}
		}
	}
}

/* A nodefault that takes nothing away is nearly always a mistyped name. */
static void idle_warn(struct making *m)
{
	for (const struct stated *s = m->z->zones; s != NULL; s = s->next) {
		const struct directive *d = s->d;
		if (kind_find(d->args[1].text) != LOCAL_NODEFAULT)
			continue;
		const struct local_node *n = zone_node(m, d->args[0].text);
		if (n != NULL && !n->default_seen)
			diag_warning(m->diag, d->file, d->word.line, d->word.column,
			             "unused nodefault: no zone %s is there by default", d->args[0].text);
	}
}

void localzone_ready(void *self, struct arena *a, struct diag *diag)
{
	struct localzone *z = self;
	struct making m = { .z = z, .a = a, .diag = diag };
	m.full = local_tree_init(&z->tree, a) != OK;
	if (!m.full) {
		for (const struct stated *s = z->zones; s != NULL; s = s->next)
			zone_add(&m, s->d);
		presets_add(&m);
		for (const struct stated *s = z->data; s != NULL; s = s->next) {
			if (strcmp(s->d->word.text, "local-data-ptr") == 0)
				pointer_add(&m, s->d);
			else
				record_add(&m, s->d, s->d->args[0].text);
		}
		idle_warn(&m);
		m.full |= local_tree_ready(&z->tree, LOCAL_TRANSPARENT) != OK;
	}
	if (m.full)
		diag_error(diag, NULL, 0, 0, "too many local zones and data; expected a smaller configuration");
}
