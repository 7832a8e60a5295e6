#include "base/base64.h"

#include <sodium.h>

enum err base64_read(struct arena *a, struct span text, struct span *ret)
{
	size_t n = 0;
	uint8_t *to = arena_alloc(a, text.n / 4 * 3 + 3);
	if (to == NULL)
		return ERR_LIMIT;
	if (sodium_base642bin(to, text.n / 4 * 3 + 3, (const char *)text.p, text.n, " \t\r\n", &n, NULL,
	                      sodium_base64_VARIANT_ORIGINAL) != 0)
		return ERR_SYNTAX;
	*ret = span_of(to, n);
	return OK;
}

void base64_write(struct span bytes, struct buf *to)
{
	size_t n = sodium_base64_encoded_len(bytes.n, sodium_base64_VARIANT_ORIGINAL);   /* with a NUL */
	uint8_t *p = buf_room(to, n);
	if (p == NULL)
		return;
	sodium_bin2base64((char *)p, n, bytes.p, bytes.n, sodium_base64_VARIANT_ORIGINAL);
	to->n--;
}
