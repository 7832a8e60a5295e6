/* kube_json: what kube_protobuf reads, from the JSON form: for servers without protobuf, and for custom resources,
 * which come as nothing else. One object at a time, as a tree in the arena; spans are the arena's. */
#ifndef CORE_KUBE_JSON_H
#define CORE_KUBE_JSON_H

#include "base/arena.h"
#include "core/kube_words.h"

/* All: OK | ERR_FORMAT | ERR_LIMIT. The same meaning as of kube_protobuf. */
enum err kube_json_read(enum kube_kind kind, struct span text, struct arena *a, unsigned *over,
                        struct kube_object *ret) MUST_CHECK;
enum err kube_json_list_meta(struct span text, struct arena *a, struct kube_meta *ret) MUST_CHECK;
enum err kube_json_bookmark(struct span text, struct arena *a, struct kube_meta *ret) MUST_CHECK;
enum err kube_json_status(struct span text, struct arena *a, struct kube_status *ret) MUST_CHECK;

#endif
