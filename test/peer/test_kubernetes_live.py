"""A cluster's names from a live API: the program under the name coredns with other people's Corefiles, as a pod finds
it (environment, service account), against an API server over TLS that tells of changes, dies, comes back, forgets."""
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
from apiserver.server import TOKEN, ApiServer  # noqa: E402
from apiserver.shop import shop  # noqa: E402
from apiserver.watchable import Watchable, endpoint, endpoint_slice, namespace, service  # noqa: E402
from apiserver.watchable import pod as make_pod  # noqa: E402
from apiserver.watchable import service_import  # noqa: E402
from conftest import needs  # noqa: E402
from coredns import FOLDER, Coredns, total  # noqa: E402
from evilauth import Lab  # noqa: E402
from ns import World, service_user, wait_for  # noqa: E402

pytestmark = [pytest.mark.ours("not CoreDNS"), needs("dig")]
DATA = Path(__file__).resolve().parent / "data" / "corefile"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
API = ("192.0.2.2", 6443)
COPIED_MAX = 40      # branches for a change of one endpoint: the slice's row, and an address's
SOON = 20       # seconds that a loaded machine may take for what is there at once
BASE = """.:53 {
    errors
    ready
    prometheus 127.0.0.1:9153
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    reload 2s 1s
}
"""


class Pod:
    """The program in a pod of a cluster whose API stands outside."""

    def __init__(self, keys, corefile=BASE, objects=None, start=True, **knobs):
        self.world = World(keys, hosts={})
        try:
            self.folder = self.world.dir / "api"
            self.api, self.cluster = None, Watchable()
            for name, value in knobs.items():
                setattr(self.cluster, name, value)
            self.cluster.load(shop() if objects is None else objects)
            if start:
                self.serve()
            else:
                self.serve().close()
            self.account()
            self.server = Coredns(self.world, corefile, env={"KUBERNETES_SERVICE_HOST": API[0],
                                                             "KUBERNETES_SERVICE_PORT": str(API[1])})
        except BaseException:
            self.close()
            raise

    def serve(self, token=TOKEN):
        with self.world.net(self.world.outside):
            self.api = ApiServer(self.folder, *API)
        self.api.tokens = {token: "system:serviceaccount:kube-system:coredns"}
        self.cluster.serve(self.api)
        return self.api.start()

    def account(self, token=TOKEN):
        self.world.write(f"{ACCOUNT}/token", token)
        self.world.write(f"{ACCOUNT}/ca.crt", (self.folder / "ca.pem").read_bytes())

    def close(self):
        if self.api:
            self.api.close()
        self.world.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def dig(self, name, kind="A", *more):
        """(rcode, sorted answers)"""
        if not name.endswith("."):
            name += ".cluster.local."
        text = self.world.run("dig", "@127.0.0.1", "+tries=2", "+time=3", name, kind, *more).stdout
        code = re.search(r"status: (\w+)", text)
        part = re.search(r";; ANSWER SECTION:\n(.*?)\n\n", text, re.S)
        rows = [line.split(None, 4)[4] for line in part[1].splitlines()] if part else []
        return code and code[1], sorted(rows)

    def comes(self, name, want, kind="A", seconds=SOON):
        got = []

        def same():
            got[:] = self.dig(name, kind)
            return tuple(got) == want
        try:
            wait_for(same, seconds, f"{want} for {name}")
        except AssertionError as e:
            raise AssertionError(f"{e}; the last was {got}; {self.server.stderr()[-1500:]}") from None

    def synced(self):
        self.comes("web.shop.svc", ("NOERROR", ["10.96.10.11"]))
        return self

    def ready(self, port=8181):
        with self.world.net():
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5)
            except urllib.error.HTTPError as e:
                answer = e
            self.said = answer.read().decode()
            return answer.status


def ok(*rows):
    return "NOERROR", sorted(rows)


NX = "NXDOMAIN", []


# --- whose Corefile it is --------------------------------------------------------------------------------------------

def seeds():
    guide = sorted(p for p in DATA.glob("[0-9]*.Corefile") if "kubernetes" in p.read_text())
    return [(p.stem, p.read_text()) for p in (DATA / "kubeadm.Corefile", DATA / "k3s.Corefile", *guide)]


