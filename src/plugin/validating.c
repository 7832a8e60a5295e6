/* validating: the settings of validation, what is made of them once a clause is read, and what of it lives on. */
#include "plugin/proving.h"

#define ANCHORS_EVERY_MS (5 * SECOND)   /* an anchor that came late should not be waited for */

const struct validating *validate_settings(const struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].steps == &plugin_validate.steps)
			return chain->links[i].self;
	}
	return NULL;
}

static void add_source(struct validating *s, enum anchor_kind kind, const struct directive *d, struct arena *a,
                       struct diag *diag)
{
	const struct word *arg = &d->args[0];
	for (unsigned i = 0; i < s->nsources; i++) {
		if (s->sources[i].kind != kind || strcmp(s->sources[i].text, arg->text) != 0)
			continue;
		diag_warning(diag, d->file, arg->line, arg->column, "%s: %s is named twice; it counts once",
		             d->word.text, arg->text);
		return;
	}
	struct anchor_source *all = ARENA_ARRAY(a, struct anchor_source, s->nsources + 1);
	if (all == NULL || s->nsources == ANCHOR_SOURCES_MAX) {
		diag_error(diag, d->file, arg->line, arg->column, "more than %u trust anchors", ANCHOR_SOURCES_MAX);
		return;
	}
	if (s->nsources > 0)
		memcpy(all, s->sources, sizeof(*all) * s->nsources);
	all[s->nsources++] = (struct anchor_source){ kind, arg->text, d->file, arg->line, arg->column };
	s->sources = all;
}

#define SOURCE(name, kind)                                                                                             \
	static void name(void *self, const struct directive *d, struct arena *a, struct diag *diag)                    \
	{                                                                                                              \
		add_source(self, kind, d, a, diag);                                                                    \
	}
