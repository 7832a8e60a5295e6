"""signet in a pod of a small cluster: the test API server, what lies in a pod's files, and kubeadm's Corefile as it
stands but for its ports.

The API server is a part of the process that imports this and stands on its core; once all was listed it only keeps
watches open."""
import subprocess
import sys
from pathlib import Path

import peers

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "peer"))
COREFILE = ROOT / "test/peer/data/corefile/kubeadm.Corefile"
NAME = "signet cluster"
SERVICES, NAMESPACES = 1000, 20     # bench_load -k knows their names
API = ("127.0.0.1", 6443)
EXCHANGED = ((".:53 {", ".:{port} {{"), ("    health {", "    health 127.0.0.1:{health} {{"),
             ("    ready\n", "    ready 127.0.0.1:{ready}\n"), ("prometheus :9153", "prometheus 127.0.0.1:{metrics}"))


def objects(watchable):
    names = [f"n{i:03}" for i in range(NAMESPACES)]
    yield from (watchable.namespace(n) for n in names)
    for i in range(SERVICES):
        ns, name, ip = names[i % NAMESPACES], f"s{i:06}", f"10.128.{i >> 8}.{i & 255}"
        yield watchable.service(ns, name, f"10.96.{i >> 8}.{i & 255}", ports=[("http", 80)])
        yield watchable.endpoint_slice(ns, name + "-abcde", name, [watchable.endpoint(ip, pod=name + "-0", ns=ns)],
                                       [("http", 8080)])


def start_api(work):
    """It listens when this returns, and a pod's files lie where a pod has them."""
    from apiserver import watchable
    from apiserver.server import ApiServer
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    cluster = watchable.Watchable()
    cluster.load(list(objects(watchable)))
    api = ApiServer(work / "api", *API)
    cluster.serve(api)
    api.service_account("/run/secrets/kubernetes.io/serviceaccount")
    return api.start()


def server(binary, work, index):
    """`coredns -conf Corefile`, as kubeadm has it."""
    s = peers.Server(NAME, "as coredns in a pod", work, index)
    alias = work / "bin-pod"
    alias.mkdir()
    (alias / "coredns").symlink_to(binary)
    text = COREFILE.read_text(encoding="utf-8")
    ports = {"port": s.port, "health": s.port + 3, "ready": s.port + 4, "metrics": s.port + 5}
    for old, new in EXCHANGED:
        if text.count(old) != 1:
            raise SystemExit(f"{COREFILE} does not hold {old.strip()!r} exactly once")
        text = text.replace(old, new.format(**ports))
    (s.dir / "Corefile").write_text(text, encoding="utf-8")
    s.argv = ["env", f"KUBERNETES_SERVICE_HOST={API[0]}", f"KUBERNETES_SERVICE_PORT={API[1]}", alias / "coredns",
              "-conf", s.dir / "Corefile"]
    s.modes = ("udp",)
    return s