@pytest.mark.parametrize("name,text", seeds(), ids=[n for n, _ in seeds()])
def test_a_corefile_serves_the_cluster(keys, name, text):
    class WithFiles(Pod):
        def account(self, token=TOKEN):
            super().account(token)
            self.world.write("/etc/resolv.conf", "nameserver 192.0.2.2\n")
            self.world.write(f"{FOLDER}/NodeHosts", "192.0.2.1 node-1\n")
            self.world.write(f"{FOLDER}/anchors/anchors", "")
    with WithFiles(keys, text) as pod:
        pod.synced()
        assert pod.dig("kubernetes.default.svc") == ok("10.96.0.1")
        assert pod.dig("db.data.svc") == ok("10.244.1.21", "10.244.2.22")
        assert pod.dig("_pg._tcp.db.data.svc", "SRV") == ok("0 50 5432 db-0.db.data.svc.cluster.local.",
                                                            "0 50 5432 db-1.db.data.svc.cluster.local.")
        assert pod.dig("nosuch.shop.svc") == NX
        if "in-addr.arpa" in text:
            assert pod.dig("11.10.96.10.in-addr.arpa.", "PTR") == ok("web.shop.svc.cluster.local.")
        if re.search(r"^\s*ready\b", text, re.M):
            wait_for(lambda: pod.ready() == 200, SOON, "ready")


# --- what happens to a cluster ---------------------------------------------------------------------------------------

def test_changes_are_seen(keys):
    with Pod(keys) as pod:
        pod.synced()
        c = pod.cluster
        c.put(service("shop", "new", "10.96.10.99", ports=[("http", 80)]))
        pod.comes("new.shop.svc", ok("10.96.10.99"))
        c.remove("services", "shop", "new")
        pod.comes("new.shop.svc", NX)
        c.put(endpoint_slice("data", "db-1", "db", [endpoint("10.244.1.21", "db-0", ready=False),
                                                    endpoint("10.244.2.22", "db-1")], [("pg", 5432)]))
        pod.comes("db.data.svc", ok("10.244.2.22"))
        c.put(endpoint_slice("data", "db-1", "db", [endpoint("10.244.2.22", "db-1", ready=False)], [("pg", 5432)]))
        pod.comes("db.data.svc", NX)
        c.put(service("edge", "ext", "10.96.10.50"))
        pod.comes("ext.edge.svc", ok("10.96.10.50"))
        c.put(endpoint_slice("shop", "web-1", "cart", [endpoint("10.244.1.11")], [("http", 8080)]))
        pod.comes("10-244-1-11.web.shop.svc", NX)
        pod.comes("10-244-1-11.cart.shop.svc", ok("10.244.1.11"))
        c.remove("namespaces", "", "shop")
        pod.comes("web.shop.svc", NX)
        c.put(namespace("shop"))
        pod.comes("web.shop.svc", ok("10.96.10.11"))
        # It was all told by the first watches: nothing was listed twice.
        for plural in ("services", "endpointslices", "namespaces"):
            assert c.requests(plural) == ["stream"]
        assert c.requests("pods") == []


@pytest.mark.parametrize("knobs", [
    {"streams": False, "page_max": 2}, {"protobuf": False}, {"protobuf": False, "streams": False, "page_max": 3},
    {"piece": 7}], ids=["pages", "json", "json-pages", "crumbs"])
def test_other_servers_will_do(keys, knobs):
    with Pod(keys, **knobs) as pod:
        pod.synced()
        pod.comes("db.data.svc", ok("10.244.1.21", "10.244.2.22"))
        pod.cluster.put(service("shop", "new", "10.96.10.99"))
        pod.comes("new.shop.svc", ok("10.96.10.99"))
        if "page_max" in knobs:
            asked = pod.cluster.requests("services")
            assert asked[0] == "stream" and asked.count("list") >= 2 and asked[-1] == "watch"


def test_a_forgotten_version_leaves_no_gap(keys):
    with Pod(keys) as pod:
        pod.synced()
        pod.cluster.remove("services", "shop", "cart")
        pod.comes("cart.shop.svc", NX)
        wrong = []
        for _ in range(3):
            asked = len(pod.cluster.requests("services"))
            pod.cluster.forget()
            while len(pod.cluster.requests("services")) == asked:
                wrong += [x for x in [pod.dig("web.shop.svc")] if x != ok("10.96.10.11")]
            wrong += [x for x in [pod.dig("web.shop.svc")] if x != ok("10.96.10.11")]
        assert not wrong
        assert pod.dig("cart.shop.svc") == NX


