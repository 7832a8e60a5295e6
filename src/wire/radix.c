#include "wire/radix.h"

#define PADS_MAX 2u

struct radix_kind {
	unsigned width;          /* bits of one character */
	unsigned group;          /* padded to a multiple of so many characters; 1 no padding */
	char alphabet[65];
	uint8_t values[256];     /* 1 + value; 0 none */
};

const struct radix_kind radix_16 = {
	4, 1, "0123456789ABCDEF",
	{ ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	  ['A'] = 11, 12, 13, 14, 15, 16,
	  ['a'] = 11, 12, 13, 14, 15, 16 },
};

const struct radix_kind radix_32hex = {
	5, 1, "0123456789ABCDEFGHIJKLMNOPQRSTUV",
	{ ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	  ['A'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
	  ['a'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32 },
};

const struct radix_kind radix_64 = {
	6, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	{ ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	  ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
	          52,
	  ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	  ['+'] = 63, ['/'] = 64 },
};

enum err radix_feed(struct radix *r, struct span text, struct buf *to)
{
	size_t n = text.n;
	while (r->kind->group > 1 && n > 0 && text.p[n - 1] == '=' && r->pads < PADS_MAX) {
		n--;
		r->pads++;
	}
	r->chars += text.n;
	if (n > 0 && text.n == n && r->pads > 0)
		return ERR_SYNTAX;   /* more behind the padding */
	unsigned width = r->kind->width, nbits = r->nbits;
	uint32_t bits = r->bits;
	uint8_t *p = buf_room(to, (nbits + n * width) / 8);
	if (p == NULL)
		return OK;
	for (size_t i = 0; i < n; i++) {
		uint8_t v = r->kind->values[text.p[i]];
		if (UNLIKELY(v == 0))
			return ERR_SYNTAX;
		bits = bits << width | (v - 1u);
		nbits += width;
		if (nbits >= 8) {
			nbits -= 8;
			*p++ = (uint8_t)(bits >> nbits);
		}
	}
	r->bits = bits;
	r->nbits = nbits;
	return OK;
}

enum err radix_end(const struct radix *r)
{
	/* fewer bits may be left over than a character holds, so that no character was in vain */
	return r->chars % r->kind->group == 0 && r->nbits < r->kind->width ? OK : ERR_SYNTAX;
}

void radix_text(const struct radix_kind *kind, struct span bytes, struct buf *to)
{
	size_t chars = (bytes.n * 8 + kind->width - 1) / kind->width;
	size_t padded = (chars + kind->group - 1) / kind->group * kind->group;
	uint8_t *p = buf_room(to, padded);
	if (p == NULL)
		return;
	uint32_t bits = 0;
	unsigned nbits = 0;
	for (size_t i = 0; i < bytes.n; i++) {
		bits = bits << 8 | bytes.p[i];
		for (nbits += 8; nbits >= kind->width;) {
			nbits -= kind->width;
			*p++ = (uint8_t)kind->alphabet[bits >> nbits & ((1u << kind->width) - 1)];
		}
	}
	if (nbits > 0)
		*p++ = (uint8_t)kind->alphabet[bits << (kind->width - nbits) & ((1u << kind->width) - 1)];
	for (size_t i = chars; i < padded; i++)
		*p++ = '=';
}
