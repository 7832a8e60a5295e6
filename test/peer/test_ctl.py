"""signet ctl: the control socket of the running program. Who is listened to, what each command brings about (shown by
what dig's like get afterwards and what upstreams are asked), and what garbage and crowds cannot do."""
import contextlib
import json
import os
import re
import socket
import stat
import time

import dns.flags
import pytest

from ask import ask, burst, ede, rcode, values
from hosts import address_of
from ns import program, service_user, wait_for
from server import Server

SOCKET = "/run/signet/ctl.sock"
CONF = """server:
  num-threads: 3
  log-queries: no
  trust-anchor-file: /var/lib/unbound/root.key
forward-zone:
  name: "."
  forward-addr: 1.1.1.1
forward-zone:
  name: "other.com"
  forward-addr: 9.9.9.9
  forward-addr: 149.112.112.112
"""
STRANGER = 12345        # a uid that is nobody's here


@pytest.fixture(autouse=True)
def ours(is_unbound):
    if is_unbound:
        pytest.skip("the packaged program has another control")


@pytest.fixture
def one(world):
    world.write("/var/lib/unbound/root.key", (world.keys / "root.key").read_text())
    return Server(world, conf=CONF, file="ctl.conf")


def ctl(world, *words, **options):
    return world.run(program(), "ctl", *words, **options)


def told(world, *words):
    """The answer in JSON, which must be one."""
    done = ctl(world, "--json", *words)
    assert done.returncode in (0, 1), done
    return json.loads(done.stdout)


def asked(world, name):
    return len(world.tell("seen", name=name))


