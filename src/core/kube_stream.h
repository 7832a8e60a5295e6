/* kube_stream: the body of a list or a watch, arriving in pieces cut anywhere, as one object after the other. A list is
 * never in memory, an object is: in its piece where it came whole, else in a buffer of its own size. What is longer
 * than KUBE_OBJECT_MAX is stepped over and counted. Pull: as long as a piece lasts, ask for the next item.
 * source  Kubernetes API Concepts, "Protobuf encoding" and "Efficient detection of changes": a list is "k8s\0" and
 *         runtime.Unknown with the list as its raw bytes; a watch is frames of four bytes of length, big endian, and a
 *         meta.v1.WatchEvent; as JSON one document, or one a frame. */
#ifndef CORE_KUBE_STREAM_H
#define CORE_KUBE_STREAM_H

#include "core/kube_words.h"

enum kube_form { KUBE_PROTOBUF, KUBE_JSON };

enum kube_item_kind {
	KUBE_ITEM_NONE,       /* the piece is used up */
	KUBE_ITEM_PUT,        /* an object that is there */
	KUBE_ITEM_REMOVE,     /* one that is gone, as it last was */
	KUBE_ITEM_BOOKMARK,   /* an object that says nothing but a version */
	KUBE_ITEM_ERROR,      /* an object of kind Status */
	KUBE_ITEM_META,       /* metadata of the list */
};

struct kube_item {
	enum kube_item_kind kind;
	struct span bytes;            /* valid until the next call */
};

#define KUBE_KEY_MAX 16u              /* of the members of a list that matter */

/* Where a scan of JSON text stands. */
struct kube_json_scan {
	unsigned depth;               /* brackets that are open */
	bool quoted, escaped;
	bool value;                   /* behind the colon of the outermost object's member */
	bool items;                   /* inside of the list's items */
	uint8_t key[KUBE_KEY_MAX];    /* of that member */
	uint8_t nkey;
};

struct kube_stream {
	enum kube_form form;
	bool watch;
	uint8_t step, kind;           /* where in the form's grammar; enum kube_item_kind of what is taken */
	bool inner;                   /* inside of the raw bytes of runtime.Unknown */
	bool whole;                   /* a list has ended as it should */
	uint8_t head[10];             /* of a varint, magic or length that was cut */
	uint8_t nhead;
	uint64_t left;                /* of the raw bytes */
	uint64_t want;                /* bytes to take or to step over */
	uint8_t *hold;                /* an object that was cut */
	size_t held, cap;
	unsigned taking;              /* depth the JSON value that is taken began at; 0: none is */
	bool stepping;                /* it is too long, and stepped over */
	struct kube_json_scan json;
	unsigned over;                /* objects that were too long */
};

void kube_stream_init(struct kube_stream *s, enum kube_form form, bool watch);
void kube_stream_fini(struct kube_stream *s);
/* Take the next item from the front of the piece. returns OK | ERR_FORMAT: nothing more can be read of this body */
enum err kube_stream_next(struct kube_stream *s, struct span *piece, struct kube_item *ret) MUST_CHECK;
/* The body has ended: did it where it may? OK | ERR_SHORT */
enum err kube_stream_end(const struct kube_stream *s) MUST_CHECK;

#endif
