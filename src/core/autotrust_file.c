#include "core/autotrust.h"

#include "wire/words.h"

#define BLANKS " \t\r"
#define ZONE_HEADER ";;id:"

const char *const autokey_state_names[] = { "START", "ADDPEND", "VALID", "MISSING", "REVOKED", "REMOVED" };
#define STATE_WIDTH 9u   /* the name stands in the middle of so many */

/* --- writing --- */

/* As ctime() writes it, in UTC: "Sun Nov 22 00:31:49 2026". For people alone. */
static void time_text(int64_t wall, struct buf *to)
{
	static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	static const char *const months[] = { "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
	                                      "Dec", "Jan", "Feb" };
	int64_t day = wall / DAY, second = wall % DAY;
	/* years that begin in March have their leap day at the end, and 400 of them always have as many days */
	int64_t since = day + 719468, era = since / 146097, of_era = since % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	int64_t in_month = of_year - (153 * month + 2) / 5 + 1;
	buf_printf(to, "%s %s %2d %02d:%02d:%02d %d", days[day % 7], months[month], (int)in_month, (int)(second / 3600),
	           (int)(second / 60 % 60), (int)(second % 60), (int)(year + era * 400 + (month >= 10)));
}

static void time_line(const char *what, int64_t wall, struct buf *to)
{
	buf_printf(to, ";;%s: %lld ;;", what, (long long)wall);
	time_text(wall, to);
	buf_u8(to, '\n');
}

static void state_text(enum autokey_state state, struct buf *to)
{
	size_t n = strlen(autokey_state_names[state]), before = (STATE_WIDTH - n) / 2;
	buf_printf(to, ";;state=%u [%*s%s%*s] ", (unsigned)state, (int)before, "", autokey_state_names[state],
	           (int)(STATE_WIDTH - n - before), "");
}

static void key_line(const struct autotrust *t, const struct autokey *k, struct buf *to)
{
	struct key_shape shape;
	bool known = key_shape(k->rdata.p[3], span_from(k->rdata, 4), &shape) == KEY_USABLE;
	bool ksk = (get_u16(k->rdata.p) & DNSKEY_SEP) != 0;
	name_text(t->zone, to);
	buf_printf(to, "\t%u\tIN\tDNSKEY\t", k->ttl);
	if (rdata_text(RR_DNSKEY, k->rdata, to) != OK)
		return;   /* it was read or received as a DNSKEY, so it has a text */
	buf_printf(to, " ;{id = %u (%s), size = %ub} ", dnskey_tag(k->rdata), ksk ? "ksk" : "zsk",
	           known ? shape.bits : 0);
	state_text(k->state, to);
	buf_printf(to, ";;count=%u ;;lastchange=%lld ;;", k->count, (long long)k->changed);
	time_text(k->changed, to);
	buf_u8(to, '\n');
}

void autotrust_write(const struct autotrust *t, struct buf *to)
{
	buf_text(to, "; autotrust trust anchor file\n");
	if (t->revoked)   /* as Unbound has it, to the letter: scripts look for it */
		buf_text(to, ";;REVOKED\n"
		             "; The zone has all keys revoked, and is\n"
		             "; considered as if it has no trust anchors.\n"
		             "; the remainder of the file is the last probe.\n"
		             "; to restart the trust anchor, overwrite this file.\n"
		             "; with one containing valid DNSKEYs or DSes.\n");
	buf_text(to, ZONE_HEADER " ");
	name_text(t->zone, to);
	buf_text(to, " 1\n");
	time_line("last_queried", t->queried, to);
	time_line("last_success", t->succeeded, to);
	time_line("next_probe_time", t->next_probe, to);
	buf_printf(to, ";;query_failed: %u\n;;query_interval: %u\n;;retry_time: %u\n", t->failed, t->interval,
	           t->retry);
	for (unsigned i = t->nkeys; i-- > 0;)   /* the newest first */
		if (t->keys[i].state != AUTO_START && t->keys[i].state != AUTO_REMOVED)
			key_line(t, &t->keys[i], to);
}

