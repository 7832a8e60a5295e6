#include "plugin/arguments.h"

static void complain(const struct directive *d, const char *how, unsigned n, struct diag *diag)
{
	const struct word *last = d->nargs == 0 ? &d->word : &d->args[d->nargs - 1];
	diag_error(diag, d->file, last->line, last->column,
	           "Wrong argument count or unexpected line ending after '%.200s'; expected %s%u behind %s", last->text,
	           how, n, d->word.text);
}

bool arguments_at_most(const struct directive *d, unsigned most, struct diag *diag)
{
	if (d->nargs > most)
		complain(d, "at most ", most, diag);
	return d->nargs <= most;
}

bool arguments_at_least(const struct directive *d, unsigned least, struct diag *diag)
{
	if (d->nargs < least)
		complain(d, "at least ", least, diag);
	return d->nargs >= least;
}

bool arguments_are(const struct directive *d, unsigned n, struct diag *diag)
{
	if (d->nargs != n)
		complain(d, "", n, diag);
	return d->nargs == n;
}

bool arguments_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	if (*text == 0)
		return false;
	for (; *text != 0; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return true;
}

void arguments_ttl(const struct directive *d, uint32_t max, uint32_t *ret, struct diag *diag)
{
	uint64_t ttl;
	if (!arguments_are(d, 1, diag))
		return;
	if (arguments_number(d->args[0].text, max, &ttl))
		*ret = (uint32_t)ttl;
	else
		diag_error(diag, d->file, d->args[0].line, d->args[0].column, "ttl must be in range [0, %u]: %s", max,
		           d->args[0].text);
}