SOURCE(parse_text, ANCHOR_TEXT)
SOURCE(parse_file, ANCHOR_FILE)
SOURCE(parse_auto, ANCHOR_AUTO_FILE)
SOURCE(parse_bind, ANCHOR_BIND_FILE)
SOURCE(parse_insecure, ANCHOR_INSECURE)

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	int64_t of_year = (153 * (int64_t)(month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* YYYYMMDDHHMMSS, seconds since 1970, -1 (dates do not count) or 0 (the clock). */
static void parse_date(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)a;
	struct validating *s = self;
	const struct word *arg = &d->args[0];
	unsigned long long v = 0;
	size_t n = strlen(arg->text);
	s->conf.ignore_dates = strcmp(arg->text, "-1") == 0;
	s->wall = 0;
	if (s->conf.ignore_dates)
		return;
	if (n == 0 || n > 14 || strspn(arg->text, "0123456789") != n) {
		diag_error(diag, d->file, arg->line, arg->column,
		           "val-override-date: '%s' is no date; expected YYYYMMDDHHMMSS, 0 or -1", arg->text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(arg->text[i] - '0');
	if (n < 14) {
		s->wall = (int64_t)v;
		return;
	}
	int64_t day = days_of((int64_t)(v / 10000000000), (unsigned)(v / 100000000 % 100),
	                      (unsigned)(v / 1000000 % 100));
	s->wall = day * DAY + (int64_t)(v / 10000 % 100) * HOUR + (int64_t)(v / 100 % 100) * MINUTE +
	          (int64_t)(v % 100);
}

/* A number of a pair. false: it is none, or too large */
static bool read_u16(const char **at, unsigned *ret)
{
	size_t digits = strspn(*at, "0123456789");
	unsigned v = 0;
	for (size_t i = 0; i < digits && v <= UINT16_MAX; i++)
		v = v * 10 + (unsigned)((*at)[i] - '0');
	*at += digits;
	*ret = v;
	return digits > 0 && v <= UINT16_MAX && (**at == 0 || strchr(" \t", **at) != NULL);
}

/* Pairs of a key's size and the iterations allowed with it, in one quoted word or in several. A hash costs the same
 * whatever key signed it, so the least of them holds for all. */
static void parse_iterations(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	struct validating *s = self;
	const struct word *w = &d->args[0];
	unsigned n = 0, size = 0, v, least = UINT16_MAX;
	bool good = true;
	(void)a;
	for (unsigned i = 0; i < d->nargs; i++) {
		const char *at = d->args[i].text;
		for (at += strspn(at, " \t"); good && *at != 0; at += strspn(at, " \t")) {
			good = read_u16(&at, &v) && (n % 2 == 1 || v > size);
			if (n++ % 2 == 0)
				size = v;
			else
				least = MIN(least, v);
		}
	}
	if (!good || n % 2 != 0 || n == 0)
		diag_error(diag, d->file, w->line, w->column,
		           "%s: '%s': expected pairs of SIZE and ITERATIONS, sizes rising", d->word.text, w->text);
	else if (least > NSEC3_ITERATIONS_MAX)
		diag_warning(diag, d->file, w->line, w->column, "%s: more than %u iterations are insecure all the same",
		             d->word.text, NSEC3_ITERATIONS_MAX);
	s->iterations.given = true;
	s->iterations.max = MIN(least, NSEC3_ITERATIONS_MAX);
}

/* ---- a Corefile's ---- */

static void head(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	(void)d;   /* zones are those to be signed (plugin/signer) */
	(void)a;
	(void)diag;
	((struct validating *)self)->corefile.is_one = true;
}

/* trust-anchor FILE...: relative names are below the block's root. */
static void parse_anchor_files(void *self, const struct directive *d, struct arena *a, struct diag *diag)
{
	const char *root = d->server != NULL ? d->server->root : "";
	if (d->nargs == 0)
		diag_error(diag, d->file, d->word.line, d->word.column,
		           "Wrong argument count or unexpected line ending after 'trust-anchor'");
	for (unsigned i = 0; i < d->nargs; i++) {
		struct word arg = d->args[i];
		struct directive one = *d;
		if (arg.text[0] != '/' && *root != 0)
			arg.text = arena_printf(a, "%s/%s", root, arg.text);
		if (arg.text == NULL) {
			diag_error(diag, d->file, arg.line, arg.column, "no room for the name of a file");
			return;
		}
		one.args = &arg;
		add_source(self, ANCHOR_FILE, &one, a, diag);
	}
}

static bool file_want(const void *self, unsigned i, struct file_want *ret)
{
	const struct validating *s = self;
	if (!s->corefile.is_one || i >= s->nsources)
		return false;
	*ret = (struct file_want){ .path = s->sources[i].text, .every = ANCHORS_EVERY_MS };
	return true;
}

/* Comments begin with # too, but not the # of data of unknown types. */
static void file_take(void *self, unsigned i, struct span text, struct arena *a, struct diag *diag)
{
	struct anchor_source *source = &((struct validating *)self)->sources[i];
	uint8_t *copy = arena_dup(a, text.p, text.n);
	if (copy == NULL) {
		diag_error(diag, source->text, 1, 1, "no room for trust anchors");
		return;
	}
	for (size_t k = 0; k < text.n; k++) {
		if (copy[k] == '#' && (k == 0 || strchr(" \t\r\n", copy[k - 1]) != NULL))
			copy[k] = ';';
	}
	source->bytes = span_of(copy, text.n);
}

#define T struct validating

static const struct opt opts[] = {
	{ { "validate", 0, NULL }, { NULL, NULL }, BOOL(T, corefile.validate),
	  .doc = "Prove answers from upstreams; what cannot be is SERVFAIL with the reason." },
	{ { "trust-anchor", 0, NULL }, { NULL, NULL }, CUSTOM, .parse = parse_anchor_files, .repeats = true,
	  .doc = "FILE...: DS and DNSKEY records from which trust begins, beside the root's keys." },
	{ { "serve", 0, NULL }, { NULL, NULL }, BOOL(T, corefile.serve),
	  .doc = "Own zones that came signed are served as they are; with `validate` they are checked too." },
	{ .unbound = { "trust-anchor", NULL }, CUSTOM, .parse = parse_text, .repeats = true,
	  .doc = "A DS or DNSKEY record from which trust begins." },
	{ .unbound = { "trust-anchor-file", NULL }, CUSTOM, .parse = parse_file, .repeats = true,
	  .doc = "A file of DS and DNSKEY records from which trust begins." },
	{ .unbound = { "auto-trust-anchor-file", NULL }, CUSTOM, .parse = parse_auto, .repeats = true,
	  .doc = "The same, in the form that keeps state (RFC5011)." },
	{ .unbound = { "trusted-keys-file", NULL }, CUSTOM, .parse = parse_bind, .repeats = true,
	  .doc = "The same, as BIND writes them." },
	{ .unbound = { "add-holddown", "2592000" }, SECS(T, autotrust.add_holddown), .max = UINT32_MAX,
	  .doc = "How long a new key is looked at before it is trusted (RFC5011)." },
	{ .unbound = { "del-holddown", "2592000" }, SECS(T, autotrust.del_holddown), .max = UINT32_MAX,
	  .doc = "How long a revoked key is remembered." },
	{ .unbound = { "keep-missing", "31622400" }, SECS(T, autotrust.keep_missing), .max = UINT32_MAX,
	  .doc = "How long a key is trusted that is no longer there; 0: for ever." },
	{ .unbound = { "permit-small-holddown", "no" }, BOOL(T, autotrust.permit_small),
	  .doc = "Ask for a zone's keys more often than once an hour where its TTLs say so; for tests." },
	{ .unbound = { "trust-anchor-signaling", "yes" }, BOOL(T, signaling),
	  .doc = "Tell zones with an anchor which of their keys are trusted here (RFC8145)." },
	{ .unbound = { "root-key-sentinel", "yes" }, BOOL(T, sentinel),
	  .doc = "Answer questions that test which root keys are trusted (RFC8509)." },
	{ .unbound = { "domain-insecure", NULL }, CUSTOM, .parse = parse_insecure, .repeats = true,
	  .doc = "Names at and below this one are not validated." },
	{ .unbound = { "val-override-date", "0" }, CUSTOM, .parse = parse_date,
	  .doc = "Judge signatures as of this date; -1: whatever the date." },
	{ .unbound = { "val-sig-skew-min", "3600" }, SECS(T, skew_min), .max = 1000000,
	  .doc = "Least clock difference that is forgiven." },
	{ .unbound = { "val-sig-skew-max", "86400" }, SECS(T, skew_max), .max = 1000000,
	  .doc = "Most clock difference that is forgiven; between them a tenth of a signature's life." },
	{ .unbound = { "val-log-level", "0" }, U32(T, log_level), .max = 2,
	  .doc = "1: a line for each answer that is not proved; 2: with the reason." },
	{ { "insecure", 0, NULL }, { "val-permissive-mode", "no" }, BOOL(T, permissive),
	  .doc = "Hand on what is not proved, without AD." },
	{ .unbound = { "ignore-cd-flag", "no" }, BOOL(T, ignore_cd),
	  .doc = "Validate whatever the client's CD flag says." },
	{ { "log-failures", 0, NULL }, { "signet/log-failures", "no" }, BOOL(T, log_failures),
	  .doc = "A line with all that is known of an answer that is not proved, once for each zone and reason in ten "
	         "seconds." },
	{ .unbound = { "key-cache-size", "4m" }, SIZE(T, known_bytes), .min = 0, .max = (int64_t)1 << 40,
	  .doc = "Memory of what was proved of zones: their keys, or that there are none; at least 64 kB are taken." },
	{ .unbound = { "signet/ask-ahead", "100" }, U32(T, ahead), .max = 100,
	  .doc = "Of 100 questions that a proof may need, how many go out before that is known; 0: none." },
	{ .unbound = { "val-bogus-ttl", "60" }, U32(T, bogus_ttl), .max = 1000000,
	  .doc = "Seconds for which an answer or a zone's keys that are not proved are not asked for again." },
	{ .unbound = { "val-clean-additional", "yes" }, BOOL(T, clean_additional),
	  .doc = "Leave out of the additional section of secure answers what is not signed." },
	{ .unbound = { "harden-dnssec-stripped", "yes" }, BOOL(T, harden_stripped),
	  .doc = "A zone with an anchor that shows no keys is refused, not taken for unsigned." },
	{ .unbound = { "harden-algo-downgrade", "no" }, BOOL(T, all_algorithms),
	  .doc = "Each algorithm that the DS of a zone has must sign its keys; any one of them is enough else." },
	{ .unbound = { "val-nsec3-keysize-iterations", "1024 150 2048 150 4096 150" }, CUSTOM,
	  .doc = "Sizes of keys, each with the iterations of NSEC3 hashes that are looked at; the least holds for all.",
	  .parse = parse_iterations },
	{ .unbound = { "fake-sha1", "no" }, BOOL(T, fake_sha1), .doc = "Verify SHA-1 signatures; for tests alone." },
	{ .unbound = { "fake-dsa", "no" }, BOOL(T, fake_dsa), .doc = "Take DSA keys for supported; for tests alone." },
};

static void ready(void *self, struct arena *a, struct diag *diag)
{
	(void)a;
	struct validating *s = self;
	bool dates = s->conf.ignore_dates;
	s->conf = validate_usual;
	s->conf.ignore_dates = dates;
	s->conf.legacy = s->fake_sha1 || s->fake_dsa;
	s->conf.all_algorithms = s->all_algorithms;
	s->conf.stripped = !s->harden_stripped;
	s->conf.skew_min = s->skew_min;
	s->conf.skew_max = s->skew_max;
	if (s->iterations.given)
		s->conf.nsec3_iterations_max = s->iterations.max;
	if (s->corefile.is_one && s->corefile.validate && s->permissive)
		diag_warning(diag, NULL, 0, 0,
		             "dnssec: insecure: answers that cannot be proved, forged ones too, are handed on; only "
		             "the log and the metrics tell; expected for a test alone: take the word out");
	if (s->conf.legacy)
		diag_warning(diag, NULL, 0, 0,
		             "fake-sha1 or fake-dsa is set: broken signatures are believed; for tests alone");
}

static bool wanted(const void *self)
{
	const struct validating *s = self;
	if (s->corefile.is_one)
		return s->corefile.validate;
	for (unsigned i = 0; i < s->nsources; i++) {
		if (s->sources[i].kind != ANCHOR_INSECURE)
			return true;
	}
	return false;
}

/* What was proved depends on what it was proved from, and by which rules. */
static void live_text(const void *self, struct buf *to)
{
	const struct validating *s = self;
	buf_printf(to, "wall %lld legacy %d all %d stripped %d iterations %u zones %zu", (long long)s->wall,
	           s->conf.legacy, s->conf.all_algorithms, s->conf.stripped, s->conf.nsec3_iterations_max,
	           s->known_bytes);
	for (unsigned i = 0; i < s->nsources; i++)
		buf_printf(to, " %d %s", (int)s->sources[i].kind, s->sources[i].text);
}

static void joined(void *self, struct chain *chain, struct arena *a, struct diag *diag)
{
	struct validating *s = self;
	(void)a;
	(void)diag;
	chain->check_zones = s->corefile.serve;
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->links[i].self == self)
			chain->proofs = (uint16_t)i;
		if (chain->links[i].steps == &plugin_resolve.steps)
			s->resolver = &chain->links[i];
	}
}

const struct plugin plugin_validate = {
	.settings = { .name = "validate", .doc = "proves answers by DNSSEC", .clause = "server", .size = sizeof(T),
	              .opts = opts, .nopts = COUNT(opts), .ready = ready,
	              .corefile = { "dnssec", DIRECTIVE_ADDS, head } },
	.steps = { .request = validate_request, .response = validate_response, .wake = validate_wake,
	           .early = validate_early, .reached = validate_reached, .tend = anchoring_tend },
	.live_text = live_text, .live_make = proving_make, .live_free = proving_free,
	.live_flush = proving_flush, .wanted = wanted, .joined = joined,
	.file_want = file_want, .file_take = file_take, .samples = proving_samples,
};