def test_what_went_while_nobody_watched_is_gone(keys):
    with Pod(keys) as pod:
        pod.synced()
        pod.api.close()
        pod.cluster.remove("services", "shop", "cart")
        pod.cluster.put(service("shop", "new", "10.96.10.99"))
        pod.cluster.forget()
        assert pod.dig("cart.shop.svc") == ok("10.96.10.12")
        pod.serve()
        pod.comes("cart.shop.svc", NX, seconds=60)
        pod.comes("new.shop.svc", ok("10.96.10.99"))


def test_the_api_may_be_away(keys):
    with Pod(keys) as pod:
        pod.synced()
        wait_for(lambda: pod.ready() == 200, SOON, "ready")
        name = 'signet_kubernetes_news_timestamp_seconds'
        before = {k: v for k, v in pod.server.metrics().items() if k.startswith(name)}
        assert len(before) == 3 and min(before.values()) > 1e9
        pod.api.close()
        pod.server.wait_log("the API cannot be reached", SOON)
        assert pod.dig("web.shop.svc") == ok("10.96.10.11") and pod.dig("nosuch.shop.svc") == NX
        assert pod.ready() == 200
        wait_for(lambda: total(pod.server.metrics(), "signet_kubernetes_failures_total") >= 6, 60, "failures")
        assert {k: v for k, v in pod.server.metrics().items() if k.startswith(name)} == before
        assert len(pod.server.lines("the API cannot be reached")) <= 4      # said once a resource, and not each time
        assert pod.ready() == 200
        assert re.fullmatch(r"OK\nkubernetes: answers from what was last heard \d+ s ago", pod.said), pod.said
        pod.cluster.bookmarks = 0.5
        pod.serve()
        pod.cluster.put(service("shop", "new", "10.96.10.99"))
        pod.comes("new.shop.svc", ok("10.96.10.99"), seconds=60)
        assert "list" not in pod.cluster.requests("services")
        assert pod.cluster.requests("services").count("stream") == 1     # it went on from the version it had
        wait_for(lambda: min(v for k, v in pod.server.metrics().items() if k.startswith(name)) > max(before.values()),
                 60, "news of all")
        assert pod.ready() == 200 and pod.said == "OK"


def test_until_the_first_list_nothing_is_denied(keys):
    with Pod(keys, BASE.replace("ttl 30", "startup_timeout 1s"), start=False) as pod:
        assert pod.dig("web.shop.svc")[0] == "SERVFAIL"
        assert pod.ready() == 503
        pod.server.wait_log("starting server with unsynced Kubernetes API", SOON)
        pod.serve()
        pod.comes("web.shop.svc", ok("10.96.10.11"), seconds=60)
        wait_for(lambda: pod.ready() == 200, SOON, "ready")
        assert pod.dig("nosuch.shop.svc") == NX


def test_tokens_and_authorities_rotate(keys):
    with Pod(keys) as pod:
        pod.synced()
        pod.account("token-two")
        pod.api.tokens = {"token-two": "system:serviceaccount:kube-system:coredns"}
        pod.cluster.end()
        wait_for(lambda: len(pod.cluster.requests("services")) >= 2, SOON, "a watch with the new token")
        # An old one is not known, which is said once; then the file has the new one.
        pod.api.tokens = {"token-three": "system:serviceaccount:kube-system:coredns"}
        pod.cluster.end()
        pod.server.wait_log(r"the API does not know us \(401\)", SOON)
        pod.account("token-three")
        pod.cluster.put(service("shop", "three", "10.96.10.33"))
        pod.comes("three.shop.svc", ok("10.96.10.33"), seconds=60)
        # Another authority.
        pod.api.close()
        for name in ("ca", "server", "client"):
            (pod.folder / f"{name}.pem").unlink()
        pod.serve("token-three")
        pod.cluster.put(service("shop", "four", "10.96.10.44"))
        pod.server.wait_log("the API cannot be reached", SOON)
        assert pod.dig("four.shop.svc") == NX
        pod.account("token-three")
        pod.comes("four.shop.svc", ok("10.96.10.44"), seconds=60)
        assert pod.cluster.requests("services").count("stream") == 1
        for secret in (TOKEN, "token-two", "token-three"):
            assert secret not in pod.server.stderr()


