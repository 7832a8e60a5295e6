"""The objects of a cluster behind the API server: lists, pages, watches, streaming lists, bookmarks, and the trouble a
test wants.

  cluster = Watchable(api)
  cluster.put(service("shop", "web", "10.96.10.11", ports=[("http", 80)]))
  cluster.remove("services", "shop", "web")
  cluster.requests("services")        # how it was asked: ["stream", "watch", ...]

Knobs: streams, protobuf, bookmarks (seconds between them; None: none), page_max (objects of one answer whatever is
asked), pause (seconds between pieces of a list), silent (watches say nothing more, and do not end), piece (bytes of
each piece that is sent). forget() drops what lies behind: older versions and pages are 410 from then on; end() ends
watches as their time-out would.
"""
import dataclasses
import json
import re
import threading
import time

from . import protobuf
from .server import Reply, reply_status

PROTOBUF, JSON = "application/vnd.kubernetes.protobuf", "application/json"


@dataclasses.dataclass(frozen=True)
class Resource:
    api: str
    plural: str
    kind: str
    version: str
    namespaced: bool = True


RESOURCES = {r.plural: r for r in (
    Resource("/api/v1", "services", "Service", "v1"), Resource("/api/v1", "pods", "Pod", "v1"),
    Resource("/api/v1", "namespaces", "Namespace", "v1", False),
    Resource("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "discovery.k8s.io/v1"),
    Resource("/apis/multicluster.x-k8s.io/v1alpha1", "serviceimports", "ServiceImport",
             "multicluster.x-k8s.io/v1alpha1"))}
PLURALS = {r.kind: r.plural for r in RESOURCES.values()}


# --- objects ------------------------------------------------------------------------------------------------------

def make(kind, ns, name, labels=None, **more):
    meta = {"name": name, **({"namespace": ns} if ns else {}), **({"labels": labels} if labels else {})}
    return {"kind": kind, "apiVersion": RESOURCES[PLURALS[kind]].version, "metadata": meta, **more}


def ports_of(rows):
    """("http", 80) or ("dns", 53, "UDP")"""
    return [{"name": r[0], "port": r[1], "protocol": r[2] if len(r) > 2 else "TCP"} for r in rows]


def namespace(name, **labels):
    return make("Namespace", None, name, labels)


def service(ns, name, *ips, ports=(), labels=None, external=None, ingress=()):
    spec = {"type": "ExternalName" if external else "LoadBalancer" if ingress else "ClusterIP",
            "ports": ports_of(ports), "selector": {"app": name}}
    if external:
        spec["externalName"] = external
    else:
        spec["clusterIP"], spec["clusterIPs"] = ips[0], list(ips)
    return make("Service", ns, name, labels, spec=spec,
                status={"loadBalancer": {"ingress": [{"ip": i} for i in ingress]}})


def endpoint(address, hostname=None, pod=None, ready=True, zone=None, ns=None):
    out = {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}
    for key, value in (("hostname", hostname), ("zone", zone)):
        if value:
            out[key] = value
    if pod:
        out["targetRef"] = {"kind": "Pod", "namespace": ns or "", "name": pod}
    return out


def endpoint_slice(ns, name, of, endpoints, ports=(), family="IPv4", labels=None, triggered=None):
    o = make("EndpointSlice", ns, name, {"kubernetes.io/service-name": of, **(labels or {})}, addressType=family,
             endpoints=list(endpoints), ports=ports_of(ports))
    if triggered:
        o["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": triggered}
    return o


def pod(ns, name, ip, phase="Running", labels=None):
    return make("Pod", ns, name, labels, spec={"containers": [{"name": "c", "image": "registry.example/app:1"}]},
                status={"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}]})


def service_import(ns, name, *ips, ports=(), headless=False):
    return make("ServiceImport", ns, name, spec={"type": "Headless" if headless else "ClusterSetIP",
                                                 "ips": list(ips), "ports": ports_of(ports)})


# --- selectors ----------------------------------------------------------------------------------------------------

def label_rules(selector):
    """[(key, verb, values)] of "a=b,c in (d, e),!f"."""
    rules = []
    for term in re.findall(r"(?:[^,(]|\([^)]*\))+", selector or ""):
        term = term.strip()
        found = re.fullmatch(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)", term)
        if found:
            rules.append((found[1], found[2], {v.strip() for v in found[3].split(",")}))
        elif re.search(r"=", term):
            key, verb, value = re.fullmatch(r"([^!=\s]+)\s*(!=|==|=)\s*(.*)", term).groups()
            rules.append((key, "notin" if verb == "!=" else "in", {value}))
        else:
            rules.append((term.lstrip("!"), "absent" if term.startswith("!") else "present", set()))
    return rules


def selected(o, rules, fields):
    labels = o["metadata"].get("labels") or {}
    for key, verb, values in rules:
        held = {"in": labels.get(key) in values, "notin": labels.get(key) not in values, "present": key in labels,
                "absent": key not in labels}
        if not held[verb]:
            return False
    for term in filter(None, (fields or "").split(",")):
        key, verb, value = re.fullmatch(r"([^!=]+)(!=|=)(.*)", term).groups()
        has = o
        for step in key.split("."):
            has = (has or {}).get(step)
        if (has == value) != (verb == "="):
            return False
    return True


# --- the server's memory ------------------------------------------------------------------------------------------

class Entry:
    """One state of one object; its forms are made once."""
    __slots__ = ("version", "verb", "o", "forms")

    def __init__(self, version, verb, o):
        self.version, self.verb, self.o, self.forms = version, verb, o, {}

    def form(self, how, partial):
        key = (how, partial)
        if key not in self.forms:
            o = self.o
            if partial:
                o = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": o["metadata"]}
            self.forms[key] = protobuf.bare(o) if how == PROTOBUF else json.dumps(o).encode()
        return self.forms[key]


class Watchable:
    def __init__(self, api=None):
        self.changed = threading.Condition()
        self.version = 1000
        self.objects = {p: {} for p in RESOURCES}
        self.history = {p: [] for p in RESOURCES}
        self.forgotten = 0              # versions up to here are 410
        self.endings = 0                # watches begun before it went up end
        self.snapshots = {}             # what pages are cut from
        self.streams, self.protobuf, self.bookmarks, self.page_max = True, True, 60.0, 0
        self.pause, self.silent, self.piece = 0.0, False, 1 << 16
        self.asked, self.sent, self.watching = [], 0, {p: 0 for p in RESOURCES}
        if api is not None:
            self.serve(api)

    def serve(self, api):
        for r in RESOURCES.values():
            api.route(f"{r.api}/{r.plural}", self.answer)
        for root in {r.api for r in RESOURCES.values()}:
            api.route(f"{root}/namespaces", self.answer)

    # --- changes -------------------------------------------------------------------------------------------------

    def put(self, *objects):
        with self.changed:
            for o in objects:
                plural = PLURALS[o["kind"]]
                self.version += 1
                key = (o["metadata"].get("namespace", ""), o["metadata"]["name"])
                o = {**o, "metadata": {**o["metadata"], "resourceVersion": str(self.version)}}
                entry = Entry(self.version, "MODIFIED" if key in self.objects[plural] else "ADDED", o)
                self.objects[plural][key] = entry
                self.history[plural].append(entry)
            self.changed.notify_all()

    def remove(self, plural, ns, name):
        with self.changed:
            old = self.objects[plural].pop((ns or "", name))
            self.version += 1
            o = {**old.o, "metadata": {**old.o["metadata"], "resourceVersion": str(self.version)}}
            self.history[plural].append(Entry(self.version, "DELETED", o))
            self.changed.notify_all()

    def load(self, objects):
        """Many that were there before anybody asked."""
        self.put(*objects)
        self.forget(keep=True)

    def forget(self, keep=False):
        """Older versions are no longer known. keep: they are, there is but no way back to them."""
        with self.changed:
            self.history = {p: [] for p in RESOURCES}
            self.snapshots.clear()
            if not keep:
                self.version += 1
                self.forgotten = self.version
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.endings += 1
            self.changed.notify_all()

    # --- answers -------------------------------------------------------------------------------------------------

    def requests(self, plural):
        return [how for which, how, _ in self.asked if which == plural]

    def answer(self, request):
        words = request.path.strip("/").split("/")
        at = 2 if words[0] == "api" else 3
        ns = None
        if words[at] == "namespaces" and len(words) > at + 2:
            ns, at = words[at + 1], at + 2
        r = RESOURCES.get(words[at])
        if r is None or len(words) > at + 1 or request.method != "GET":
            return reply_status(404, "NotFound", "no such resource")
        q = request.query
        watch = q.get("watch") in ("true", "1")
        how = "stream" if q.get("sendInitialEvents") == "true" else "watch" if watch else "list"
        self.asked.append((r.plural, how, request))
        form = PROTOBUF if self.protobuf and PROTOBUF in request.accept and r.plural != "serviceimports" else JSON
        partial = "as=PartialObjectMetadata" in request.accept
        rules = label_rules(q.get("labelSelector"))

        def mine(entry):
            return (ns is None or entry.o["metadata"].get("namespace") == ns) and \
                selected(entry.o, rules, q.get("fieldSelector"))

        if how == "stream" and not self.streams:
            return reply_status(422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for "
                                "watch unless the WatchList feature gate is enabled")
        if watch:
            return self.watch(r, request, form, partial, mine)
        return self.list(r, q, form, partial, mine)

    def list(self, r, q, form, partial, mine):
        limit, token = int(q.get("limit", 0)), q.get("continue")
        if q.get("resourceVersion") == "0" and not self.page_max:
            limit = 0                       # the cache gives all at once
        limit = min(limit, self.page_max) if limit and self.page_max else limit or self.page_max
        with self.changed:
            if token:
                key, _, at = token.rpartition("@")
                rows, version = self.snapshots.get(key, (None, None))
                if rows is None:
                    return reply_status(410, "Expired", "The provided continue parameter is too old")
            else:
                rows = [e for _, e in sorted(self.objects[r.plural].items()) if mine(e)]
                version, at = self.version, 0
                key = f"{r.plural}+{len(self.snapshots)}"
                if limit:
                    self.snapshots[key] = rows, version
        at = int(at)
        page = rows[at:at + limit] if limit else rows
        more = f"{key}@{at + limit}" if limit and at + limit < len(rows) else ""
        items = (e.form(form, partial) for e in page)
        kind = "PartialObjectMetadataList" if partial else r.kind + "List"
        api = "meta.k8s.io/v1" if partial else r.version
        if form == PROTOBUF:
            parts = protobuf.list_of(kind, api, items, str(version), more)
        else:
            parts = self.json_list(kind, api, items, str(version), more)
        return Reply(200, self.counted(self.cut(parts, self.pause)), form)

    @staticmethod
    def json_list(kind, api, items, version, more):
        meta = {"resourceVersion": version, **({"continue": more} if more else {})}
        yield json.dumps({"kind": kind, "apiVersion": api, "metadata": meta}).encode()[:-1] + b', "items": ['
        for i, item in enumerate(items):
            yield (b"," if i else b"") + item
        yield b"]}"

    def cut(self, parts, pause):
        """In pieces of about `piece` bytes."""
        held, size = [], 0
        for p in parts:
            held.append(p)
            size += len(p)
            while size >= self.piece:
                data = b"".join(held)
                held, size = [data[self.piece:]], len(data) - self.piece
                yield data[:self.piece]
                time.sleep(pause)
        yield b"".join(held)

    def counted(self, pieces):
        for data in pieces:
            self.sent += len(data)
            yield data

    # --- watches -------------------------------------------------------------------------------------------------

    def frame(self, verb, r, entry, form, partial):
        key = ("frame", verb, form, partial)
        if key not in entry.forms:
            raw = entry.form(form, partial)
            if form == PROTOBUF:
                kind, api = ("PartialObjectMetadata", "meta.k8s.io/v1") if partial else (r.kind, r.version)
                entry.forms[key] = protobuf.event(verb, protobuf.unknown(kind, api, raw))
            else:
                entry.forms[key] = b'{"type":"%s","object":%s}\n' % (verb.encode(), raw)
        return entry.forms[key]

    def bookmark(self, r, version, form, partial, last):
        meta = {"resourceVersion": str(version)}
        if last:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        return self.frame("BOOKMARK", r, Entry(version, "BOOKMARK", {"kind": r.kind, "metadata": meta}), form, partial)

    def gone(self, form):
        o = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired",
             "message": "too old resource version", "code": 410}
        if form == PROTOBUF:
            return protobuf.event("ERROR", protobuf.unknown("Status", "v1", protobuf.status(o)))
        return b'{"type":"ERROR","object":%s}\n' % json.dumps(o).encode()

    def watch(self, r, request, form, partial, mine):
        frames = self.frames(r, request, form, partial, mine)
        return Reply(200, self.counted(self.pieces(r, frames)), form + ";stream=watch")

    def pieces(self, r, frames):
        with self.changed:
            self.watching[r.plural] += 1
        try:
            for data in frames:
                for at in range(0, len(data), self.piece):
                    yield data[at:at + self.piece]
        finally:
            frames.close()
            with self.changed:
                self.watching[r.plural] -= 1

    def frames(self, r, request, form, partial, mine):
        q, began, endings = request.query, time.monotonic(), self.endings
        until = began + float(q.get("timeoutSeconds", 300))
        with self.changed:
            version = int(q.get("resourceVersion") or 0)
            initial = q.get("sendInitialEvents") == "true"
            if initial:
                version = self.version
                rows = [e for _, e in sorted(self.objects[r.plural].items()) if mine(e)]
            elif version < self.forgotten:
                rows = None
        if not initial and version and version < self.forgotten:
            yield self.gone(form)
            return
        if initial:
            yield from self.cut((self.frame("ADDED", r, e, form, partial) for e in rows), self.pause)
            yield self.bookmark(r, version, form, partial, True)
        marked = time.monotonic()
        while time.monotonic() < until and endings == self.endings and not request.gone():
            with self.changed:
                history = self.history[r.plural]
                if version >= self.version or self.silent:
                    self.changed.wait(0.2)
                if version < self.forgotten and version:
                    yield self.gone(form)
                    return
                at = len(history)
                while at > 0 and history[at - 1].version > version:
                    at -= 1
                new, version = history[at:], self.version if not self.silent else version
            if self.silent:
                continue
            data = b"".join(self.frame(e.verb, r, e, form, partial) for e in new if mine(e))
            if data:
                yield data
            elif self.bookmarks is not None and time.monotonic() - marked >= self.bookmarks:
                marked = time.monotonic()
                yield self.bookmark(r, version, form, partial, False)
