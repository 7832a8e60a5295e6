#include "app/fetch/trim.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <malloc.h>
#include <sys/mman.h>

#define LINE_MAX_BYTES 4352

struct mapping {
	unsigned long from, to;
	bool clean;                   /* of a file, not to be written to */
};

/* "7f00-7f01 r--p 0000 08:01 12 /lib/x.so" */
static bool mapping_read(const char *line, struct mapping *ret)
{
	struct mapping m = { 0 };
	char rights[5] = "", path[2] = "";
	int n = sscanf(line, "%lx-%lx %4s %*s %*s %*s %1s", &m.from, &m.to, rights, path);
	if (n < 3)
		return false;
	m.clean = n == 4 && path[0] == '/' && rights[0] == 'r' && rights[1] == '-';
	*ret = m;
	return true;
}

/* Only where the kernel says that no page was ever written: what the loader relocated and locked looks the same. */
void trim(void)
{
	char line[LINE_MAX_BYTES];
	struct mapping m = { 0 };
	FILE *f = fopen("/proc/self/smaps", "re");
	malloc_trim(0);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long dirty;
		if (mapping_read(line, &m))
			continue;
		if (sscanf(line, "Private_Dirty: %lu", &dirty) == 1 && dirty == 0 && m.clean)
			(void)madvise((void *)m.from, m.to - m.from, MADV_DONTNEED);
	}
	if (f != NULL)
		fclose(f);
}