@contextlib.contextmanager
def line_to(world, seconds=20):
    """A bare connection. A path has no network, so this process may use the one it sees from outside."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(str(world.path(SOCKET)))
        yield sock


def whole(sock):
    out = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65536):
            out += more
    return out


def said(world, line):
    with line_to(world) as sock:
        sock.sendall(line)
        sock.shutdown(socket.SHUT_WR)
        return whole(sock)


# --- who is listened to ---------------------------------------------------------------------------------------------

def test_the_socket_is_its_owners_alone(world, one):
    made = os.stat(world.path(SOCKET))
    assert stat.S_ISSOCK(made.st_mode) and stat.S_IMODE(made.st_mode) == 0o600
    assert (made.st_uid, made.st_gid) == service_user()
    folder = os.stat(world.path(SOCKET).parent)
    assert folder.st_uid == 0 and not folder.st_mode & 0o022, "somebody else could put another socket there"
    with open(f"/proc/{one.pid}/status") as f:
        assert f"Uid:\t{made.st_uid}\t" in f.read(), "root is not given up"
    assert ctl(world, "status").returncode == 0


def as_user(world, uid, gid, *words):
    return world.run("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", program(), "ctl", *words)


def test_its_own_user_may(world, one):
    done = as_user(world, *service_user(), "status")
    assert done.returncode == 0 and "signet " in done.stdout, done.stderr


def test_another_user_may_not(world, one):
    done = as_user(world, STRANGER, STRANGER, "status")
    assert done.returncode == 3 and not done.stdout and SOCKET in done.stderr
    # even where the file's mode would let it through: the kernel says who is at the other end
    world.path(SOCKET).parent.chmod(0o755)
    world.path(SOCKET).chmod(0o666)
    done = as_user(world, STRANGER, STRANGER, "status")
    assert done.returncode == 3 and not done.stdout and "only root" in done.stderr
    assert ctl(world, "status").returncode == 0


# --- commands -------------------------------------------------------------------------------------------------------

def test_status(world, one):
    ask(world, "www.site.com")
    world.rules({"name": "other.com", "addr": "9.9.9.9", "silent": True},
                {"name": "other.com", "addr": "149.112.112.112", "silent": True})
    s = told(world, "status")
    assert s["pid"] == one.pid and s["threads"] == 3 and s["uptime"] < 60 and s["validating"]
    assert s["configuration"].endswith("ctl.conf") and s["read_ok"] and s["anchors"] >= 1 and s["ntas"] == 0
    assert any("127.0.0.1@53" in l for l in s["listening"]) and "validate" in s["modules"].split()
    assert s["memory"] > 1 << 20 and s["log_lost"] == 0
    servers = {u["server"]: u for u in s["upstreams"]}
    assert servers["1.1.1.1@53"]["zone"] == "." and servers["1.1.1.1@53"]["state"].startswith("answers")
    assert servers["9.9.9.9@53"]["zone"] == "other.com." and servers["9.9.9.9@53"]["state"] == "not asked yet"
    text = ctl(world, "status").stdout
    assert f"pid {one.pid}" in text and re.search(r"1\.1\.1\.1@53 +answers, \d+ ms", text)


def test_status_names_the_cause_of_a_server_passed_over(world, one):
    world.blackhole("9.9.9.9", "149.112.112.112")

    def passed_over():
        burst(world, [(f"n{time.monotonic_ns()}.other.com", "A") for _ in range(6)])
        row = [u for u in told(world, "status")["upstreams"] if u["server"] == "9.9.9.9@53"][0]
        return row if row["threads_passing_over"] else None
    row = wait_for(passed_over, 30, "a breaker")
    assert row["cause"] and row["cause"] in row["state"]


def test_stats(world, one):
    ask(world, "www.site.com")
    rows = told(world, "stats")["metrics"]
    by_name = {(r["name"], r.get("proto") or r.get("result") or r.get("rcode")): r["value"] for r in rows}
    assert by_name["signet_queries_total", "udp"] >= 1 and by_name["signet_reloads_total", "ok"] == 0
    assert re.search(r"^ +\d+  signet_queries_total\{proto=\"udp\"\}$", ctl(world, "stats").stdout, re.M)
    assert 1 << 20 < by_name["process_resident_memory_bytes", None] < 1 << 30
    assert abs(by_name["process_start_time_seconds", None] - time.time()) < 600
    assert re.search(r"^ +\d+  process_open_fds$", ctl(world, "stats").stdout, re.M)


def test_reload_tells_how_it_went(world, one):
    done = ctl(world, "reload")
    assert done.returncode == 0 and done.stdout.startswith("reloaded")
    good = world.path("/etc/unbound/unbound.conf.d/ctl.conf").read_text()
    world.write("/etc/unbound/unbound.conf.d/ctl.conf", good.replace("1.1.1.1", "1.1.1.one"))
    done = ctl(world, "reload")
    assert done.returncode == 1 and "ctl.conf:7:17:" in done.stdout and "1.1.1.one" in done.stdout
    assert "stays in service" in done.stdout
    assert told(world, "reload")["ok"] is False and told(world, "status")["read_ok"] is False
    assert values(ask(world, "kept.site.com")) == [address_of("kept.site.com")], "the old configuration serves on"
    world.write("/etc/unbound/unbound.conf.d/ctl.conf", good.replace("1.1.1.1", "1.0.0.1"))
    assert told(world, "reload")["ok"] is True and told(world, "status")["read_ok"] is True
    ask(world, "new.site.com")
    assert {q["addr"] for q in world.tell("seen", name="new.site.com")} == {"1.0.0.1"}


def test_flush_makes_upstreams_asked_again(world, one):
    names = ["a.site.com", "b.a.site.com", "mysite.com", "site.com"]
    for _ in range(2):
        for name in names:
            ask(world, name)
    assert [asked(world, n) for n in ("b.a.site.com", "mysite.com")] == [1, 1]
    got = told(world, "flush", "A.site.COM")
    assert got["answers"] == 1 and got["below"] is False and got["name"] == "A.site.COM."
    for name in names:
        ask(world, name)
    counts = {n: world.counts()["questions"][f"{n}./A"] for n in names}
    assert counts == {"a.site.com": 2, "b.a.site.com": 1, "mysite.com": 1, "site.com": 1}
    assert told(world, "flush", "--below", "site.com")["answers"] == 3
    assert told(world, "flush", "--below", "site.com")["answers"] == 0
    for name in names:
        ask(world, name)
    counts = {n: world.counts()["questions"][f"{n}./A"] for n in names}
    assert counts == {"a.site.com": 3, "b.a.site.com": 2, "mysite.com": 1, "site.com": 2}


def test_flush_of_everything_under_load(world, one):
    """Workers answer on while what they answer from is taken away: no answer is lost, none is another's."""
    import threading
    over, wrong = threading.Event(), []

    def client(nr):
        while not over.is_set():
            name = f"n{nr}.site.com"
            got = values(ask(world, name))
            if got != [address_of(name)]:
                wrong.append((name, got))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    flushed = 0
    for _ in range(40):
        flushed += told(world, "flush", ".")["answers"]
    over.set()
    for t in threads:
        t.join()
    assert not wrong and flushed > 0


