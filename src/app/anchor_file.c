#include "app/anchor_file.h"

#include "io/file.h"

#define WHY_MAX 512u

int anchor_file_read(struct arena *a, struct anchors *t, const char *path, FILE *errors)
{
	char text[WHY_MAX];
	struct buf why = buf_on(text, sizeof(text));
	struct span bytes = { 0 };
	struct diag diag;
	diag_init(&diag, a);
	if (file_read(path, ANCHOR_TEXT_MAX, a, &bytes, &why) != OK) {
		if (errors != NULL)
			fprintf(errors, "%s\n", buf_cstr(&why));
		return -1;
	}
	bool bind = bytes.n > 0 && memchr(bytes.p, '{', bytes.n) != NULL;
	unsigned taken = bind ? anchors_read_bind(a, t, bytes, path, &diag) : anchors_read(a, t, bytes, path, &diag);
	for (const struct diag_line *l = diag.first; l != NULL && errors != NULL; l = l->next)
		fprintf(errors, "%s:%u:%u: %s\n", l->file, l->line, l->column, l->text);
	return (int)taken;
}
