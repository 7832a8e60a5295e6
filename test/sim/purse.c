#include "sim/purse.h"

#include <string.h>

void purse_open(const struct purse *p, struct engine *e)
{
	struct query *q = e->ready.first;
	while (q != NULL && q->next != NULL)
		q = q->next;
	if (p == NULL || q == NULL || q->client == NULL)
		return;
	q->own.packets = p->packets > 0 ? p->packets : q->own.packets;
	q->own.verifies = p->verifies > 0 ? p->verifies : q->own.verifies;
	q->own.questions = p->questions > 0 ? p->questions : q->own.questions;
}

void purse_note(struct purse *p, const char *what, const char *text)
{
	if (p == NULL || strcmp(what, "query") != 0 || strncmp(text, ". ", 2) == 0)
		return;
	struct buf b = buf_on(p->last, sizeof(p->last));
	buf_text(&b, text);
	buf_cstr(&b);
	p->sent++;
}

void purse_close(struct purse *p, const struct metrics *m)
{
	if (p != NULL)
		p->verified = (unsigned)m->n[M_SIGNATURES];
}
