/* kube_protobuf: one object of the cluster's API from its protobuf form, by a walk over the bytes that skips all that
 * names do not need. Field numbers are those of the published generated.proto files, named where they are used. */
#ifndef CORE_KUBE_PROTOBUF_H
#define CORE_KUBE_PROTOBUF_H

#include "base/arena.h"
#include "core/kube_words.h"

/* An object of any kind, bare or as "k8s\0" and runtime.Unknown: the bytes of the kind itself. ERR_FORMAT */
enum err kube_protobuf_bare(struct span bytes, struct span *ret) MUST_CHECK;
/* Spans borrow from bytes, arrays are the arena's. What passes the bounds of kube_object.h is left out and counted in
 * *over. returns OK | ERR_SHORT, ERR_FORMAT | ERR_LIMIT of the arena */
enum err kube_protobuf_read(enum kube_kind kind, struct span bytes, struct arena *a, unsigned *over,
                            struct kube_object *ret) MUST_CHECK;
/* ListMeta of a list. */
enum err kube_protobuf_list_meta(struct span bytes, struct kube_meta *ret) MUST_CHECK;
/* The object of a bookmark, whatever its kind: ObjectMeta alone is looked at. */
enum err kube_protobuf_bookmark(struct span bytes, struct kube_meta *ret) MUST_CHECK;
enum err kube_protobuf_status(struct span bytes, struct kube_status *ret) MUST_CHECK;
/* meta.v1.WatchEvent */
enum err kube_protobuf_event(struct span bytes, struct span *ret_type, struct span *ret_object) MUST_CHECK;

#endif
