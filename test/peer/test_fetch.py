"""HTTP by signet-fetch: servers on loopback that are slow, break off, hang, lie or send far too much, each beside an
honest one; credentials that are exchanged; the helper killed. test/fetch/fetcher.c drives it as a worker does."""
import hashlib
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings
from pathlib import Path

import pytest

import ns
from conftest import needs
from ns import World, wait_for

BUILD = ns.program().parents[2]
FETCHER, HELPER = BUILD / "test/fetch/fetcher", BUILD / "src/app/signet-fetch"
LONG = 30        # seconds: nothing below takes so long, on whatever machine
FNV, PRIME, MASK = 0xcbf29ce484222325, 0x100000001b3, (1 << 64) - 1

pytestmark = pytest.mark.skipif(not FETCHER.exists(), reason=f"no {FETCHER} (make builds it)")


def openssl(folder, *args):
    done = subprocess.run(["openssl", *args], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            f"{name}.key", "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}")


def certificate(folder, name, ca, names):
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.csr", "-subj", f"/CN={name}")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-out",
            f"{name}.pem", "-days", "30", "-extfile", f"{name}.ext")


@pytest.fixture(name="pki", scope="module")
def pki_folder(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("pki")
    authority(folder, "one")
    authority(folder, "two")
    certificate(folder, "api", "one", "DNS:api.test,IP:127.0.0.1")
    certificate(folder, "api2", "two", "DNS:api.test,IP:127.0.0.1")
    certificate(folder, "other", "one", "DNS:other.test")
    certificate(folder, "client", "one", "DNS:client.test")
    return folder


class Host:
    """One that listens on loopback and calls `serve(connection, request, host)` for each request, in a thread of the
    connection's. What serve returns false for is closed."""

    def __init__(self, serve, pki=None, name="api", clients=None, address="127.0.0.1"):
        self.serve, self.pki, self.name, self.clients = serve, pki, name, clients
        self.requests, self.connections, self.ended = [], 0, threading.Event()
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"{'https' if pki else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self.listen, daemon=True).start()

    def context(self):
        """For each connection: certificates may be exchanged."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.pki / f"{self.name}.pem", self.pki / f"{self.name}.key")
        if self.clients:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(self.pki / f"{self.clients}.pem")
        return made

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            if self.pki:
                connection = self.context().wrap_socket(connection, server_side=True)
            while self.answer(connection):
                pass
        except OSError:
            pass
        finally:
            connection.close()

    def answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            got = connection.recv(65536)
            if not got:
                return False
            head += got
        head, body = head.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        request = head.decode() + "\n\n" + body.decode()
        self.requests.append(request)
        return self.serve(connection, request, self)

    def close(self):
        self.ended.set()
        self.socket.close()


@pytest.fixture(name="hosts")
def host_maker():
    made = []

    def make(*args, **words):
        made.append(Host(*args, **words))
        return made[-1]

    yield make
    for host in made:
        host.close()


def head(status=200, *fields):
    return "\r\n".join([f"HTTP/1.1 {status} Some", *fields, "", ""]).encode()


def whole(text, status=200, *fields):
    def serve(connection, _request, _host):
        connection.sendall(head(status, f"Content-Length: {len(text)}", "Content-Type: text/plain", *fields) +
                           text.encode())
        return True
    return serve


class Fetcher:
    def __init__(self, folder, argv=None, helper=HELPER, env=None):
        self.lines, self.more = [], threading.Condition()
        shutil.copy(FETCHER, folder / "fetcher")
        (folder / "signet-fetch").symlink_to(helper)
        self.folder = folder
        self.process = subprocess.Popen([*(argv or []), str(folder / "fetcher")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        threading.Thread(target=self.read, daemon=True).start()
        self.next = 0

    def read(self):
        for line in self.process.stdout:
            with self.more:
                self.lines.append(line.rstrip("\n"))
                self.more.notify_all()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def get(self, url, **words):
        """Begin it; the number it has here."""
        self.next += 1
        self.say(f"get {self.next} {url} " + " ".join(f"{k}={v}" for k, v in words.items()))
        return self.next

    def wait(self, pattern, seconds=LONG):
        """The first line like this."""
        end = time.monotonic() + seconds
        with self.more:
            while True:
                for line in self.lines:
                    match = re.fullmatch(pattern, line)
                    if match:
                        return match
                assert self.more.wait(max(0, end - time.monotonic())), f"no {pattern} in {self.lines[-20:]}"

    def end(self, number, seconds=LONG):
        """What it ended with."""
        return self.wait(rf"end {number} (.*)", seconds)[1]

    def status(self, number):
        return int(self.wait(rf"head {number} (\d+) .*")[1])

    def text(self, number):
        """Of small pieces."""
        return "".join(line.split(" ", 2)[2] for line in self.lines if line.startswith(f"piece {number} "))

    def helper(self):
        done = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return int(done.stdout.split()[0]) if done.stdout.split() else None

    def close(self):
        if self.process.poll() is None:
            self.say("quit")
            self.process.wait(LONG)
        assert self.process.returncode in (0, -9), self.lines[-30:]


@pytest.fixture(name="fetcher")
def fetcher_process(tmp_path):
    made = Fetcher(tmp_path)
    yield made
    made.close()


# ---- bodies as they come ----

def test_pieces_are_told_as_they_come(fetcher, hosts):
    seen = threading.Event()

    def serve(connection, _request, _host):
        connection.sendall(head(200, "Transfer-Encoding: chunked", "Content-Type: application/json") + b"3\r\none\r\n")
        assert seen.wait(LONG)
        connection.sendall(b"3\r\ntwo\r\n0\r\nTrailer: x\r\n\r\n")
        return True
    number = fetcher.get(hosts(serve).url + "/watch")
    fetcher.wait(rf"head {number} 200 application/json")
    fetcher.wait(rf"piece {number} one")
    seen.set()
    assert fetcher.end(number) == "-"
    assert fetcher.text(number) == "onetwo"


def test_many_watches_and_a_request_beside_them(fetcher, hosts, pki):
    def serve(connection, request, host):
        if "/watch" not in request:
            return whole("now")(connection, request, host)
        connection.sendall(head(200, "Transfer-Encoding: chunked") + b"1\r\n.\r\n")
        host.ended.wait(LONG)
        return False
    host = hosts(serve, pki)
    watches = [fetcher.get(f"{host.url}/watch{i}", ca=pki / "one.pem") for i in range(40)]
    for number in watches:
        fetcher.wait(rf"piece {number} \.")
    assert fetcher.end(fetcher.get(f"{host.url}/now", ca=pki / "one.pem")) == "-"
    for number in watches:
        fetcher.say(f"end {number}")
    assert fetcher.end(fetcher.get(f"{host.url}/now", ca=pki / "one.pem")) == "-"
    assert not [line for line in fetcher.lines if re.match(rf"end ({'|'.join(map(str, watches))}) ", line)]


def test_a_slow_one_is_no_idle_one(fetcher, hosts):
    def drip(connection, _request, _host):
        connection.sendall(head(200, "Content-Length: 12"))
        for _ in range(12):
            connection.sendall(b"x")
            time.sleep(0.25)
        return True

    def hang(connection, _request, host):
        connection.sendall(head(200, "Content-Length: 12") + b"x")
        host.ended.wait(LONG)
        return False
    slow, still = fetcher.get(hosts(drip).url, idle=2500), fetcher.get(hosts(hang).url, idle=2500)
    assert fetcher.end(slow) == "-"
    assert fetcher.text(slow) == "x" * 12
    assert fetcher.end(still) == "not a byte for 2.5 s"


def test_one_that_never_answers(fetcher, hosts):
    """It takes the connection and says nothing; the same with TLS, where that is the handshake."""
    quiet = hosts(lambda _c, _r, host: host.ended.wait(LONG) and False)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        first = fetcher.get(quiet.url, idle=700)
        second = fetcher.get(f"https://127.0.0.1:{deaf.getsockname()[1]}/", connect=700)
        assert fetcher.end(first) == "not a byte for 0.7 s"
        assert "timed out" in fetcher.end(second).lower() or "timeout" in fetcher.end(second).lower()


def test_connections_are_kept_an_eye_on(fetcher, hosts):
    """A peer that is gone without a word is noticed by the kernel: its keepalive timer runs (2 in /proc/net/tcp)."""
    host = hosts(lambda c, _r, h: (c.sendall(head(200, "Content-Length: 9") + b"x"), h.ended.wait(LONG))[0])
    number = fetcher.get(host.url)
    fetcher.wait(rf"piece {number} x")
    peer = f":{host.port:04X} "
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines() if peer in line]
    ours = [row for row in rows if row[2].endswith(peer.strip()) and row[3] == "01"]
    assert ours and all(row[5].startswith("02:") for row in ours), ours


def test_broken_off(fetcher, hosts):
    def reset(connection, _request, _host):
        connection.sendall(head(200, "Transfer-Encoding: chunked") + b"3\r\none\r\n")
        time.sleep(0.3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def short(connection, _request, _host):
        connection.sendall(head(200, "Content-Length: 100") + b"one")
        return False

    def until_the_end(connection, _request, _host):
        connection.sendall(head(200) + b"one")
        return False
    for serve, ending in ((reset, r"(?!-$).+"), (short, r".*97 bytes remaining.*"), (until_the_end, "-")):
        number = fetcher.get(hosts(serve).url)
        assert re.fullmatch(ending, fetcher.end(number)), serve
        assert fetcher.text(number) == "one"


def test_no_one_there(fetcher):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "connect" in fetcher.end(fetcher.get(f"http://127.0.0.1:{port}/"))
    with socket.create_server(("127.0.0.1", 0)) as plain:
        number = fetcher.get(f"https://127.0.0.1:{plain.getsockname()[1]}/")
        connection, _ = plain.accept()
        connection.sendall(head(400))
        assert "wrong version" in fetcher.end(number)
        connection.close()


def test_statuses(fetcher, hosts):
    """Also what is no success has its body; what comes before the answer is no answer; a redirect is not followed."""
    host = hosts(whole('{"code": 410}', 410))
    number = fetcher.get(host.url)
    assert fetcher.end(number) == "-"
    assert fetcher.status(number) == 410 and fetcher.text(number) == '{"code": 410}'

    def early(connection, _request, _host):
        connection.sendall(head(103, "Link: <x>") + head(200, "Content-Length: 2") + b"ok")
        return True
    number = fetcher.get(hosts(early).url)
    assert fetcher.end(number) == "-"
    assert [line for line in fetcher.lines if line.startswith(f"head {number} ")] == [f"head {number} 200 "]
    target = hosts(whole("never"))
    number = fetcher.get(hosts(whole("", 302, f"Location: {target.url}/")).url)
    assert fetcher.end(number) == "-"
    assert fetcher.status(number) == 302 and not target.requests


def test_requests(fetcher, hosts):
    host = hosts(whole("x"))
    fetcher.end(fetcher.get(host.url + "/a/../b?c=d", method="POST", body="some", accept="a/b", user="u", password="p"))
    text = host.requests[0]
    assert text.startswith("POST /a/../b?c=d HTTP/1.1")
    assert "\nAccept: a/b" in text and text.endswith("some") and "Authorization: Basic dTpw" in text
    assert "Expect" not in text
    fetcher.end(fetcher.get(host.url))
    assert "Authorization" not in host.requests[1]
    number = fetcher.get(host.url, method="HEAD")
    assert fetcher.end(number) == "-" and fetcher.status(number) == 200
    assert host.connections == 1   # all of them over one


def test_heads_have_a_bound(fetcher, hosts):
    def many(size):
        return whole("x", 200, *[f"X-{i}: {'y' * 990}" for i in range(size)])
    fine, large = fetcher.get(hosts(many(30)).url), fetcher.get(hosts(many(200)).url)
    assert fetcher.end(fine) == "-"
    assert fetcher.end(large) == "a head of more than 64 KB"
    endless = fetcher.get(hosts(lambda c, _r, _h: c.sendall(head()[:-2] + b"X: " + b"y" * (1 << 20))).url)
    assert fetcher.end(endless) != "-"


# ---- back pressure ----

BLOCK = bytes(range(256)) * 256


def test_200_mb_to_one_that_is_slow(fetcher, hosts, pki):
    """Nothing is lost, and nothing heaped up on the way: what is not taken stays with the server."""
    blocks, sent = 3200, [0]

    def serve(connection, _request, _host):
        connection.sendall(head(200, f"Content-Length: {blocks * len(BLOCK)}"))
        for _ in range(blocks):
            connection.sendall(BLOCK)
            sent[0] += len(BLOCK)
        return True
    fetcher.say("slow 40")
    number = fetcher.get(hosts(serve, pki).url, ca=pki / "one.pem")
    fetcher.wait(rf"head {number} 200 .*")
    most, early = 0, None
    time.sleep(1.5)
    early = sent[0]
    fetcher.say("slow 0")
    while not [line for line in fetcher.lines if line.startswith("end ")]:
        text = Path(f"/proc/{fetcher.helper()}/status").read_text()
        most = max(most, int(re.search(r"VmRSS:\s+(\d+)", text)[1]))
        time.sleep(0.02)
    assert fetcher.end(number) == "-"
    assert early < 24 << 20, early   # sockets' buffers and TLS records
    limit = 400000 if os.environ.get("SIGNET_SANITIZED") else 20000
    assert most < limit, most
    size, digest = re.findall(rf"body {number} (\d+) (\w+)", "\n".join(fetcher.lines))[-1]
    assert int(size) == blocks * len(BLOCK)
    assert int(digest, 16) == fnv(BLOCK, blocks)


def fnv(block, times):
    """FNV-1a of so many blocks: a linear map of the state it finds, apart from the low byte; so, played."""
    state = FNV
    if times * len(block) > 4 << 20:
        return hash_by_helper(block, times)
    for _ in range(times):
        for byte in block:
            state = (state ^ byte) * PRIME & MASK
    return state


def hash_by_helper(block, times):
    """Python takes minutes for that; a loop of C does not."""
    source = r"""#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int main(int n, char **v) { uint64_t h = 0xcbf29ce484222325u; long t = atol(v[1]); (void)n;
	while (t-- > 0) for (unsigned i = 0; i < 65536; i++) h = (h ^ (i & 255)) * 0x100000001b3u;
	printf("%016llx", (unsigned long long)h); return 0; }"""
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        (folder / "h.c").write_text(source)
        subprocess.run(["cc", "-O2", "-o", str(folder / "h"), str(folder / "h.c")], check=True)
        assert block == bytes(range(256)) * 256
        return int(subprocess.check_output([str(folder / "h"), str(times)], text=True), 16)
    finally:
        shutil.rmtree(folder)


# ---- who they are ----

def test_certificates(fetcher, hosts, pki):
    good, other = hosts(whole("x"), pki), hosts(whole("x"), pki, name="other")
    ca = pki / "one.pem"
    assert fetcher.end(fetcher.get(good.url, ca=ca)) == "-"
    assert "certificate" in fetcher.end(fetcher.get(good.url, ca=pki / "two.pem")).lower()
    assert "certificate" in fetcher.end(fetcher.get(good.url)).lower()   # those of the system do not know it
    assert "no alternative certificate" in fetcher.end(fetcher.get(other.url, ca=ca)).lower()
    assert fetcher.end(fetcher.get(other.url, ca=ca, name="other.test")) == "-"
    assert "\nHost: 127.0.0.1:" in other.requests[-1]
    assert "certificate" in fetcher.end(fetcher.get(good.url, ca=ca, name="other.test")).lower()
    assert fetcher.end(fetcher.get(good.url, unchecked=1)) == "-"
    name = f"https://api.test:{good.port}/"
    assert fetcher.end(fetcher.get(name, ca=ca, addr="127.0.0.1")) == "-"
    assert "no such file" in fetcher.end(fetcher.get(name, ca="/nowhere", addr="127.0.0.1")).lower()


def test_certificate_of_the_client(fetcher, hosts, pki):
    host = hosts(whole("x"), pki, clients="one")
    words = {"ca": pki / "one.pem", "cert": pki / "client.pem", "key": pki / "client.key"}
    assert fetcher.end(fetcher.get(host.url, **words)) == "-"
    assert fetcher.end(fetcher.get(host.url, ca=pki / "one.pem")) != "-"
    assert fetcher.end(fetcher.get(host.url, ca=pki / "one.pem", cert=pki / "api2.pem", key=pki / "api2.key")) != "-"


def test_old_tls_is_refused(fetcher, hosts, pki):
    host = hosts(whole("x"), pki)

    def old():
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_1
        made.load_cert_chain(pki / "api.pem", pki / "api.key")
        return made
    host.context = old
    assert fetcher.end(fetcher.get(host.url, ca=pki / "one.pem")) != "-"
    assert not host.requests


def test_tokens_and_authorities_are_exchanged(fetcher, hosts, pki, tmp_path):
    """They are read for each request; a connection that was checked against others is not used again."""
    host, token, ca = hosts(whole("x"), pki), tmp_path / "token", tmp_path / "ca.pem"
    token.write_text("first\n")
    ca.write_bytes((pki / "one.pem").read_bytes())
    words = {"ca": ca, "token": token}
    assert fetcher.end(fetcher.get(host.url, **words)) == "-"
    token.write_text("second")
    assert fetcher.end(fetcher.get(host.url, **words)) == "-"
    assert [re.search(r"Bearer (\S+)", r)[1] for r in host.requests] == ["first", "second"]
    assert host.connections == 1
    ca.write_bytes((pki / "two.pem").read_bytes())
    assert fetcher.end(fetcher.get(host.url, **words)) != "-"
    host.name = "api2"
    assert fetcher.end(fetcher.get(host.url, **words)) == "-"
    ca.write_text("nonsense")
    assert fetcher.end(fetcher.get(host.url, **words)) != "-"
    assert len(host.requests) == 3


def test_what_is_no_token(fetcher, hosts, tmp_path):
    host, token = hosts(whole("x")), tmp_path / "token"
    for text in ("", " \n", "secret\r\nX-Injected: yes", "secret\x01"):
        token.write_text(text)
        ending = fetcher.end(fetcher.get(host.url, token=token))
        assert "token" in ending and "secret" not in ending, ending
    token.unlink()
    assert "No such file" in fetcher.end(fetcher.get(host.url, token=token))
    os.mkfifo(token)
    assert fetcher.end(fetcher.get(host.url, token=token)) != "-"
    assert not host.requests
    assert "secret" not in "\n".join(fetcher.lines)


def test_urls_that_are_refused(fetcher, hosts):
    port = hosts(whole("x")).port
    for url, why in ((f"ftp://127.0.0.1:{port}/", "ftp"), ("file:///etc/passwd", ""), ("gopher://127.0.0.1/", ""),
                     (f"http://user:word@127.0.0.1:{port}/", "a URL with a user in it"),
                     (f"http://localhost:{port}/", "localhost has no address"), ("nonsense", "")):
        ending = fetcher.end(fetcher.get(url))
        assert ending != "-" and why in ending and "word" not in ending, (url, ending)


@needs("unshare", "nsenter", "ip")
def test_no_name_is_ever_looked_up(keys, tmp_path):
    """libcurl left alone asks whom resolv.conf names. Here that is a trap: the world's own loopback, port 53."""
    with World(keys, hosts={}) as world:
        asked = []
        with world.net():
            trap = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            trap.bind(("127.0.0.1", 53))
            host = Host(whole("x"))

        def listen():
            while True:
                asked.append(trap.recv(512))
        threading.Thread(target=listen, daemon=True).start()
        done = world.run("getent", "-s", "dns", "hosts", "trap.test", timeout=60)   # the trap is one
        wait_for(lambda: asked, LONG, "the trap's question")
        assert done.returncode != 0
        fetcher = Fetcher(tmp_path, argv=world.argv([]))
        try:
            url = f"http://api.test:{host.port}/"
            assert fetcher.end(fetcher.get(url)) == "api.test has no address"
            assert fetcher.end(fetcher.get(url, addr="127.0.0.1")) == "-"
            assert fetcher.end(fetcher.get(url)) == "api.test has no address"
            assert fetcher.end(fetcher.get(f"http://127.0.0.1:{host.port}/", name="other.test")) == "-"
        finally:
            fetcher.close()
        host.close()
        assert not [q for q in asked if b"\x04trap\x04test" not in q], asked


