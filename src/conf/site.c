#include "conf/site.h"

#include "conf/tables.h"

static void view_take(struct site *s, const struct viewing *v)
{
	s->view = v->name == NULL ? "" : v->name;
	s->conditions = v->conditions;
	s->nconditions = v->n;
}

void site_tables(struct model *m, struct site *s, const struct instance *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct instance *in = &list[i];
		if (in->settings == &listen_settings)
			m->listen = ((struct listening *)in->self)->conf;
		else if (in->settings == &process_settings)
			m->process = ((struct processing *)in->self)->conf;
		else if (in->settings == &reply_settings)
			s->reply = ((struct replying *)in->self)->conf;
		else if (in->settings == &upstreams_settings)
			s->chain.conf = *(struct chain_conf *)in->self;
		else if (in->settings == &view_settings)
			view_take(s, in->self);
	}
	struct chain_conf *c = &s->chain.conf;
	c->no_udp = !m->listen.do_udp;
	c->no_ip4 = !m->listen.do_ip4;
	c->no_ip6 = !m->listen.do_ip6;
	c->edns_size = s->reply.edns_size; /* edns-buffer-size: clients and upstreams are told the same */
}

void site_link(struct site *s, const struct instance *in, struct diag *diag)
{
	const struct plugin *p = in->plugin;
	if (p->wanted != NULL && !p->wanted(in->self))
		return;
	if (s->chain.n == CHAIN_MAX) {
		diag_error(diag, NULL, 0, 0, "too many zones; expected at most %u with all else", CHAIN_MAX);
		return;
	}
	s->plugins[s->chain.n] = p;
	s->chain.some_personal |= p->steps.personal != NULL;
	s->chain.links[s->chain.n++] = (struct link){ .steps = &p->steps, .name = p->settings.name, .self = in->self };
}

void site_join(struct site *s, struct arena *a, struct diag *diag)
{
	for (unsigned i = 0; i < s->chain.n; i++)
		if (s->plugins[i]->joined != NULL)
			s->plugins[i]->joined((void *)s->chain.links[i].self, &s->chain, a, diag);
	s->reply.wishes = s->chain.conf.replies;
}
