#include "plugin/opt.h"

const char *directive_path(const struct directive *d, const char *name, struct arena *a)
{
	const char *root = d->server == NULL || d->server->root == NULL ? "" : d->server->root;
	if (name[0] == '/' || root[0] == 0)
		return name;
	const char *full = arena_printf(a, "%s%s%s", root, root[strlen(root) - 1] == '/' ? "" : "/", name);
	return full == NULL ? name : full;
}
