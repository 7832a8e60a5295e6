#include "proto/frame.h"

void frame_init(struct frame *f)
{
	*f = (struct frame){ .fed = { NULL, 0 } };
	queue_init(&f->kept, FRAME_KEEP_MAX);
}

void frame_fini(struct frame *f)
{
	queue_fini(&f->kept);
	f->fed = span_of(NULL, 0);
}

/* What waits is in one piece: kept and nothing fed, or fed alone. */
static struct span waiting(const struct frame *f)
{
	return f->kept.n > 0 ? queue_span(&f->kept) : f->fed;
}

enum err frame_feed(struct frame *f, struct span bytes)
{
	TRY(frame_keep(f));
	if (f->kept.n > 0)
		return queue_put(&f->kept, bytes);
	f->fed = bytes;
	return OK;
}

static bool whole(struct span s)
{
	return s.n >= 2 && s.n - 2 >= get_u16(s.p);
}

bool frame_next(struct frame *f, struct span *ret)
{
	struct span s = waiting(f);
	if (!whole(s))
		return false;
	size_t n = get_u16(s.p);
	*ret = span_of(s.p + 2, n);
	if (f->kept.n > 0)
		queue_drop(&f->kept, n + 2);
	else
		f->fed = span_from(s, n + 2);
	return true;
}

enum err frame_keep(struct frame *f)
{
	struct span rest = f->fed;
	f->fed = span_of(NULL, 0);
	enum err e = queue_put(&f->kept, rest);
	queue_rest(&f->kept);
	return e;
}

bool frame_waits(const struct frame *f)
{
	return whole(waiting(f));
}

bool frame_partial(const struct frame *f)
{
	struct span s = waiting(f);
	return s.n > 0 && !whole(s);
}

enum err frame_put(struct queue *out, struct span message)
{
	if (message.n > FRAME_MESSAGE_MAX)
		return ERR_LIMIT;
	uint8_t *to = queue_room(out, message.n + 2);
	if (to == NULL)
		return ERR_LIMIT;
	put_u16(to, (uint16_t)message.n);
	if (message.n > 0)
		memcpy(to + 2, message.p, message.n);
	queue_add(out, message.n + 2);
	return OK;
}
