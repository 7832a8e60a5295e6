/* sample: the numbers of a monitoring page in Prometheus's text form. Who has numbers adds them in any order, each of
 * a family; the page has families together, as the format demands. Lives for one page. */
#ifndef CORE_SAMPLE_H
#define CORE_SAMPLE_H

#include "base/arena.h"
#include "base/buf.h"

/* SAMPLE_LEAST: a gauge; of what two say the least counts, as it is no sum */
enum sample_type { SAMPLE_COUNTER, SAMPLE_GAUGE, SAMPLE_HISTOGRAM, SAMPLE_LEAST };

/* What numbers mean. One object for each name, in the file of who counts; families are told apart by address. */
struct family {
	const char *name, *help;
	enum sample_type type;
	const double *bounds;      /* histograms: upper bounds in rising order, without +Inf */
	unsigned nbounds;
};

#define SAMPLES_MAX 8192u      /* lines of one page */

/* What a link's numbers are labelled with, ready to print; empty strings where there is nothing to say. */
struct sample_labels {
	const char *server;        /* server="dns://:53" */
	const char *zone_view;     /* zone=".",view="" */
	const char *zones_view;    /* zones=".",view="": all zones of the block, by comma */
	const char *view;          /* view="" */
};

struct sample {
	const struct family *family;
	const char *labels;
	uint64_t n;                /* counters and gauges; histograms: how many in all */
	uint64_t *buckets;         /* histograms: see struct histogram */
	double sum;
};

struct samples {
	struct arena *arena;
	struct sample *list;
	unsigned n, cap;
};

void samples_init(struct samples *s, struct arena *a);
/* part, more: labels ready to print, server="x"; empty or NULL where there are none. What two say of one family with
 * equal labels adds up, or its least counts. Beyond SAMPLES_MAX, or of a full arena, samples are left out. */
void sample_add(struct samples *s, const struct family *f, uint64_t n, const char *part, const char *more);
/* What was measured: how many up to each bound, not summed up, and a last count of those above all; and their sum. */
struct histogram {
	const uint64_t *buckets;
	double sum;
};
void sample_histogram(struct samples *s, const struct family *f, struct histogram h, const char *part,
                      const char *more);
/* The page: families in the order of their first sample. */
void samples_text(const struct samples *s, struct buf *to);

#endif
