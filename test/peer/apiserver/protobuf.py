"""The API's protobuf form, made of the same objects that are served as JSON. A small encoder of its own: it shares
nothing with the program that reads it. Field numbers: generated.proto of k8s.io/api and k8s.io/apimachinery."""
import json


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def part(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def text(number, value):
    return part(number, value) if value else b""


def number(field, value):
    return b"" if value is None else varint(field << 3) + varint(int(value))


def mapping(field, pairs):
    return b"".join(part(field, part(1, k) + part(2, v)) for k, v in sorted((pairs or {}).items()))


def object_meta(m):
    managed = b""
    for row in m.get("managedFields", ()):
        managed += part(17, text(1, row.get("manager")) + text(2, "Update") + part(7, part(1, json.dumps(row))))
    return (text(1, m.get("name")) + part(2, "") + text(3, m.get("namespace")) + part(4, "") +
            text(5, m.get("uid", "")) + text(6, m.get("resourceVersion")) + number(7, 0) +
            part(8, number(1, 1700000000)) +
            (part(9, number(1, 1800000000)) if m.get("deletionTimestamp") else b"") +
            mapping(11, m.get("labels")) + mapping(12, m.get("annotations")) + managed)


def port(p):
    return text(1, p.get("name")) + text(2, p.get("protocol", "TCP")) + number(3, p.get("port"))


def service(o):
    spec, status = o.get("spec", {}), o.get("status", {})
    inner = b"".join(part(1, port(p)) for p in spec.get("ports", ()))
    inner += mapping(2, spec.get("selector")) + text(3, spec.get("clusterIP")) + text(4, spec.get("type"))
    inner += b"".join(part(5, ip) for ip in spec.get("externalIPs", ())) + text(10, spec.get("externalName"))
    inner += b"".join(part(18, ip) for ip in spec.get("clusterIPs", ()))
    ingress = b"".join(part(1, text(1, i.get("ip")) + text(2, i.get("hostname")))
                       for i in status.get("loadBalancer", {}).get("ingress", ()))
    return part(2, inner) + part(3, part(1, ingress))


def endpoint(e):
    out = b"".join(part(1, a) for a in e["addresses"])
    out += part(2, b"".join(number(i, e.get("conditions", {}).get(k))
                            for i, k in enumerate(("ready", "serving", "terminating"), 1)))
    out += text(3, e.get("hostname"))
    if "targetRef" in e:
        ref = e["targetRef"]
        out += part(4, text(1, ref.get("kind")) + text(2, ref.get("namespace")) + text(3, ref.get("name")))
    return out + text(6, e.get("nodeName")) + text(7, e.get("zone"))


def endpoint_slice(o):
    return (b"".join(part(2, endpoint(e)) for e in o.get("endpoints") or ()) +
            b"".join(part(3, port(p)) for p in o.get("ports") or ()) + text(4, o.get("addressType")))


def pod(o):
    spec, status = o.get("spec", {}), o.get("status", {})
    inner = b"".join(part(2, text(1, c.get("name")) + text(2, c.get("image"))) for c in spec.get("containers", ()))
    inner += text(10, spec.get("nodeName")) + number(11, spec.get("hostNetwork", False))
    ips = b"".join(part(12, part(1, row["ip"])) for row in status.get("podIPs", ()))
    return part(2, inner) + part(3, text(1, status.get("phase")) + text(5, status.get("hostIP")) +
                                 text(6, status.get("podIP")) + ips)


BODIES = {"Service": service, "EndpointSlice": endpoint_slice, "Pod": pod,
          "Namespace": lambda o: part(2, b"") + part(3, b""), "PartialObjectMetadata": lambda o: b""}


def bare(o):
    """The object's own message."""
    return part(1, object_meta(o.get("metadata", {}))) + BODIES[o["kind"]](o)


def unknown(kind, version, raw):
    """What stands around a message that is a whole body, or a watch event's object."""
    return b"k8s\0" + part(1, part(1, version) + part(2, kind)) + part(2, raw) + part(3, "") + part(4, "")


def list_of(kind, version, items, at, more):
    """items: bare messages. The parts of a list's body."""
    head = part(1, text(2, at) + text(3, more))
    raw = [head] + [varint(2 << 3 | 2) + varint(len(i)) + i for i in items]
    size = sum(map(len, raw))
    yield b"k8s\0" + part(1, part(1, version) + part(2, kind)) + varint(2 << 3 | 2) + varint(size)
    yield from raw
    yield part(3, "") + part(4, "")


def status(o):
    details = o.get("details") or {}
    return (part(1, b"") + text(2, o.get("status")) + text(3, o.get("message")) + text(4, o.get("reason")) +
            part(5, number(5, details.get("retryAfterSeconds"))) + number(6, o.get("code")))


def event(kind, raw):
    """A frame of a watch; raw: what unknown() made."""
    body = part(1, kind) + part(2, part(1, raw))
    return len(body).to_bytes(4, "big") + body
