#include "core/validate.h"

#include "wire/words.h"

static const struct { int ede; const char *text; } rows[WHY_COUNT] = {
#define WHY(NAME, ede, text) [WHY_##NAME] = { ede, text },
#include "core/why.def"
#undef WHY
};

static const struct { uint8_t code; const char *name; } algorithms[] = {
#define ALGORITHM(code, NAME) { code, #NAME },
#include "wire/codes.def"
};

const char *why_text(enum why why)
{
	return rows[why].text;
}

int why_ede(enum why why)
{
	return rows[why].ede;
}

static void algorithm_text(uint8_t algorithm, struct buf *to)
{
	for (size_t i = 0; i < COUNT(algorithms); i++)
		if (algorithms[i].code == algorithm) {
			buf_text(to, algorithms[i].name);
			return;
		}
	buf_text(to, "ALG");
	buf_uint(to, algorithm);
}

void ruling_text(const struct ruling *r, struct buf *to)
{
	buf_text(to, rows[r->why].text);
	if (r->why == WHY_NO_KEY_ALGORITHM) {
		buf_u8(to, ' ');
		algorithm_text(r->algorithm, to);
	}
}
