#include "core/cluster_writer.h"

size_t cluster_entry_at(struct span row, struct span head, size_t size)
{
	for (size_t at = 0; at < row.n; at += size != 0 ? size : cluster_row_pod_size(row.p + at))
		if (memcmp(row.p + at, head.p, head.n) == 0)
			return at;
	return SIZE_MAX;
}

enum err cluster_entry_put(struct cluster *c, const struct cluster_key *k, struct span entry, size_t head,
                           size_t size)
{
	struct span row = { 0 };
	struct buf b = buf_on(c->entries, CLUSTER_SCRATCH_BYTES);
	size_t at = SIZE_MAX;
	if (cluster_writer_get(c, k, &row))
		at = cluster_entry_at(row, span_of(entry.p, head), size);
	if (at != SIZE_MAX) {
		size_t n = size != 0 ? size : cluster_row_pod_size(row.p + at);
		if (span_eq(span_of(row.p + at, n), entry))
			return OK;
		buf_put(&b, row.p, at);
		buf_span_put(&b, span_from(row, at + n));
	} else {
		buf_span_put(&b, row);
	}
	buf_span_put(&b, entry);
	return buf_ok(&b) ? cluster_writer_put(c, k, buf_span(&b)) : ERR_LIMIT;
}

enum err cluster_entry_remove(struct cluster *c, const struct cluster_key *k, struct span head, size_t size)
{
	struct span row;
	struct buf b = buf_on(c->entries, CLUSTER_SCRATCH_BYTES);
	if (!cluster_writer_get(c, k, &row))
		return OK;
	size_t at = cluster_entry_at(row, head, size);
	if (at == SIZE_MAX)
		return OK;
	size_t n = size != 0 ? size : cluster_row_pod_size(row.p + at);
	buf_put(&b, row.p, at);
	buf_span_put(&b, span_from(row, at + n));
	return b.n == 0 ? cluster_writer_remove(c, k) : cluster_writer_put(c, k, buf_span(&b));
}
