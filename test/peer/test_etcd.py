"""Names that a real etcd holds, asked of the program under CoreDNS's name."""
import contextlib
import shutil
import subprocess
import tempfile

import dns.rcode
import pytest

import ns
from coredns import Coredns, total
from ns import wait_for
from test_coredns_plugins import Asked

pytestmark = pytest.mark.skipif(not (shutil.which("etcd") and shutil.which("etcdctl")),
                                reason="not installed: etcd-server, etcd-client")
URL, PEERS = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
NAMES = {"/skydns/test/sky/x": '{"host":"192.0.2.1","ttl":60}',
         "/skydns/test/sky/y/a": '{"host":"192.0.2.2","port":81}',
         "/skydns/test/sky/y/b": '{"host":"192.0.2.3","port":82}',
         "/skydns/test/sky/alias": '{"host":"x.sky.test"}',
         "/skydns/test/sky/t": '{"text":"hello"}',
         "/other/test/sky/x": '{"host":"192.0.2.77"}'}


class Etcd:
    """One member, in the world's namespace."""

    def __init__(self, world):
        self.world, self.folder = world, tempfile.mkdtemp(prefix="signet-etcd-")
        self.process = world.popen(
            ["etcd", "--data-dir", self.folder, "--listen-client-urls", URL, "--advertise-client-urls", URL,
             "--listen-peer-urls", PEERS, "--initial-advertise-peer-urls", PEERS,
             "--initial-cluster", f"default={PEERS}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ctl("endpoint", "health", check=False).returncode == 0, 60, "a healthy etcd")

    def ctl(self, *args, check=True):
        done = self.world.run("env", "ETCDCTL_API=3", "etcdctl", "--endpoints", URL, *args, timeout=30)
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        etcd = Etcd(made)
        made.etcd = etcd
        for key, value in NAMES.items():
            etcd.ctl("put", key, value)
        lease = etcd.ctl("lease", "grant", "1000").stdout.split()[1]
        etcd.ctl("put", f"--lease={lease}", "/skydns/test/sky/leased", '{"host":"192.0.2.9"}')
        yield made
        etcd.stop()


@contextlib.contextmanager
def serving(world, *lines, more=""):
    text = "\n".join([".:53 {", "errors", "prometheus 127.0.0.1:9153", "etcd sky.test {", *lines, "}", more, "}", ""])
    server = Coredns(world, text)
    try:
        yield server
    finally:
        server.stop()


def ttl_and_data(world, question):
    return [(r.ttl, [str(one) for one in r]) for r in Asked(world, question).msg.answer]


def test_names_of_a_real_etcd(world):
    with serving(world, f"endpoint {URL}") as server:
        assert ttl_and_data(world, "x.sky.test A") == [(60, ["192.0.2.1"])]
        assert sorted(ttl_and_data(world, "y.sky.test A")[0][1]) == ["192.0.2.2", "192.0.2.3"]
        srv = Asked(world, "y.sky.test SRV").msg
        assert sorted(str(one) for one in srv.answer[0]) == ["10 50 81 a.y.sky.test.", "10 50 82 b.y.sky.test."]
        assert len(srv.additional) >= 2
        assert ttl_and_data(world, "alias.sky.test A") == [(300, ["x.sky.test."]), (60, ["192.0.2.1"])]
        assert ttl_and_data(world, "t.sky.test TXT") == [(300, ['"hello"'])]
        assert Asked(world, "nosuch.sky.test A").msg.rcode() == dns.rcode.NXDOMAIN
        left = ttl_and_data(world, "leased.sky.test A")[0][0]
        assert 30 <= left <= 1000
        assert total(server.metrics(), "signet_etcd_requests_total") >= 8
    with serving(world, f"endpoint {URL}", "max-lease-ttl 1m"):
        assert ttl_and_data(world, "leased.sky.test A")[0][0] == 60
    with serving(world, f"endpoint {URL}", "min-lease-ttl 2h"):
        assert ttl_and_data(world, "leased.sky.test A")[0][0] == 7200


def test_path_and_fallthrough(world):
    with serving(world, f"endpoint {URL}", "path /other", "fallthrough", more="whoami"):
        assert ttl_and_data(world, "x.sky.test A") == [(300, ["192.0.2.77"])]
        assert Asked(world, "nosuch.sky.test A").msg.rcode() == dns.rcode.NOERROR


def test_an_etcd_that_is_not_there(world):
    with serving(world, "endpoint http://127.0.0.1:9"):
        assert Asked(world, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
    with serving(world, f"endpoint http://127.0.0.1:9 {URL}"):
        assert ttl_and_data(world, "x.sky.test A") == [(60, ["192.0.2.1"])]


def test_credentials(world):
    """Last: from here on this etcd wants a login."""
    for args in (("user", "add", "root:secret"), ("role", "add", "root"), ("user", "grant-role", "root", "root"),
                 ("auth", "enable")):
        world.etcd.ctl(*args)
    with serving(world, f"endpoint {URL}", "credentials root secret"):
        assert ttl_and_data(world, "x.sky.test A") == [(60, ["192.0.2.1"])]
    with serving(world, f"endpoint {URL}", "credentials root wrong"):
        assert Asked(world, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
    with serving(world, f"endpoint {URL}"):
        assert Asked(world, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