/* --- reading --- */

struct reading {
	struct autotrust *t;
	struct diag *diag;
	const char *file;
	uint32_t line;
};

static bool begins(struct span s, const char *with, struct span *ret_rest)
{
	size_t n = strlen(with);
	if (s.n < n || memcmp(s.p, with, n) != 0)
		return false;
	*ret_rest = span_from(s, n);
	return true;
}

/* Digits at the start of s. A number too large for its place is no number. */
static bool number(struct span s, int64_t max, int64_t *ret)
{
	int64_t n = 0;
	size_t i = 0;
	for (s = span_trim(s, BLANKS); i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		n = n * 10 + (s.p[i] - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return i > 0;
}

/* "key: number", one of the header's. Anything else that starts with a semicolon is a comment. */
static void header_line(struct reading *r, struct span line)
{
	struct autotrust *t = r->t;
	struct span rest;
	int64_t n = 0;
	int64_t *wide = begins(line, ";;last_queried:", &rest) ? &t->queried :
	                begins(line, ";;last_success:", &rest) ? &t->succeeded :
	                begins(line, ";;next_probe_time:", &rest) ? &t->next_probe : NULL;
	uint32_t *narrow = wide != NULL ? NULL : begins(line, ";;query_failed:", &rest) ? &t->failed :
	                   begins(line, ";;query_interval:", &rest) ? &t->interval :
	                   begins(line, ";;retry_time:", &rest) ? &t->retry : NULL;
	if (begins(line, ";;REVOKED", &rest))
		t->revoked = true;
	else if (wide == NULL && narrow == NULL)
		return;
	else if (!number(rest, wide != NULL ? INT64_C(1) << 40 : UINT32_MAX, &n))
		diag_error(r->diag, r->file, r->line, 1, "a number out of range; expected seconds or a count");
	else if (wide != NULL)
		*wide = n;
	else
		*narrow = (uint32_t)n;
}

/* The number behind ";;word=" in what follows a record. */
static bool mark(struct span s, const char *word, int64_t max, int64_t *ret)
{
	struct span rest;
	for (; s.n > 0; s = span_from(s, 1))
		if (*s.p == ';' && begins(s, word, &rest))
			return number(rest, max, ret);
	return false;
}

static const char *take_key(struct autotrust *t, const struct rr *rr, struct span marks)
{
	int64_t state, count = 0, changed = 0;
	if (rr->type != RR_DNSKEY || rr->class != CLASS_IN || rr->rdata.n <= 4)
		return "a record that is no DNSKEY; a state file holds nothing else";
	if (t->zone.len == 0)
		t->zone = rr->owner;
	if (!name_eq(rr->owner, t->zone))
		return "a record of another zone; a file holds one zone's keys";
	if (!mark(marks, ";;state=", AUTO_REMOVED, &state))
		return "trust anchor in state file has no ;;state=0..5";
	if (!mark(marks, ";;lastchange=", INT64_C(1) << 40, &changed) || !mark(marks, ";;count=", UINT32_MAX, &count))
		return "a key without ;;count= and ;;lastchange=, or with one out of range";
	if (state == AUTO_START || state == AUTO_REMOVED)
		return NULL;
	if (t->nkeys == AUTOKEYS_MAX)
		return "more than 32 keys";
	t->keys[t->nkeys++] = (struct autokey){ .rdata = rr->rdata, .state = (enum autokey_state)state, .ttl = rr->ttl,
	                                        .count = (uint32_t)count, .changed = changed };
	return NULL;
}

static void key_of_line(struct reading *r, struct span line)
{
	struct rr rr;
	size_t column = 0, record = 0;
	while (record < line.n && line.p[record] != ';')
		record++;
	struct span text = span_trim(span_of(line.p, record), BLANKS);
	const char *why;
	if (rr_from_text(r->t->arena, text, &(struct rr_defaults){ &name_root, 3600 }, &rr, &column) != OK)
		why = "not a record";
	else
		why = take_key(r->t, &rr, span_from(line, record));
	if (why != NULL)
		diag_error(r->diag, r->file, r->line, (uint32_t)column + 1, "%s", why);
}

/* ";;id: . 1" */
static bool read_id(struct reading *r, struct span rest)
{
	uint8_t store[NAME_MAX_BYTES];
	struct name zone;
	rest = span_trim(rest, BLANKS);
	size_t n = 0;
	while (n < rest.n && rest.p[n] != ' ')
		n++;
	if (name_from_text(span_of(rest.p, n), &name_root, store, &zone) != OK)
		return false;
	r->t->zone = name_dup(r->t->arena, zone);
	return r->t->zone.wire != NULL;
}

/* Line by line, whole lines however long they are: a line is never taken for two. */
static void read_lines(struct reading *r, struct span text, bool first_pass)
{
	for (r->line = 1; text.n > 0; r->line++) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end == NULL ? text.n : (size_t)(end - text.p);
		struct span line = span_trim(span_of(text.p, n), BLANKS), rest;
		text = span_from(text, n + 1);
		bool id = begins(line, ZONE_HEADER, &rest);
		if (first_pass && id && !read_id(r, rest))
			diag_error(r->diag, r->file, r->line, 1, "no name; expected \";;id: NAME 1\"");
		if (first_pass && !id && line.n > 0 && *line.p == ';')
			header_line(r, line);
		if (!first_pass && line.n > 0 && *line.p != ';')
			key_of_line(r, line);
	}
}

/* Records without states: what a person, or a package, starts it with. Their keys are valid. */
static void read_seeds(struct reading *r, struct span text)
{
	struct anchors seeds = { 0 };
	struct autotrust *t = r->t;
	anchors_read(t->arena, &seeds, text, r->file, r->diag);
	if (seeds.n > 1)
		diag_error(r->diag, r->file, 0, 0, "records of several zones; a file holds one zone's keys");
	if (seeds.n != 1)
		return;
	const struct trust *seed = &seeds.list[0]->trust;
	t->zone = seed->zone;
	t->nds = seed->nds;
	memcpy(t->ds, seed->ds, sizeof(t->ds));
	for (unsigned i = 0; i < seed->nkeys; i++)
		t->keys[t->nkeys++] = (struct autokey){ .rdata = seed->keys[i], .state = AUTO_VALID, .ttl = 3600 };
}

/* Does the file have a state file's header, on a line of its own, or a key with a state (files of old have no more)? */
static bool has_state(struct span text)
{
	struct span rest;
	int64_t state;
	while (text.n > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end == NULL ? text.n : (size_t)(end - text.p);
		if (begins(text, ZONE_HEADER, &rest) ||
		    (n > 0 && *text.p != ';' && mark(span_of(text.p, n), ";;state=", AUTO_REMOVED, &state)))
			return true;
		text = span_from(text, n + 1);
	}
	return false;
}

enum err autotrust_read(struct arena *a, struct span text, const char *file, struct diag *diag,
                        struct autotrust *ret)
{
	struct autotrust t = { .arena = a };
	struct reading r = { &t, diag, file, 0 };
	uint32_t before = diag->errors;
	if (text.n > AUTOTRUST_FILE_MAX) {
		diag_error(diag, file, 0, 0, "too long; at most %u bytes", AUTOTRUST_FILE_MAX);
		return ERR_LIMIT;
	}
	if (has_state(text)) {
		read_lines(&r, text, true);
		read_lines(&r, text, false);
	} else {
		read_seeds(&r, text);
	}
	if (diag->errors != before)
		return ERR_SYNTAX;
	if (t.zone.len == 0 || (t.nkeys == 0 && t.nds == 0 && !t.revoked))
		return ERR_NOTFOUND;
	*ret = t;
	return OK;
}