def test_a_token_that_the_servers_user_may_not_read_is_told_with_its_cure(keys):
    """Files of the account are read with the rights of the user that the program serves as: root's alone are not."""
    class Locked(Pod):
        def account(self, token=TOKEN):
            super().account(token)
            self.world.path(f"{ACCOUNT}/token").chmod(0o600)
    with Locked(keys) as pod:
        lines = pod.server.wait_log(r"serviceaccount/token: .*Permission denied", SOON)
        uid, gid = service_user()
        assert "[WARNING]" in lines[0] and f"read as user {uid}: chgrp {gid} and chmod g+r" in lines[0], lines
        assert len(lines) <= 3, lines       # once a resource, and not each time
        assert pod.dig("web.shop.svc")[0] == "SERVFAIL" and pod.ready() == 503
        os.chown(pod.world.path(f"{ACCOUNT}/token"), 0, service_user()[1])
        pod.world.path(f"{ACCOUNT}/token").chmod(0o640)             # the cure that the line names
        pod.comes("web.shop.svc", ok("10.96.10.11"), seconds=60)


def test_what_the_role_lacks_is_said_once(keys):
    from apiserver.server import reply_status

    with Pod(keys, start=False) as pod:
        pod.serve()
        pod.api.before.append(lambda r: reply_status(403, "Forbidden", "endpointslices is forbidden: no RBAC")
                              if "endpointslices" in r.path else None)
        lines = pod.server.wait_log("endpointslices.discovery.k8s.io: the API forbids verb", 60)
        assert len(lines) == 1 and "403" in lines[0] and "needs verbs list and watch" in lines[0]
        pod.comes("web.shop.svc", ok("10.96.10.11"))
        assert pod.ready() == 503
        pod.api.before.clear()
        pod.comes("db.data.svc", ok("10.244.1.21", "10.244.2.22"), seconds=60)


def test_a_reload_lists_nothing_again(keys):
    with Pod(keys, bookmarks=0.5) as pod:       # that is when the API notices that nobody listens
        pod.synced()
        pod.comes("db.data.svc", ok("10.244.1.21", "10.244.2.22"))
        asked = len(pod.cluster.asked)
        pod.world.write(f"{FOLDER}/Corefile", BASE.replace("ttl 30", "ttl 60"))
        wait_for(lambda: "60" in pod.world.run("dig", "@127.0.0.1", "+noall", "+answer",
                                               "web.shop.svc.cluster.local.").stdout.split(), 30, "the new TTL")
        assert pod.dig("db.data.svc") == ok("10.244.1.21", "10.244.2.22")
        pod.cluster.put(service("shop", "new", "10.96.10.99"))
        pod.comes("new.shop.svc", ok("10.96.10.99"))
        assert len(pod.cluster.asked) == asked
        # What is watched is another thing now: that is asked for, and the old watches end.
        pod.world.write(f"{FOLDER}/Corefile", BASE.replace("pods insecure", "pods verified"))
        pod.comes("10-244-1-11.shop.pod", ok("10.244.1.11"), seconds=30)
        pod.comes("10-244-9-9.quiet.pod", NX)
        assert pod.cluster.requests("pods") == ["stream"]
        wait_for(lambda: pod.cluster.watching["services"] == 1, SOON, "the end of the old watches")


TWO = BASE.replace("cluster.local in-addr.arpa ip6.arpa", "cluster.local") + """
in-addr.arpa:53 ip6.arpa:53 other.local:53 {
    errors
    prometheus 127.0.0.1:9153
    kubernetes other.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 7
    }
}
"""


def test_blocks_share_what_is_watched(keys):
    """Two blocks with one API list it once, and go on with it when one of them goes, comes or changes."""
    with Pod(keys, TWO) as pod:
        pod.synced()
        c = pod.cluster

        def once():
            return all(c.requests(plural) == ["stream"] for plural in ("services", "endpointslices", "namespaces"))
        pod.comes("web.shop.svc.other.local.", ok("10.96.10.11"))
        assert pod.dig("11.10.96.10.in-addr.arpa.", "PTR") == ok("web.shop.svc.other.local.")
        assert once(), c.asked
        page = pod.server.metrics()
        assert total(page, "signet_kubernetes_lists_total") == 3 and total(page, "signet_kubernetes_synced") == 1
        assert total(page, "signet_kubernetes_objects", kind="namespace") == len(c.objects["namespaces"])
        assert total(page, "signet_kubernetes_news_timestamp_seconds", resource="services") < 2 * time.time()
        said = 'host="192.0.2.2:6443"'
        name = "coredns_kubernetes_rest_client"
        assert page[f'{name}_requests_total{{code="200",method="GET",{said}}}'] == 3
        for family in ("request", "rate_limiter"):
            assert page[f'{name}_{family}_duration_seconds_count{{verb="GET",{said}}}'] == 3
        # One block changes, one goes, and comes back.
        for text, name in ((TWO.replace("ttl 7", "ttl 8"), "web.shop.svc.other.local."),
                           (TWO[:TWO.index("in-addr.arpa:53")], None), (TWO, "web.shop.svc.other.local.")):
            done = len(pod.server.lines("Reloading complete"))
            pod.world.write(f"{FOLDER}/Corefile", text)
            wait_for(lambda: len(pod.server.lines("Reloading complete")) > done, 30, "a reload")  # noqa: B023
            pod.comes("web.shop.svc", ok("10.96.10.11"))
            if name:
                pod.comes(name, ok("10.96.10.11"))
        c.put(service("shop", "new", "10.96.10.99"))
        pod.comes("new.shop.svc", ok("10.96.10.99"))
        pod.comes("new.shop.svc.other.local.", ok("10.96.10.99"))
        assert once() and c.watching["services"] == 1, c.asked


