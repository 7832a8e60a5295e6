"""What kubectl asks before and beside the objects: discovery, OpenAPI, and whether an object is one of its kind. All of
it comes from kinds.txt.

  Discovery(api)                    kubectl leaves the judging to the server: --dry-run=server, --validate=strict
  Discovery(api, server=False)      kubectl judges by itself, by OpenAPI v2: create --dry-run=client --validate=true
"""
import json
from pathlib import Path

from .server import Reply, reply_json, reply_status

TABLE = Path(__file__).resolve().parent / "kinds.txt"
PRIMITIVES = {"string": {"type": "string"}, "int": {"type": "integer", "format": "int32"}, "bool": {"type": "boolean"},
              "quantity": {"type": "string"}, "int-or-string": {"type": "string", "format": "int-or-string"},
              "any": {"type": "object"}}
ACCEPTED = {"string": str, "int": int, "bool": bool, "quantity": (str, int, float), "int-or-string": (str, int)}
V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class Kind:
    def __init__(self, kind, group_version, plural, *flags):
        self.kind, self.plural, self.namespaced = kind, plural, "cluster" not in flags
        self.group_version = group_version
        self.group, _, self.version = group_version.rpartition("/")
        self.root = f"/apis/{group_version}" if self.group else f"/api/{group_version}"

    def gvk(self):
        return {"group": self.group, "version": self.version, "kind": self.kind}


def read_table(path=TABLE):
    """kinds by name, and types: name -> (source, {field: (type, required)})."""
    kinds, types, at = {}, {}, None
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if line.startswith("  "):
            name, kind = words
            at[name] = (kind.rstrip("!"), kind.endswith("!"))
        elif words[0] == "kind":
            kinds[words[1]] = Kind(*words[1:])
        else:
            at = {}
            types[words[1]] = (words[2], at)
    for kind in kinds:
        types[kind][1].update(apiVersion=("string", False), kind=("string", False))
    return kinds, types


KINDS, TYPES = read_table()


def address(source):
    if source.startswith("po:"):
        return f"prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.{source[3:]}"
    return f"kubernetes.io/docs/reference/kubernetes-api/{source}"


def judge(value, kind, path, wrong):
    """Whether a value is of a type of the table; what is wrong is told in `wrong`."""
    if value is None:
        return
    if kind.startswith("["):
        if not isinstance(value, list):
            wrong.append(f"{path}: expected a list")
            return
        for i, one in enumerate(value):
            judge(one, kind[1:-1], f"{path}[{i}]", wrong)
    elif kind.startswith("{"):
        if not isinstance(value, dict):
            wrong.append(f"{path}: expected a map")
            return
        for key, one in value.items():
            judge(one, kind[1:-1], f"{path}.{key}", wrong)
    elif kind in ACCEPTED:
        if not isinstance(value, ACCEPTED[kind]) or (isinstance(value, bool) and kind != "bool"):
            wrong.append(f"{path}: expected {kind}, got {json.dumps(value)}")
    elif kind != "any":
        judge_fields(value, kind, path, wrong)


def judge_fields(value, kind, path, wrong):
    if not isinstance(value, dict):
        wrong.append(f"{path}: expected {kind}")
        return
    fields = TYPES[kind][1]
    wrong += [f'unknown field "{path}.{name}"'.replace('".', '"') for name in value if name not in fields]
    wrong += [f"{path}.{name}: required" for name, (_, needed) in fields.items() if needed and name not in value]
    for name, one in value.items():
        if name in fields:
            judge(one, fields[name][0], f"{path}.{name}", wrong)


def schema_of(kind, prefix):
    """The JSON schema of a type by its name in the table."""
    if kind.startswith("["):
        return {"type": "array", "items": schema_of(kind[1:-1], prefix)}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": schema_of(kind[1:-1], prefix)}
    return dict(PRIMITIVES[kind]) if kind in PRIMITIVES else {"$ref": prefix + kind}


def definitions(prefix):
    made = {}
    for name, (source, fields) in TYPES.items():
        properties = {}
        for field, (kind, _) in fields.items():
            properties[field] = schema_of(kind, prefix)
            if "$ref" not in properties[field]:
                properties[field]["description"] = f"{name}.{field}: {address(source)}"
        made[name] = {"type": "object", "description": address(source), "properties": properties,
                      "required": [f for f, (_, needed) in fields.items() if needed]}
        if name in KINDS:
            made[name]["x-kubernetes-group-version-kind"] = [KINDS[name].gvk()]
    return made


# --- OpenAPI v2 as kubectl wants it: protobuf of the gnostic project's openapi.v2, field numbers from its .proto ---

def varint(n):
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes([*out, n])


def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def schema_v2(schema):
    """message Schema"""
    out = b""
    for key, number in (("$ref", 1), ("format", 2), ("description", 4)):
        if key in schema:
            out += field(number, schema[key])
    for name in schema.get("required", ()):
        out += field(19, name)
    if "additionalProperties" in schema:
        out += field(21, field(1, schema_v2(schema["additionalProperties"])))
    if "type" in schema:
        out += field(22, field(1, schema["type"]))
    if "items" in schema:
        out += field(23, field(1, schema_v2(schema["items"])))
    if "properties" in schema:
        out += field(25, b"".join(field(1, field(1, name) + field(2, schema_v2(one)))
                                  for name, one in schema["properties"].items()))
    key = "x-kubernetes-group-version-kind"
    if key in schema:
        out += field(31, field(1, key) + field(2, field(2, json.dumps(schema[key]))))
    return out


