#include "app/errand.h"

#include <time.h>

#include "base/heap.h"

#define STEP_NS 200000
#define STEPS_MAX 10000u      /* two seconds: a turn takes milliseconds */

static bool is_busy(const struct errands *e)
{
	for (uint32_t i = 0; i < e->n; i++) {
		if (e->list[i] != NULL && !atomic_load_explicit(&e->list[i]->done, memory_order_acquire))
			return true;
	}
	return false;
}

static void prepare(struct errand *er, const struct flush *forget)
{
	atomic_store(&er->done, false);
	er->kind = forget != NULL ? ERRAND_FORGET : ERRAND_REPORT;
	er->report.n = er->report.left_out = 0;
	if (forget == NULL)
		return;
	er->flush = (struct flush){ .name = name_fold(forget->name, er->name), .below = forget->below };
}

bool errands_run(struct errands *e, const struct flush *forget)
{
	if (is_busy(e))
		return false;
	for (uint32_t i = 0; i < e->n; i++) {
		if (e->list[i] == NULL)
			e->list[i] = heap_new(sizeof(*e->list[i]));
		prepare(e->list[i], forget);
		if (!inbox_send_errand(worker_own_inbox(&e->workers[i]), e->list[i]))
			atomic_store(&e->list[i]->done, true);   /* as empty as the ring should be */
		worker_wake(&e->workers[i]);
	}
	for (unsigned i = 0; is_busy(e); i++) {
		if (i == STEPS_MAX)
			return false;
		nanosleep(&(struct timespec){ 0, STEP_NS }, NULL);
	}
	return true;
}

void errands_fini(struct errands *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		heap_free(e->list[i]);
}

static void report_site(struct errand *er, struct worker *w, const struct site *site)
{
	for (unsigned i = 0; i < site->chain.n; i++) {
		const struct plugin *p = site->plugins[i];
		if (p->report != NULL)
			p->report(&site->chain.links[i], &w->engine, &er->report);
	}
}

static void report(struct errand *er, struct worker *w)
{
	const struct model *m = w->generation->model;
	for (unsigned i = 0; i < m->nsites; i++)
		report_site(er, w, &m->sites[i]);
}

static void forget(struct errand *er, struct worker *w)
{
	const struct generation *g = w->generation;
	for (unsigned i = 0; i < g->nlives; i++) {
		const struct life *l = g->lives[i];
		if (l->plugin->live_forget != NULL)
			l->plugin->live_forget(l->live, &w->engine, &er->flush);
	}
}

void errand_do(struct errand *er, struct worker *w)
{
	if (er->kind == ERRAND_REPORT)
		report(er, w);
	else
		forget(er, w);
	atomic_store_explicit(&er->done, true, memory_order_release);
}