def crowd():
    """5,000 pods, and 400 services of 12 endpoints each."""
    yield from (namespace(f"n{i}") for i in range(20))
    for i in range(400):
        yield service(f"n{i % 20}", f"s{i}", "None" if i % 2 else f"10.97.{i >> 8}.{i & 255}", ports=[("http", 80)])
        yield crowd_slice(i)
    for i in range(5000):
        yield make_pod(f"n{i % 20}", f"p{i}", f"10.200.{i >> 8}.{i & 255}")


def crowd_slice(i, lost=None):
    rows = [endpoint(f"10.201.{(i * 12 + k) >> 8}.{(i * 12 + k) & 255}", ready=k != lost) for k in range(12)]
    return endpoint_slice(f"n{i % 20}", f"s{i}-x", f"s{i}", rows, [("http", 8080)])


def test_an_event_costs_what_it_changes(keys):
    """A cluster is sent once, then events: bytes read and branches written again for each of them."""
    names = {short: f"signet_kubernetes_{short}_total"
             for short in ("read_bytes", "events", "copied", "changes", "lists")}

    def numbers(pod):
        page = pod.server.metrics()
        return {short: total(page, name) for short, name in names.items()}
    objects = [*shop(), *crowd()]
    with Pod(keys, BASE.replace("pods insecure", "pods verified"), objects) as pod:
        pod.synced()
        # A pod that is done is not sent.
        wait_for(lambda: numbers(pod)["events"] == len(objects) - 1, SOON, "all objects")
        before, sent = numbers(pod), pod.cluster.sent
        assert before["lists"] == 4 and sent == before["read_bytes"]
        for i in range(200):
            pod.cluster.put(crowd_slice(i, lost=i % 12))
        wait_for(lambda: numbers(pod)["events"] == before["events"] + 200, SOON, "the events")
        after = numbers(pod)
        assert after["read_bytes"] - before["read_bytes"] == pod.cluster.sent - sent < 200 * 1500
        assert after["changes"] - before["changes"] == 200 and after["lists"] == 4
        assert after["copied"] - before["copied"] < 200 * COPIED_MAX, after["copied"] - before["copied"]


def test_only_what_is_named_is_asked_for(keys):
    text = BASE.replace("ttl 30", "namespaces shop\n        labels app=web")
    with Pod(keys, text) as pod:
        pod.synced()
        assert pod.dig("db.data.svc") == NX and pod.dig("cart.shop.svc") == NX
        paths = {r.path + "?" + r.query.get("labelSelector", "") for _, _, r in pod.cluster.asked}
        assert "/api/v1/namespaces/shop/services?app=web" in paths
        assert "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?app=web" in paths


def test_services_of_several_clusters(keys):
    """ServiceImports come as JSON alone; slices say which cluster they are of."""
    text = BASE.replace("cluster.local in-addr", "cluster.local clusterset.local in-addr").replace(
        "ttl 30", "multicluster clusterset.local")
    labels = {"multicluster.kubernetes.io/service-name": "api", "multicluster.kubernetes.io/source-cluster": "east"}
    objects = [*shop(), service_import("shop", "web", "10.97.0.5", ports=[("http", 80)]),
               service_import("data", "api", headless=True),
               endpoint_slice("data", "api-east", "api-derived", [endpoint("10.8.0.9", "n0")], [("http", 80)],
                              labels=labels)]
    with Pod(keys, text, objects) as pod:
        pod.synced()
        pod.comes("web.shop.svc.clusterset.local.", ok("10.97.0.5"))
        assert pod.dig("_http._tcp.web.shop.svc.clusterset.local.", "SRV") == ok(
            "0 100 80 web.shop.svc.clusterset.local.")
        pod.comes("n0.east.api.data.svc.clusterset.local.", ok("10.8.0.9"))
        pod.cluster.remove("serviceimports", "shop", "web")
        pod.comes("web.shop.svc.clusterset.local.", NX)


