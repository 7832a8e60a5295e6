#include "core/cluster_timing.h"

#include "base/attr.h"

const double cluster_timing_bounds[CLUSTER_TIMING_BOUNDS] = {
	0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512,
	1.024, 2.048, 4.096, 8.192, 16.384, 32.768, 65.536, 131.072, 262.144, 524.288,
};

static bool digits(struct span *s, unsigned n, int64_t *ret)
{
	int64_t v = 0;
	if (s->n < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + s->p[i] - '0';
	}
	*s = span_from(*s, n);
	*ret = v;
	return true;
}

static bool mark(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != (uint8_t)c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* Years that begin in March have their leap day at the end, and 400 of them always have as many days. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year % 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + in_year - 719468;
}

/* ".123456" behind the seconds. */
static int64_t fraction(struct span *s)
{
	int64_t us = 0, unit = 100000;
	if (!mark(s, '.'))
		return 0;
	for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; unit /= 10, *s = span_from(*s, 1))
		us += (s->p[0] - '0') * unit;
	return us;
}

/* "Z" or "+02:00", in seconds. */
static bool offset(struct span *s, int64_t *ret)
{
	int64_t hours, minutes, sign = 1;
	*ret = 0;
	if (mark(s, 'Z'))
		return s->n == 0;
	if (mark(s, '-'))
		sign = -1;
	else if (!mark(s, '+'))
		return false;
	if (!digits(s, 2, &hours) || !mark(s, ':') || !digits(s, 2, &minutes) || s->n > 0)
		return false;
	*ret = sign * (hours * HOUR + minutes * MINUTE);
	return true;
}

bool cluster_timing_parse(struct span s, int64_t *ret)
{
	int64_t at[6], us, off;
	static const char marks[] = "--T::";
	for (unsigned i = 0; i < COUNT(at); i++)
		if ((i > 0 && !mark(&s, marks[i - 1])) || !digits(&s, i == 0 ? 4 : 2, &at[i]))
			return false;
	us = fraction(&s);
	if (!offset(&s, &off) || at[1] < 1 || at[1] > 12)
		return false;
	int64_t sec = days_of(at[0], at[1], at[2]) * DAY + at[3] * HOUR + at[4] * MINUTE + at[5] - off;
	*ret = sec * 1000000 + us;
	return true;
}

void cluster_timing_note(struct cluster_timings *t, struct span triggered)
{
	int64_t at;
	if (t->n < CLUSTER_TIMING_PENDING && cluster_timing_parse(triggered, &at))
		t->pending[t->n++] = at;
}

void cluster_timing_done(struct cluster_timings *t, struct wall now)
{
	int64_t now_us = now.sec * 1000000 + now.usec;
	for (unsigned i = 0; i < t->n; i++) {
		int64_t us = MAX(now_us - t->pending[i], 0);
		unsigned bucket = 0;
		for (int64_t limit = 1000; bucket < CLUSTER_TIMING_BOUNDS && us > limit; limit *= 2)
			bucket++;
		atomic_fetch_add_explicit(&t->buckets[bucket], 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&t->sum_us, (uint64_t)us, memory_order_relaxed);
	}
	t->n = 0;
}

struct cluster_timing cluster_timing_read(const struct cluster_timings *t)
{
	struct cluster_timing read = { .sum = (double)atomic_load(&t->sum_us) / 1e6 };
	for (unsigned i = 0; i <= CLUSTER_TIMING_BOUNDS; i++)
		read.buckets[i] = atomic_load(&t->buckets[i]);
	return read;
}
