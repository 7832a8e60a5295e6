#include "core/metrics.h"

#define FAILURES "signet_validation_failures_total"

const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(id, name, labels, help) { name, labels, help, NULL },
#include "core/metrics.def"
#undef METRIC
/* Reasons without an extended error are none to refuse an answer for. The first one brings the help. */
#define HELP(id) ((id) == M_WHY_NO_SIGNATURES ? "Answers refused because they could not be proved." : NULL)
#define WHY(NAME, ede, text) { (ede) < 0 ? NULL : FAILURES, "", HELP(M_WHY_##NAME), text },
#include "core/why.def"
#undef WHY
};

/* "NSEC3 salt/iterations mismatch" as nsec3_salt_iterations_mismatch. */
static void word_put(const char *text, struct buf *to)
{
	bool gap = false;
	for (; *text != 0; text++) {
		uint8_t c = fold((uint8_t)*text);
		bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (word && gap)
			buf_u8(to, '_');
		if (word)
			buf_u8(to, c);
		gap = !word;
	}
}

void metric_labels(const struct metric_row *row, struct buf *to)
{
	if (row->reason == NULL) {
		buf_text(to, row->labels);
		return;
	}
	buf_text(to, "reason=\"");
	word_put(row->reason, to);
	buf_u8(to, '"');
}