@pytest.mark.parametrize("user", ["token", "cert"])
def test_a_kubeconfig_leads_to_the_api(keys, user):
    with Pod(keys, start=False) as pod:
        pod.serve()
        config = pod.api.kubeconfig(user=user)
        for name in ("ca.pem", "client.pem", "client.key"):
            pod.world.write(f"{FOLDER}/{name}", (pod.folder / name).read_bytes(), mode=0o644)
        text = config.read_text().replace(str(pod.folder), FOLDER)
        pod.world.write(f"{FOLDER}/config", text, mode=0o644)
        other = BASE.replace("ttl 30", f"kubeconfig {FOLDER}/config test").replace(":53", ":5353").replace(
            "9153", "9154").replace("    ready\n", "")
        second = Coredns(pod.world, other, port=5353)
        wait_for(lambda: pod.dig("web.shop.svc", "A", "-p", "5353") == ok("10.96.10.11"), SOON, "the cluster")
        assert second.alive()
        assert pod.api.asked[-1].user == ("system:apiserver-test-client" if user == "cert" else
                                          "system:serviceaccount:kube-system:coredns")


SANITIZED = Path(__file__).resolve().parents[2] / "build-debug" / "signet"


@pytest.mark.skipif(not SANITIZED.exists(), reason=f"no {SANITIZED} (make debug builds it)")
def test_the_helper_is_killed_again_and_again(keys, monkeypatch):
    """With the sanitizers: the process that speaks HTTP dies in the midst of its watches. Names are answered all the
    while, another one takes over where it was, and nothing of those that died is left."""
    monkeypatch.setenv("SIGNET_UNDER_TEST", str(SANITIZED))
    with Pod(keys) as pod:
        pod.synced()
        pod.comes("db.data.svc", ok("10.244.1.21", "10.244.2.22"))
        killed = set()

        def helper():
            found = [p for p in pod.server.processes() if p not in killed
                     and Path(f"/proc/{p}/comm").read_text().strip() == "signet-fetch"]
            return found and found[0]
        for i in range(3):
            pid = wait_for(helper, 60, "another signet-fetch")
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
            assert pod.dig("web.shop.svc") == ok("10.96.10.11") and pod.dig("nosuch.shop.svc") == NX
            pod.server.wait_log("signet-fetch has ended by signal 9", SOON, i + 1)
            if i in (0, 2):
                pod.cluster.put(service("shop", f"new{i}", f"10.96.10.9{i}"))
                pod.comes(f"new{i}.shop.svc", ok(f"10.96.10.9{i}"), seconds=60)
        assert pod.cluster.requests("services").count("stream") == 1     # they went on from the versions they had
        assert pod.server.stop() == 0, pod.server.stderr()[-3000:]       # a leak is another status
        assert "LeakSanitizer" not in pod.server.stderr()


TOLD = """.:53 {
    errors
    metadata
    log . "{name} ns={/kubernetes/namespace} of={/kubernetes/client-namespace}/{/kubernetes/client-pod-name} {/a/b}"
    kubernetes cluster.local {
        pods verified
    }
    template IN TXT who.test {
        answer "{{ .Name }} 60 IN TXT {{ .Meta \\"kubernetes/client-pod-name\\" }}"
    }
    reload 2s 1s
}
view.test:53 {
    metadata
    kubernetes cluster.local {
        pods verified
    }
    view quiet {
        expr metadata('kubernetes/client-namespace') == 'quiet'
    }
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.81"
    }
}
view.test:53 {
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.82"
    }
}
"""


