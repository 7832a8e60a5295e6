"""DNS over HTTPS and TLS from a Corefile: curl over HTTP/1.1 and HTTP/2, in the clear for a proxy too, and kdig."""
import base64
import os
import re
import shutil
import signal

import dns.message
import pytest

from ask import packet
from ns import World
from test_coredns_process import FOLDER, coredns, get

COREFILE = """https://example.org:443 https://example.org:8443 {{
    tls {folder}/cert.pem {folder}/key.pem
    file {folder}/db.org
    prometheus :9153
}}
https://example.org:8080 {{
    file {folder}/db.org
}}
tls://example.org {{
    tls {folder}/cert.pem {folder}/key.pem
    file {folder}/db.org
}}
example.org {{
    file {folder}/db.org
}}
"""
TLS, CLEAR = "https://127.0.0.1:443", "http://127.0.0.1:8080"


@pytest.fixture(name="served", scope="module")
def served_world(keys):
    with World(keys, hosts={}) as world:
        done = world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                         "-keyout", "/etc/coredns-key.pem", "-out", "/etc/coredns-cert.pem", "-days", "30", "-subj",
                         "/CN=dns.test")
        assert done.returncode == 0, done.stderr
        for name in ("cert.pem", "key.pem"):
            world.write(f"{FOLDER}/{name}", world.read(f"/etc/coredns-{name}"))
        world.server = coredns(world, conf=COREFILE.format(folder=FOLDER))
        yield world


def curl(world, *args):
    """(status, header lines in lower case, body)"""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    out = world.path("/run/body")
    out.unlink(missing_ok=True)
    done = world.enter(["curl", "-sk", "--max-time", "10", "-D", "-", "-o", "/run/body", *args], capture_output=True,
                       text=True)
    lines = done.stdout.lower().splitlines()
    status = int(lines[0].split()[1]) if lines else 0
    return status, lines, out.read_bytes() if out.exists() else b""


def question(ident=0, name="a.example.org"):
    return packet(name, "A", ident)


def encoded(message):
    return base64.urlsafe_b64encode(message).rstrip(b"=").decode()


WAYS = [("--http2", TLS), ("--http1.1", TLS), ("--http2-prior-knowledge", CLEAR), ("--http1.1", CLEAR)]


@pytest.mark.parametrize("flag,where", WAYS)
def test_get_and_post(served, flag, where):
    status, lines, body = curl(served, flag, f"{where}/dns-query?dns={encoded(question())}")
    assert status == 200 and "content-type: application/dns-message" in lines
    assert "cache-control: max-age=300" in lines
    assert str(dns.message.from_wire(body).answer[0][0]) == "192.0.2.10"
    served.path("/run/question").write_bytes(question(7))
    status, lines, body = curl(served, flag, "--data-binary", "@/run/question", "-H",
                               "content-type: application/dns-message", f"{where}/dns-query")
    assert status == 200 and dns.message.from_wire(body).id == 7


@pytest.mark.parametrize("flag,where", WAYS)
def test_what_is_no_question(served, flag, where):
    good = encoded(question())
    assert curl(served, flag, f"{where}/elsewhere?dns={good}")[0] == 404
    assert curl(served, flag, f"{where}/dns-query")[0] == 400
    assert curl(served, flag, f"{where}/dns-query?dns=!!!")[0] == 400
    assert curl(served, flag, "-X", "PUT", f"{where}/dns-query?dns={good}")[0] == 405
    assert curl(served, flag, "--data-binary", "x", "-H", "content-type: text/plain", f"{where}/dns-query")[0] == 415
    served.path("/run/long").write_bytes(b"x" * 70000)
    assert curl(served, flag, "--data-binary", "@/run/long", "-H", "content-type: application/dns-message", "-H",
                "expect:", f"{where}/dns-query")[0] in (413, 0)
    assert curl(served, flag, f"{where}/dns-query?dns={good}")[0] == 200


def test_no_zone_is_refused(served):
    body = curl(served, "--http2", f"{TLS}/dns-query?dns={encoded(question(name='www.site.com'))}")[2]
    assert dns.message.from_wire(body).rcode() == 5


@pytest.mark.parametrize("flag", ["+https", "+tls"])
def test_kdig(served, flag):
    if not shutil.which("kdig"):
        pytest.skip("kdig is not installed")
    done = served.run("kdig", flag, "+short", "@127.0.0.1", "a.example.org", "A")
    assert done.stdout.strip() == "192.0.2.10", done.stderr


@pytest.mark.parametrize("flag", ["--http2", "--http1.1"])
def test_statuses_are_counted(served, flag):
    def counted():
        page = get(served, "/metrics", 9153)[1]
        name = 'coredns_dns_https_responses_total{server="https://:443",status="'
        return {int(m[1]): int(m[2]) for m in re.finditer(re.escape(name) + r'(\d+)"} (\d+)', page)}
    before = counted()
    for path in (f"dns-query?dns={encoded(question())}", "dns-query", "elsewhere"):
        curl(served, flag, f"{TLS}/{path}")
    curl(served, flag, "-X", "PUT", f"{TLS}/dns-query")
    assert {k: n - before.get(k, 0) for k, n in counted().items() if n != before.get(k, 0)} == \
        {200: 1, 400: 1, 404: 1, 405: 1}


def test_after_a_reload(served):
    os.kill(served.server.pid, signal.SIGUSR1)
    served.server.wait_log("Reloading complete")
    url = f"{TLS}/dns-query?dns={encoded(question())}"
    status, _, body = curl(served, "--http2", url)
    assert status == 200 and str(dns.message.from_wire(body).answer[0][0]) == "192.0.2.10"