def test_no_proxy_of_the_environment(tmp_path, hosts):
    proxy, host = hosts(whole("proxy")), hosts(whole("x"))
    env = dict(os.environ, http_proxy=proxy.url, https_proxy=proxy.url, ALL_PROXY=proxy.url, no_proxy="")
    fetcher = Fetcher(tmp_path, env=env)
    assert fetcher.end(fetcher.get(host.url)) == "-"
    fetcher.close()
    assert not proxy.requests


# ---- the helper's life ----

def test_killed(fetcher, hosts):
    def serve(connection, request, host):
        if "/watch" not in request:
            return whole("x")(connection, request, host)
        connection.sendall(head(200, "Content-Length: 100") + b"x")
        host.ended.wait(LONG)
        return False
    host = hosts(serve)
    watch = fetcher.get(host.url + "/watch")
    fetcher.wait(rf"piece {watch} x")
    first = fetcher.helper()
    os.kill(first, 9)
    assert fetcher.end(watch) == "signet-fetch has ended by signal 9"
    fetcher.wait(r".*signet-fetch has ended by signal 9")
    assert fetcher.end(fetcher.get(host.url)) == "signet-fetch has ended, and is soon started again"

    def again():
        return fetcher.end(fetcher.get(host.url)) == "-"
    wait_for(again, LONG, "another helper")
    assert fetcher.helper() not in (first, None)


