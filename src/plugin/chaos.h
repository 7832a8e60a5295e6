/* chaos: who and what answers, asked in class CH. What must come from outside of plugins is handed over here. */
#ifndef PLUGIN_CHAOS_H
#define PLUGIN_CHAOS_H

/* The host's name, told where `identity:` gives no other. It must outlive the settings `self`. */
void chaos_host(void *self, const char *host);

#endif