def test_metadata_are_told(keys):
    """Who asks, and for what, in lines of the log, in templates and in the conditions of views."""
    with Pod(keys, TOLD, [*shop(), make_pod("quiet", "asker", "127.0.0.1")]) as pod:
        pod.synced()
        pod.comes("who.test.", ok('"asker"'), "TXT")
        assert pod.dig("db.data.svc")[0] == "NOERROR"
        pod.server.wait_log(r"^\[INFO\] db\.data\.svc\.cluster\.local\. ns=data of=quiet/asker -$", SOON)
        pod.server.wait_log(r"^\[INFO\] who\.test\. ns=- of=quiet/asker -$", SOON)
        pod.comes("x.view.test.", ok("192.0.2.81"))
        assert pod.cluster.requests("pods") == ["stream"]      # both blocks have the same of it
        pod.cluster.remove("pods", "quiet", "asker")
        pod.comes("x.view.test.", ok("192.0.2.82"))
        # Without the plugin nobody says anything.
        pod.world.write(f"{FOLDER}/Corefile", TOLD.replace("    metadata\n    log", "    log"))
        pod.cluster.put(make_pod("quiet", "asker", "127.0.0.1"))
        pod.server.wait_log("Reloading complete", 30)
        pod.comes("x.view.test.", ok("192.0.2.81"))
        pod.dig("cart.shop.svc")
        pod.server.wait_log(r"cart\.shop\.svc\.cluster\.local\. ns=- of=-/- -$", SOON)


def test_a_kubeconfig_with_a_new_secret_lists_nothing_again(keys):
    class Configured(Pod):
        def account(self, token=TOKEN):
            self.api.tokens = {token: "system:serviceaccount:kube-system:coredns"}
            self.world.write(f"{FOLDER}/ca.pem", (self.folder / "ca.pem").read_bytes(), mode=0o644)
            text = self.api.kubeconfig().read_text().replace(str(self.folder), FOLDER)
            self.world.write(f"{FOLDER}/config", text, mode=0o644)
    with Configured(keys, BASE.replace("ttl 30", f"kubeconfig {FOLDER}/config test")) as pod:
        pod.synced()
        pod.account("token-two")
        os.kill(pod.server.pid, signal.SIGUSR1)
        pod.server.wait_log("Reloading complete", 30)
        pod.cluster.put(service("shop", "new", "10.96.10.99"))
        pod.comes("new.shop.svc", ok("10.96.10.99"))
        assert pod.cluster.requests("services") == ["stream"]
        # The old secret is not good any more: the watch that comes next has the new one.
        pod.cluster.end()
        wait_for(lambda: pod.cluster.requests("services") == ["stream", "watch"], SOON, "a watch")
        pod.cluster.put(service("shop", "two", "10.96.10.98"))
        pod.comes("two.shop.svc", ok("10.96.10.98"))
        assert not pod.server.lines("the API does not know us")
        for secret in (TOKEN, "token-two"):
            assert secret not in pod.server.stderr()


# --- what pods look up -----------------------------------------------------------------------------------------------

SEARCH = "search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\nnameserver 127.0.0.1\n"


@needs("busybox", "getent")
def test_resolvers_of_pods_find_names(keys):
    with Pod(keys) as pod:
        pod.synced()
        pod.world.write("/etc/resolv.conf", SEARCH)
        for name in ("web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"):
            got = pod.world.run("getent", "ahostsv4", name).stdout
            assert "10.96.10.11" in got, name
        got = pod.world.run("busybox", "nslookup", "web.shop.svc.cluster.local")
        assert got.returncode == 0 and "10.96.10.11" in got.stdout
        got = pod.world.run("busybox", "nslookup", "10.96.10.11")
        assert "web.shop.svc.cluster.local" in got.stdout
        assert pod.world.run("busybox", "nslookup", "nosuch.shop.svc.cluster.local").returncode != 0
        lookup = musl_lookup(pod.world)
        if lookup is None:
            pytest.skip("musl-gcc is not installed: busybox and glibc found the names, musl was not asked")
        for name in ("web", "web.shop", "web.shop.svc"):
            assert lookup(name) == "10.96.10.11"


def musl_lookup(world):
    """A program linked with musl that prints a name's first address; None: there is no musl."""
    musl = shutil.which("musl-gcc")
    if musl is None:
        return None
    program, source = world.dir / "musl-lookup", world.dir / "lookup.c"
    source.write_text("#include <netdb.h>\n#include <stdio.h>\n#include <arpa/inet.h>\nint main(int n, char **v) {"
                      "struct hostent *h = gethostbyname(v[n - 1]); if (!h) return 1;"
                      "puts(inet_ntoa(*(struct in_addr *)h->h_addr_list[0])); return 0; }\n")
    subprocess.run([musl, "-static", "-o", str(program), str(source)], check=True)
    return lambda name: world.run(str(program), name).stdout.strip()


WALKED = BASE.replace("errors", "errors\n    log\n    autopath @kubernetes").replace(
    "    reload", "    hosts {\n        192.0.2.80 www.partner.example\n        fallthrough\n    }\n    reload")