def test_it_ends_with_its_parent(tmp_path, hosts):
    fetcher = Fetcher(tmp_path)
    assert fetcher.end(fetcher.get(hosts(whole("x")).url)) == "-"
    helper = Path(f"/proc/{fetcher.helper()}")
    fetcher.process.kill()
    fetcher.process.wait(LONG)

    def gone():
        return not helper.exists() or "State:\tZ" in (helper / "status").read_text()
    wait_for(gone, LONG, "the helper's end")


def test_one_that_cannot_be_started(tmp_path):
    fetcher = Fetcher(tmp_path, helper="/nowhere/signet-fetch")
    assert "neither beside the program" in fetcher.end(fetcher.get("http://127.0.0.1:1/"))
    fetcher.close()
    done = subprocess.run([HELPER], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 2 and "signet, which starts it" in done.stderr


def test_what_it_may_not(fetcher, hosts):
    """No new rights, no core, no child, nothing written."""
    assert fetcher.end(fetcher.get(hosts(whole("x")).url)) == "-"
    folder = Path(f"/proc/{fetcher.helper()}")
    assert "NoNewPrivs:\t1" in (folder / "status").read_text()
    limits = (folder / "limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits) and re.search(r"Max processes\s+0\s+0", limits)
    names = {os.readlink(entry) for entry in (folder / "fd").iterdir()}
    assert not [name for name in names if name.startswith("/") and not name.startswith("/dev/")], names


def test_small(fetcher, hosts, pki):
    """Once it only watches, it holds little: pages read from libraries on the way are given back."""
    if os.environ.get("SIGNET_SANITIZED"):
        pytest.skip("the sanitizers' build is large")

    def serve(connection, _request, host):
        connection.sendall(head(200, "Transfer-Encoding: chunked") + b"1\r\n.\r\n")
        host.ended.wait(LONG)
        return False
    host = hosts(serve, pki)
    for number in [fetcher.get(f"{host.url}/{i}", ca=pki / "one.pem") for i in range(5)]:
        fetcher.wait(rf"piece {number} \.")

    def resident():
        text = Path(f"/proc/{fetcher.helper()}/smaps_rollup").read_text()
        return int(re.search(r"Rss:\s+(\d+)", text)[1])
    wait_for(lambda: resident() < 6000, LONG, f"less than 6 MB; {resident()} kB")


@needs("nghttpd")
def test_http2(fetcher, pki, tmp_path):
    """One connection, many at once, and large bodies to one that is slow."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/small").write_text("small")
    large = BLOCK * 48
    (tmp_path / "www/large").write_bytes(large)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = subprocess.Popen(["nghttpd", "-v", "-a", "127.0.0.1", "-d", str(tmp_path / "www"), str(port),
                               str(pki / "api.key"), str(pki / "api.pem")], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    lines = []
    threading.Thread(target=lambda: lines.extend(server.stdout), daemon=True).start()
    try:
        def there():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(there, LONG, "nghttpd")
        url, ca = f"https://127.0.0.1:{port}", pki / "one.pem"
        assert fetcher.end(fetcher.get(url + "/small", ca=ca)) == "-"
        fetcher.say("slow 2")
        numbers = [fetcher.get(f"{url}/{name}", ca=ca) for name in ("large", "small", "large", "small")]
        for number in numbers:
            assert fetcher.end(number) == "-"
        sizes = [int(re.findall(rf"body {n} (\d+)", "\n".join(fetcher.lines))[-1]) for n in numbers]
        assert sizes == [len(large), 5, len(large), 5]
        digests = [re.findall(rf"body {n} \d+ (\w+)", "\n".join(fetcher.lines))[-1] for n in numbers]
        assert digests[0] == digests[2] and int(digests[0], 16) == fnv(BLOCK, 48)
        assert int(digests[1], 16) == fnv(b"small", 1)
        assert len({m[1] for m in re.finditer(r"\[id=(\d+)\].*recv HEADERS", "\n".join(lines))}) == 1
    finally:
        server.kill()
        server.wait()