def test_flush_forgets_failures_and_what_was_proved(world, one):
    world.rules({"name": "fail.com", "rcode": 2})
    assert rcode(ask(world, "x.fail.com")) == "SERVFAIL" and rcode(ask(world, "www.secure")) == "NOERROR"
    got = told(world, "flush", ".")
    assert got["failures"] >= 1 and got["zones"] >= 2 and got["answers"] >= 1
    before = asked(world, "secure")
    assert ask(world, "www.secure", want_dnssec=True).flags & dns.flags.AD
    assert asked(world, "secure") > before, "its keys are asked for again"


def test_flush_forgets_proofs(world, one):
    """Which of the proofs would deny a name again is not told apart: all go."""
    asked_for = lambda name: world.counts()["questions"].get(f"{name}./A", 0)
    assert rcode(ask(world, "n1.secure", want_dnssec=True)) == "NXDOMAIN"
    assert rcode(ask(world, "n2.secure", want_dnssec=True)) == "NXDOMAIN" and asked_for("n2.secure") == 0
    assert told(world, "flush", "n2.secure")["proofs"] >= 1
    assert rcode(ask(world, "n3.secure", want_dnssec=True)) == "NXDOMAIN" and asked_for("n3.secure") == 1


def test_nta(world, one):
    """A bogus name answers without AD while a negative anchor stands, and is refused again when it has ended."""
    assert rcode(ask(world, "www.forged")) == "SERVFAIL" and ede(ask(world, "www.forged", use_edns=0))[0][0] == 6
    assert ctl(world, "nta", "forged", "1h").returncode == 0
    m = ask(world, "www.forged", want_dnssec=True)
    assert rcode(m) == "NOERROR" and m.answer and not m.flags & dns.flags.AD
    assert ask(world, "www.secure", want_dnssec=True).flags & dns.flags.AD, "only that name"
    rows = told(world, "nta")["ntas"]
    assert [r["zone"] for r in rows] == ["forged."] and rows[0]["until"].endswith("UTC")
    assert told(world, "status")["ntas"] == 1
    assert told(world, "reload")["ok"] and told(world, "nta")["ntas"] == rows, "a reload keeps it"
    assert ctl(world, "nta", "--remove", "forged").returncode == 0
    assert rcode(ask(world, "www.forged")) == "SERVFAIL" and told(world, "nta")["ntas"] == []
    done = ctl(world, "nta", "--remove", "forged")
    assert done.returncode == 1 and "no negative trust anchor" in done.stdout


def test_nta_expires(world, one):
    assert ctl(world, "nta", "forged", "2s").returncode == 0
    m = ask(world, "www.forged")
    assert rcode(m) == "NOERROR" and m.answer[0].ttl <= 2
    wait_for(lambda: told(world, "nta")["ntas"] == [], 10, "its end")
    wait_for(lambda: rcode(ask(world, "www.forged")) == "SERVFAIL", 5, "the end of what was let pass")


def test_nta_where_nothing_is_validated(world):
    Server(world, conf=CONF.replace("trust-anchor-file: /var/lib/unbound/root.key", ""), file="ctl.conf")
    done = ctl(world, "nta", "forged", "1h")
    assert done.returncode == 1 and "nothing is validated" in done.stdout
    assert told(world, "anchors")["anchors"] == []


def test_anchors(world, one):
    rows = told(world, "anchors")["anchors"]
    tag = int((world.keys / "root.key").read_text().split()[-4])
    assert any(r["zone"] == "." and r["tag"] == tag and r["type"] == "DS" and r["algorithm"] == 13 for r in rows)
    assert re.search(rf"^  \. +\w+ +DS +{tag} +13 ", ctl(world, "anchors").stdout, re.M)