def document_v2():
    made = b"".join(field(1, field(1, name) + field(2, schema_v2(schema)))
                    for name, schema in definitions("#/definitions/").items())
    return field(1, "2.0") + field(2, field(1, "test") + field(2, "v1")) + field(8, b"") + field(9, made)


def document_v3(group_version):
    """Only the operations that say dry runs and field validation are understood."""
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    paths = {}
    for kind in KINDS.values():
        if kind.group_version == group_version:
            place = f"{kind.root}/namespaces/{{namespace}}/{kind.plural}/{{name}}" if kind.namespaced else \
                f"{kind.root}/{kind.plural}/{{name}}"
            operation = {"parameters": parameters, "x-kubernetes-group-version-kind": kind.gvk(),
                         "responses": {"200": {"description": "OK"}}}
            paths[place] = {"patch": operation}
    return {"openapi": "3.0.0", "info": {"title": "test", "version": "v1"}, "paths": paths,
            "components": {"schemas": definitions("#/components/schemas/")}}


class Discovery:
    """`kept` are the objects that were created, by (kind, namespace, name); `seen` those judged good."""

    def __init__(self, api, server=True):
        self.server, self.kept, self.seen = server, {}, []
        api.route("/version", lambda request: reply_json({
            "major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "linux/amd64"}))
        api.route("/api", self.core)
        api.route("/apis", self.groups)
        api.route("/openapi/v2", lambda request: Reply(200, document_v2(), V2))
        if server:
            api.route("/openapi/v3", self.openapi_v3)
        for version in {k.group_version: k for k in KINDS.values()}.values():
            api.route(version.root, self.within)

    # --- discovery -------------------------------------------------------------------------------------------

    def core(self, request):
        return reply_json({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})

    def groups(self, request):
        groups = []
        for version in sorted({k.group_version for k in KINDS.values() if k.group}):
            one = {"groupVersion": version, "version": version.rpartition("/")[2]}
            groups.append({"name": version.rpartition("/")[0], "versions": [one], "preferredVersion": one})
        return reply_json({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})

    def resources(self, root):
        rows = [{"name": k.plural, "singularName": k.kind.lower(), "namespaced": k.namespaced, "kind": k.kind,
                 "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}
                for k in KINDS.values() if k.root == root]
        version = next(k.group_version for k in KINDS.values() if k.root == root)
        return reply_json({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": rows})

    def openapi_v3(self, request):
        at = request.path.removeprefix("/openapi/v3").strip("/")
        if not at:
            roots = {k.root.strip("/") for k in KINDS.values()}
            return reply_json({"paths": {r: {"serverRelativeURL": f"/openapi/v3/{r}?hash=1"} for r in roots}})
        return reply_json(document_v3(at.removeprefix("apis/").removeprefix("api/")))

    # --- objects ---------------------------------------------------------------------------------------------

    def place(self, path):
        """(kind, namespace, name) of a path below a group's root; namespace and name may be None."""
        for kind in KINDS.values():
            if not path.startswith(kind.root + "/"):
                continue
            words = path[len(kind.root):].strip("/").split("/")
            namespace = None
            if words[0] == "namespaces" and len(words) > 2:
                namespace, words = words[1], words[2:]
            if words[0] == kind.plural:
                return kind, namespace, words[1] if len(words) > 1 else None
        return None, None, None

    def within(self, request):
        if any(request.path.rstrip("/") == k.root for k in KINDS.values()):
            return self.resources(request.path.rstrip("/"))
        kind, namespace, name = self.place(request.path)
        if kind is None:
            return reply_status(404, "NotFound", "the server could not find the requested resource")
        if request.method == "POST":
            return self.create(request, kind, namespace)
        if request.method == "GET" and name is None:
            items = [o for (k, ns, _), o in sorted(self.kept.items()) if k == kind.kind and namespace in (None, ns)]
            return reply_json({"kind": f"{kind.kind}List", "apiVersion": kind.group_version,
                               "metadata": {"resourceVersion": "1"}, "items": items})
        found = self.kept.get((kind.kind, namespace or "", name))
        if request.method == "GET" and found:
            return reply_json(found)
        message = f'{kind.plural} "{name}" not found'
        return reply_status(404, "NotFound", message, {"name": name, "kind": kind.plural})

    def create(self, request, kind, namespace):
        try:
            thing = json.loads(request.body)
        except ValueError:
            return reply_status(400, "BadRequest", "the object is no JSON")
        wrong = []
        judge_fields(thing, kind.kind, "", wrong)
        if thing.get("kind") != kind.kind or thing.get("apiVersion") != kind.group_version:
            wrong.append(f"the object is no {kind.group_version} {kind.kind}")
        if wrong and (self.server and request.query.get("fieldValidation") == "Strict"):
            return reply_status(400, "BadRequest", "strict decoding error: " + ", ".join(wrong))
        name = thing.get("metadata", {}).get("name", "")
        self.seen.append((kind.kind, name))
        thing["metadata"] = {**thing.get("metadata", {}), "uid": f"uid-{len(self.seen)}", "resourceVersion": "1"}
        if "dryRun" not in request.query:
            self.kept[kind.kind, namespace or "", name] = thing
        return reply_json(thing, 201)
