"""Names that a real etcd holds, asked of the program under CoreDNS's name."""
import contextlib
import shutil
import subprocess
import tempfile

import dns.rcode
import pytest

import ns
from coredns import FOLDER, Coredns, total
from keys import openssl
from ns import wait_for
from test_coredns_plugins import Asked

pytestmark = pytest.mark.skipif(not (shutil.which("etcd") and shutil.which("etcdctl")),
                                reason="not installed: etcd-server, etcd-client")
TLS_URL = "https://127.0.0.1:2379"
URL, PEERS = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
NAMES = {"/skydns/test/sky/x": '{"host":"192.0.2.1","ttl":60}',
         "/skydns/test/sky/y/a": '{"host":"192.0.2.2","port":81}',
         "/skydns/test/sky/y/b": '{"host":"192.0.2.3","port":82}',
         "/skydns/test/sky/alias": '{"host":"x.sky.test"}',
         "/skydns/test/sky/t": '{"text":"hello"}',
         "/other/test/sky/x": '{"host":"192.0.2.77"}'}


class Etcd:
    """One member, in the world's namespace."""

    def __init__(self, world, url=URL, words=(), ctl_words=()):
        self.world, self.folder = world, tempfile.mkdtemp(prefix="signet-etcd-")
        self.ctl_words = ("--endpoints", url, *ctl_words)
        self.process = world.popen(
            ["etcd", "--data-dir", self.folder, "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", PEERS, "--initial-advertise-peer-urls", PEERS,
             "--initial-cluster", f"default={PEERS}", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ctl("endpoint", "health", check=False).returncode == 0, 60, "a healthy etcd")

    def ctl(self, *args, check=True):
        done = self.world.run("env", "ETCDCTL_API=3", "etcdctl", *self.ctl_words, *args, timeout=30)
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


def certificate(keys, folder, name, *extensions, subject=None):
    """A key and a certificate of the test CA."""
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(folder / f"{name}.key"))
    more = [word for line in extensions for word in ("-addext", line)]
    openssl("req", "-x509", "-new", "-key", str(folder / f"{name}.key"), "-CA", str(keys / "ca.pem"), "-CAkey",
            str(keys / "ca.key"), "-subj", subject or f"/CN={name}", "-days", "30", "-addext",
            "basicConstraints=critical,CA:FALSE", *more, "-out", str(folder / f"{name}.pem"))
    (folder / f"{name}.key").chmod(0o644)      # the program has given root up when it reads them


@pytest.fixture(scope="module")
def guarded(keys):
    """An etcd over TLS that lets nobody in without a certificate; the files stand in the Corefile's folder."""
    with ns.World(keys) as made:
        made.write(f"{FOLDER}/ca.pem", (keys / "ca.pem").read_bytes())
        made.write(f"{FOLDER}/stranger.pem", (keys / "stranger.pem").read_bytes())
        folder = made.path(FOLDER)
        # Its own gateway is a client of it.
        certificate(keys, folder, "etcd", "subjectAltName=IP:127.0.0.1", "extendedKeyUsage=serverAuth,clientAuth")
        certificate(keys, folder, "dns", "extendedKeyUsage=clientAuth")
        certificate(keys, folder, "unnamed", "extendedKeyUsage=clientAuth", subject="/O=dns")
        certificate(keys, folder, "server-only", "extendedKeyUsage=serverAuth")
        etcd = Etcd(made, TLS_URL,
                    ["--cert-file", folder / "etcd.pem", "--key-file", folder / "etcd.key", "--client-cert-auth",
                     "--trusted-ca-file", folder / "ca.pem"],
                    ["--cacert", folder / "ca.pem", "--cert", folder / "dns.pem", "--key", folder / "dns.key"])
        made.etcd = etcd
        for key, value in NAMES.items():
            etcd.ctl("put", key, value)
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


@pytest.mark.parametrize("words, answers", [
    ("tls dns.pem dns.key ca.pem", True),
    ("tls ca.pem", False),                         # nobody without a certificate
    ("tls server-only.pem server-only.key ca.pem", False),   # one that is not for clients
    ("tls dns.pem dns.key stranger.pem", False),   # an authority that did not vouch for it
    ("tls dns.pem etcd.key ca.pem", False),        # another's key
    ("", False)])
def test_over_tls(guarded, words, answers):
    with serving(guarded, f"endpoint {TLS_URL}", words) as server:
        if answers:
            assert ttl_and_data(guarded, "x.sky.test A") == [(60, ["192.0.2.1"])]
            assert Asked(guarded, "nosuch.sky.test A").msg.rcode() == dns.rcode.NXDOMAIN
        else:
            assert Asked(guarded, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
        assert server.alive()


def test_no_clear_text_towards_one_with_tls(guarded):
    with serving(guarded, f"endpoint {TLS_URL.replace('https', 'http')}"):
        assert Asked(guarded, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL


def test_credentials_of_a_client_over_tls(guarded):
    """Last of those over TLS: a login beside the certificate, of one who may read these names alone. An etcd that has
    logins takes no certificate with a common name over JSON, so one there must be without."""
    for args in (("user", "add", "root:secret"), ("role", "add", "root"), ("user", "grant-role", "root", "root"),
                 ("user", "add", "dns:word"), ("role", "add", "names"), ("user", "grant-role", "dns", "names"),
                 ("role", "grant-permission", "names", "read", "/skydns/", "--prefix=true"), ("auth", "enable")):
        guarded.etcd.ctl(*args)
    with serving(guarded, f"endpoint {TLS_URL}", "tls dns.pem dns.key ca.pem", "credentials dns word") as server:
        assert Asked(guarded, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
        server.wait_log("etcd: the login: HTTP status 400: CommonName of client", 5)
    tls = "tls unnamed.pem unnamed.key ca.pem"
    with serving(guarded, f"endpoint {TLS_URL}", tls, "credentials dns word") as server:
        assert ttl_and_data(guarded, "x.sky.test A") == [(60, ["192.0.2.1"])]
        assert "word" not in server.stderr()
    with serving(guarded, f"endpoint {TLS_URL}", tls, "credentials dns wrong"):
        assert Asked(guarded, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL
    with serving(guarded, f"endpoint {TLS_URL}", tls, "credentials dns word", "path /other"):
        assert Asked(guarded, "x.sky.test A", timeout=8).msg.rcode() == dns.rcode.SERVFAIL


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