# --- usage ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [(), ("bogus",), ("flush",), ("flush", "a..b"), ("nta", "x"), ("status", "now"),
                                   ("flush", "two words"), ("flush", "x" * 5000)])
def test_wrong_usage_is_told_without_a_server(world, words):
    done = ctl(world, *words)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_nobody_answers(world, one):
    assert one.stop() == 0
    done = ctl(world, "status")
    assert done.returncode == 3 and SOCKET in done.stderr and "systemctl status signet" in done.stderr
    done = ctl(world, "--socket", "/run/else", "status")
    assert done.returncode == 3 and "/run/else" in done.stderr


def test_help(world):
    text = world.run(program(), "help", "ctl").stdout
    assert "example: signet ctl" in text and "insecure_add" in text and "flush_zone" in text


def test_a_name_left_behind_is_taken_over(world, one):
    """A crash leaves the socket's name; the next start takes it, but never one that somebody listens at."""
    second = Server(world, conf=CONF.replace("num-threads", "port: 5302\n  num-threads"), file="second.conf", port=5302)
    assert second.lines(r"control-socket: /run/signet/ctl.sock: bind: Address already in use")
    assert told(world, "status")["pid"] == one.pid
    second.stop()
    one.process.kill()
    one.process.wait()
    assert world.path(SOCKET).exists()
    third = Server(world, conf=CONF, file="ctl.conf")
    assert told(world, "status")["pid"] == third.pid


def test_without_a_folder_it_goes_on(world):
    server = Server(world, conf=CONF + "signet:\n  control-socket: /run/none/deeper/ctl.sock\n", file="ctl.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    assert len(server.lines("warning: control-socket: ")) == 1


def test_switched_off(world):
    server = Server(world, conf=CONF + 'signet:\n  control-socket: ""\n', file="ctl.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    assert not world.path(SOCKET).exists() and not server.lines("control-socket")


# --- what cannot be done to it --------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [b"", b"\n", b"\0\n", b"\xff" * 100 + b"\n", b"status\0\n", b"flush " + b"a." * 2000,
                                  b"x" * 100000, b"GET / HTTP/1.1\r\n\r\n", b"--json " * 500 + b"\n",
                                  b"flush \\999\n", b"nta . 99999999999999999999\n"])
def test_garbage(world, one, line):
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        got = said(world, line)
        assert got == b"" or re.match(rb"2\n", got), got
    assert one.alive() and ctl(world, "status").returncode == 0


def test_a_line_without_its_end_is_taken(world, one):
    assert said(world, b"status").startswith(b"0\nsignet ")
    assert json.loads(said(world, b"--json status\nreload\n")[2:])["pid"] == one.pid
    assert not one.lines("configuration reloaded"), "one line a connection"


def test_half_open_clients_end(world, one):
    """Those who say nothing, or take nothing, hold a place for a few seconds and no more."""
    with contextlib.ExitStack() as stack:
        mute = [stack.enter_context(line_to(world)) for _ in range(8)]
        mute[0].sendall(b"stat")
        start = time.monotonic()
        assert ctl(world, "status").returncode == 0, "somebody honest waits for a place, and gets it"
        assert time.monotonic() - start < 15
        assert all(whole(sock) == b"" for sock in mute)


def test_a_hundred_clients(world, one):
    def descriptors():
        return len(os.listdir(f"/proc/{one.pid}/fd"))
    ctl(world, "status")
    before = descriptors()
    socks = []
    for _ in range(100):
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(str(world.path(SOCKET)))
            socks.append(sock)
    time.sleep(0.3)
    assert descriptors() - before <= 8, "places are bounded"
    assert rcode(ask(world, "www.site.com")) == "NOERROR", "nobody's question waits for them"
    for sock in socks:
        sock.close()
    assert ctl(world, "status").returncode == 0
    assert one.alive() and descriptors() <= before + 1


def test_one_who_takes_nothing(world, one):
    """An answer that nobody reads is dropped in time; the server answers questions meanwhile."""
    with line_to(world) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.sendall(b"--json stats\n")
        for _ in range(5):
            assert rcode(ask(world, "www.site.com")) == "NOERROR"
        assert ctl(world, "status").returncode == 0