@needs("busybox", "getent")
@pytest.mark.parametrize("pods", ["disabled", "insecure", "verified"])
def test_a_search_list_is_walked_for_its_pod(keys, pods):
    """One question is enough, whether pods are watched or the name says whose pod it is."""
    text = WALKED.replace("pods insecure", f"pods {pods}")
    asker = [service("quiet", "asker", "None", ports=[("http", 80)]),
             endpoint_slice("quiet", "asker-1", "asker", [endpoint("127.0.0.1")], [("http", 80)])]
    with Pod(keys, text, [*shop(), *asker, make_pod("quiet", "asker", "127.0.0.1")]) as pod:
        pod.synced()
        pod.comes("asker.quiet.svc", ok("127.0.0.1"))
        if pods == "verified":
            pod.comes("127-0-0-1.quiet.pod", ok("127.0.0.1"))
        assert pod.cluster.requests("pods") == (["stream"] if pods == "verified" else [])
        warned = pod.server.lines("kubernetes does not watch pods")
        assert len(warned) == (pods != "verified"), warned
        where = "svc.cluster.local"
        lookups = [lambda name: pod.world.run("getent", "ahostsv4", name).stdout.split()[:1],
                   lambda name: re.findall(r"^Address: +(192\S+)$", pod.world.run(
                       "busybox", "nslookup", "-type=a", f"{name}.quiet.{where}").stdout, re.M)[:1]]
        musl = musl_lookup(pod.world)
        lookups += [lambda name: [musl(name)]] if musl else []
        pod.world.write("/etc/resolv.conf", SEARCH.replace("shop.svc", "quiet.svc"))
        for lookup in lookups:
            before = len(pod.server.lines(r"\.partner\.example"))
            assert lookup("www.partner.example") == ["192.0.2.80"]
            asked = wait_for(lambda: pod.server.lines(r"\.partner\.example")[before:], SOON, "a line")  # noqa: B023
            assert all(f"www.partner.example.quiet.{where}." in line for line in asked), asked
        # A namespace called like a public suffix, in a name that is not the first of any list: the pod walks itself.
        pod.world.write("/etc/resolv.conf", SEARCH)
        assert lookups[0]("www.partner.example") == ["192.0.2.80"]
        pod.server.wait_log(r"A IN www\.partner\.example\. ", SOON)
        assert pod.dig(f"web.shop.{where}.") == ok("10.96.10.11")


@needs("busybox")
def test_the_guides_test_pod_finds_what_it_should(keys):
    """Its two lookups, from a pod whose resolv.conf is Kubernetes' own: a signed name, and one that is broken."""
    lab = Lab(keys, hosts_at={"8.8.8.8": "cloudflare", "8.8.4.4": "cloudflare"}, start=False)
    with lab.world as world:
        good, bad = (lab.evil.tree.zone(n) for n in ("dnssec-deployment.org.", "dnssec-failed.org."))
        for z in (good, bad):
            z.add(z.apex, "A", "192.0.2.77")
        now = int(time.time())
        bad.sigs(bad.apex, "A", inception=now - 40 * 86400, expiration=now - 10 * 86400)
        with world.net(world.outside):
            api = ApiServer(world.dir / "api", *API)
        Watchable(api).load(shop())
        with api:
            api.service_account(world.path(ACCOUNT))
            world.write(f"{FOLDER}/anchors/anchors", lab.evil.tree.anchor())
            world.write("/etc/resolv.conf", SEARCH)
            text = (DATA / "03-trust-anchor.Corefile").read_text().replace("errors", "errors\n    log")
            server = Coredns(world, text, env={"KUBERNETES_SERVICE_HOST": API[0],
                                               "KUBERNETES_SERVICE_PORT": str(API[1])})

            def lookup(name):
                done = world.run("busybox", "nslookup", name)
                return done.returncode, done.stdout + done.stderr
            wait_for(lambda: lookup("web.shop.svc.cluster.local")[0] == 0, SOON, "the cluster")
            code, said = lookup("dnssec-deployment.org")
            assert code == 0 and "192.0.2.77" in said, said
            code, said = lookup("dnssec-failed.org")
            assert code != 0 and "SERVFAIL" in said and "192.0.2.77" not in said, said
            server.wait_log(r"dnssec-failed\.org\. .*SERVFAIL", SOON)
            assert not server.lines(r"dnssec-deployment\.org\. .*SERVFAIL")
