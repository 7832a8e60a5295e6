#include "core/nsec.h"

static struct ruling proved(void)
{
	return ruling_of(SECURITY_SECURE, WHY_NONE);
}

/* Does name stand between owner and next? The last record's next is the apex (RFC4034 4.1.1). */
static bool covers(const struct denial *d, const struct nsec *n, struct name name)
{
	if (!name_below(name, d->zone) || name_cmp(n->owner, name) >= 0)
		return false;
	return name_eq(n->next, d->zone) || name_cmp(name, n->next) < 0;
}

/* The record says that name does not exist. A name with something below it does (RFC4592 2.2.2). */
static bool denies(const struct denial *d, const struct nsec *n, struct name name)
{
	return covers(d, n, name) && !name_below(n->next, name) &&
	       !(name_below(name, n->owner) && types_hide_below(n->types));
}

/* An empty non-terminal: not an owner, but something is below it. */
static bool passes_over(const struct denial *d, const struct nsec *n, struct name name)
{
	return covers(d, n, name) && name_below(n->next, name) &&
	       !(name_below(name, n->owner) && types_hide_below(n->types));
}

static const struct nsec *matching(const struct denial *d, struct name name)
{
	for (unsigned i = 0; i < d->nnsec; i++)
		if (name_eq(d->nsec[i].owner, name))
			return &d->nsec[i];
	return NULL;
}

static const struct nsec *denying(const struct denial *d, struct name name)
{
	for (unsigned i = 0; i < d->nnsec; i++)
		if (denies(d, &d->nsec[i], name))
			return &d->nsec[i];
	return NULL;
}

bool nsec_empty(const struct denial *d, struct name name)
{
	for (unsigned i = 0; i < d->nnsec; i++)
		if (passes_over(d, &d->nsec[i], name))
			return true;
	return false;
}

/* Labels of what n shows to exist nearest above name. */
static unsigned encloser_labels(const struct nsec *n, struct name name)
{
	return MAX(name_common(name, n->owner), name_common(name, n->next));
}

/* The label of name under an ancestor of so many labels; none when it is not below that. */
static void label_under(struct name name, struct name ancestor, uint8_t ret[LABEL_MAX + 1])
{
	uint8_t store[NAME_MAX_BYTES];
	ret[0] = 0;
	if (name.labels <= ancestor.labels || !name_below(name, ancestor))
		return;
	const uint8_t *label = name_fold(name_up(name, name.labels - ancestor.labels - 1), store).wire;
	memcpy(ret, label, 1u + label[0]);
}

bool nsec_reach(const struct denial *d, struct name name, struct nsec_reach *ret)
{
	const struct nsec *n = denying(d, name);
	if (n == NULL || matching(d, name) != NULL)
		return false;
	ret->labels = encloser_labels(n, name);
	struct name encloser = name_up(name, name.labels - ret->labels);
	label_under(n->owner, encloser, ret->after);
	label_under(n->next, encloser, ret->before);
	return true;
}

struct name nsec_source(const struct nsec *n, struct name name, uint8_t store[NAME_MAX_BYTES])
{
	static const struct name star = { (const uint8_t *)"\001*", 3, 1 };
	unsigned labels = encloser_labels(n, name);
	struct name wildcard = { 0 };
	/* fits: name itself has one label more than its encloser, of two bytes at least */
	enum err e = name_join(star, 1, name_up(name, name.labels - labels), store, &wildcard);
	return e == OK ? wildcard : name_root;
}

struct ruling nsec_nxdomain(const struct denial *d, struct name name)
{
	uint8_t store[NAME_MAX_BYTES];
	const struct nsec *there = matching(d, name), *n = denying(d, name);
	if (there != NULL && types_have(there->types, RR_NXNAME))
		return proved();   /* compact denial (RFC9824) */
	if (there != NULL || n == NULL)
		return ruling_of(SECURITY_BOGUS, WHY_NO_NXDOMAIN);
	if (denying(d, nsec_source(n, name, store)) == NULL)
		return ruling_of(SECURITY_BOGUS, WHY_NO_WILDCARD);
	return proved();
}

struct ruling nsec_nodata(const struct denial *d, const struct question *q)
{
	uint8_t store[NAME_MAX_BYTES];
	struct ruling no = ruling_of(SECURITY_BOGUS, WHY_NO_NODATA);
	const struct nsec *there = matching(d, q->name), *n = denying(d, q->name);
	if (there != NULL)
		return types_deny(there->types, q) ? proved() : no;
	if (nsec_empty(d, q->name))
		return proved();
	if (n == NULL)
		return no;
	const struct nsec *wildcard = matching(d, nsec_source(n, q->name, store));
	return wildcard != NULL && types_deny(wildcard->types, q) ? proved() : no;
}

struct ruling nsec_wildcard(const struct denial *d, struct name name, unsigned labels)
{
	if (labels >= name.labels || denying(d, name_up(name, name.labels - labels - 1)) == NULL)
		return ruling_of(SECURITY_BOGUS, WHY_NO_WILDCARD);
	return proved();
}

struct ruling nsec_ds(const struct denial *d, struct name name)
{
	const struct nsec *there = matching(d, name);
	if (there != NULL)
		return types_ds(there->types, name);
	if (denying(d, name) != NULL || nsec_empty(d, name))
		return proved();
	return ruling_of(SECURITY_BOGUS, WHY_NO_DS);
}
