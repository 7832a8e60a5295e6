"""The program under CoreDNS's name: flags, banner, lines, signals, reloads, and the pages that machines look at."""
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from ask import ask, frames, packet, rcode, stream
from ns import World, wait_for
from server import Server

FOLDER = "/etc/coredns"
ZONE = "$ORIGIN {zone}\n@ 300 IN SOA ns. h. {serial} 2 3 4 5\n@ 300 IN NS ns\na 300 IN A {address}\n"
COREFILE = """example.org {{
    file {folder}/db.org
    prometheus :9153
}}
sub.example.org {{
    file {folder}/db.sub
}}
. {{
    whoami
    health :8080 {{
        lameduck 1s
    }}
    ready :8181
    reload 2s 0s
    prometheus :9153
}}
"""


@pytest.fixture(name="world")
def own_world(keys):
    with World(keys, hosts={}) as world:
        yield world


def zone(world, name, origin, address, serial=1):
    world.write(f"{FOLDER}/{name}", ZONE.format(zone=origin, serial=serial, address=address))


def coredns(world, conf=None, args=(), **options):
    zone(world, "db.org", "example.org.", "192.0.2.10")
    zone(world, "db.sub", "sub.example.org.", "192.0.2.20")
    world.write(f"{FOLDER}/Corefile", conf or COREFILE.format(folder=FOLDER))
    argv = [world.borrowed("coredns"), "-conf", f"{FOLDER}/Corefile", *args]
    return Server(world, folder=FOLDER, argv=argv, **options)


def run(world, *args, stdin=None):
    return world.enter([world.borrowed("coredns"), *args], capture_output=True, text=True, input=stdin)


def get(world, path, port):
    """(status, body) of a page."""
    with world.net():
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()


def addresses(answer):
    return [rr.address for rrset in answer.answer for rr in rrset if rr.rdtype == 1]


def test_flags(world):
    assert run(world, "-version").stdout.startswith("CoreDNS-")
    listed = run(world, "--plugins").stdout.split()
    assert {"dns.file", "dns.health", "dns.reload", "dns.whoami"} <= set(listed)
    unknown = run(world, "-nothing")
    assert unknown.returncode == 2 and "flag provided but not defined: -nothing" in unknown.stderr
    extra = run(world, "-quiet", "a", "b")
    assert extra.returncode == 1 and "extra command line arguments: [a b]" in extra.stderr
    assert run(world, "-conf").returncode == 2
    wrong = run(world, "-conf", "stdin", stdin=". {\n  nonsense\n}\n")
    assert wrong.returncode == 1 and "Unknown directive 'nonsense'" in wrong.stderr


def test_banner_and_lines(world):
    server = coredns(world)
    server.wait_log("^CoreDNS-")
    lines = server.stderr().splitlines()
    assert lines[:3] == ["example.org.:53", "sub.example.org.:53", ".:53"]
    assert lines[3].startswith("[INFO] plugin/reload: Running configuration SHA512 = ")
    assert server.stop() == 0


def test_quiet_and_port(world):
    server = coredns(world, conf=". {\n  whoami\n}\n", args=("-quiet", "-dns.port=1053"), port=1053)
    assert rcode(ask(world, "www.site.com", port=1053)) == "NOERROR"
    assert "CoreDNS-" not in server.stderr() and server.stop() == 0


def test_the_longest_zone_answers(world):
    coredns(world)
    assert addresses(ask(world, "a.example.org")) == ["192.0.2.10"]
    assert addresses(ask(world, "a.sub.example.org")) == ["192.0.2.20"]
    assert rcode(ask(world, "b.sub.example.org")) == "NXDOMAIN"
    assert rcode(ask(world, "elsewhere.test")) == "NOERROR"      # whoami's
    parent = ask(world, "sub.example.org", "DS")                  # the parent's zone has no such name
    assert rcode(parent) == "NXDOMAIN" and str(parent.authority[0].name) == "example.org."


def test_no_zone_is_refused(world):
    conf = f"example.org {{\n file {FOLDER}/db.org\n prometheus :9153\n}}\n"
    coredns(world, conf=conf, ready=False).wait_log("^CoreDNS-")
    assert rcode(ask(world, "www.site.com")) == "REFUSED"
    page = get(world, "/metrics", 9153)[1]
    assert 'coredns_dns_responses_total{server="dns://:53",zone="dropped",view="",rcode="REFUSED",plugin=""} 1' in page


def test_so_many_questions_a_connection(world):
    """timeouts { maxtcpqueries 3 }: three are answered, and that was all; another connection begins anew."""
    conf = f"example.org {{\n file {FOLDER}/db.org\n timeouts {{\n  maxtcpqueries 3\n }}\n}}\n"
    coredns(world, conf=conf)
    for _ in range(2):
        with stream(world) as sock:
            for i in range(3):
                one = packet("a.example.org", "A", i)
                sock.sendall(len(one).to_bytes(2, "big") + one)
            assert len(frames(sock, 3)) == 3
            assert sock.recv(1) == b""


def framed(name, ident=1):
    one = packet(name, "A", ident)
    return len(one).to_bytes(2, "big") + one


def closed_after(sock, patience):
    """Seconds until the other side closed it, or None while it is open."""
    begun = time.monotonic()
    sock.settimeout(patience)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return None
    except OSError:
        pass
    return time.monotonic() - begun


def ask_unread(world):
    """A connection with more questions than its answers are read; half a question stands behind them."""
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", 53))
    sock.setblocking(False)
    try:
        for _ in range(UNREAD_MAX):
            sock.sendall(framed("a.example.org") * 100)
    except BlockingIOError:
        return sock
    raise AssertionError("all was taken")


UNREAD_MAX = 5000


@pytest.mark.parametrize("line, other", [("read 1s", "read 20s"), ("write 1s", "write 20s"), ("idle 1s", "idle 20s")])
def test_timeouts(world, line, other):
    """What a line makes short ends a connection, and does not with another value."""
    lines = {word: f"{word} 20s" for word in ("read", "write", "idle")}
    for value, ends in ((line, True), (other, False)):
        lines[value.split()[0]] = value
        server = coredns(world, f"example.org {{\n    file {FOLDER}/db.org\n    timeouts {{\n        " +
                         "\n        ".join(lines.values()) + "\n    }\n}\n")
        if "write" in line:
            sock = ask_unread(world)
            time.sleep(2.5)
        else:
            sock = stream(world)
            if "idle" in line:
                sock.sendall(framed("a.example.org"))
        with sock:
            took = closed_after(sock, 15 if ends else 2.5)
            assert (took is not None) == ends, took
            assert "write" in line or took is None or took > 0.9
        server.stop()


def test_signals_reload(world):
    server = coredns(world)
    zone(world, "db.org", "example.org.", "192.0.2.11", serial=2)
    os.kill(server.pid, signal.SIGHUP)                            # ignored
    os.kill(server.pid, signal.SIGUSR1)
    server.wait_log(r"^\[INFO\] SIGUSR1: Reloading$")
    server.wait_log(r"^\[INFO\] Reloading complete$")
    wait_for(lambda: addresses(ask(world, "a.example.org")) == ["192.0.2.11"], 5, "the new zone")
    assert len(server.lines("Reloading complete")) == 1
    assert server.stop() == 0
    assert server.lines(r"\[INFO\] SIGTERM: Shutting down servers then terminating")
    assert server.lines(r"\[INFO\] plugin/health: Going into lameduck mode for 1s")


def test_a_wrong_file_changes_nothing(world):
    server = coredns(world)
    text = COREFILE.format(folder=FOLDER)
    world.write(f"{FOLDER}/Corefile", text.replace("whoami", "nonsense"))
    server.wait_log(r"^\[ERROR\] Restart failed: .*Unknown directive 'nonsense'", seconds=20)
    server.wait_log(r"^\[ERROR\] plugin/reload: Corefile changed but reload failed: ")
    assert addresses(ask(world, "a.example.org")) == ["192.0.2.10"]
    assert get(world, "/health", 8080) == (200, "OK") and get(world, "/ready", 8181) == (200, "OK")
    assert "coredns_reload_failed_total 1" in get(world, "/metrics", 9153)[1]
    world.write(f"{FOLDER}/Corefile", text.replace("lameduck 1s", "lameduck 2s"))
    server.wait_log(r"^\[INFO\] Reloading complete$", seconds=20)


def test_a_config_map_is_exchanged(world):
    """The folder's files are links through ..data, which is exchanged; a comment alone is no change."""
    text = COREFILE.format(folder=FOLDER)
    server = coredns(world)
    first, second = world.path(f"{FOLDER}/..1"), world.path(f"{FOLDER}/..2")
    for folder, content in ((first, "# a comment\n" + text), (second, text.replace("whoami", "loadbalance\n whoami"))):
        folder.mkdir()
        (folder / "Corefile").write_text(content)
    data = world.path(f"{FOLDER}/..data")
    data.symlink_to("..1")
    link = world.path(f"{FOLDER}/Corefile.new")
    link.symlink_to("..data/Corefile")
    os.replace(link, world.path(f"{FOLDER}/Corefile"))
    time.sleep(5)                                                # two looks and more
    assert not server.lines("Reloading")
    again = world.path(f"{FOLDER}/..data_tmp")
    again.symlink_to("..2")
    os.replace(again, data)
    server.wait_log(r"^\[INFO\] Reloading complete$", seconds=20)


def test_counters_outlive_reloads(world):
    server = coredns(world)
    for _ in range(5):
        ask(world, "a.example.org")
    os.kill(server.pid, signal.SIGUSR1)
    server.wait_log(r"^\[INFO\] Reloading complete$")
    ask(world, "a.example.org", tcp=True)
    page = get(world, "/metrics", 9153)[1]
    labels = 'server="dns://:53",zone="example.org.",view=""'
    assert f'coredns_dns_requests_total{{{labels},proto="udp",family="1",type="A"}} 5' in page
    assert f'coredns_dns_requests_total{{{labels},proto="tcp",family="1",type="A"}} 1' in page
    assert f'coredns_dns_responses_total{{{labels},rcode="NOERROR",plugin="file"}} 6' in page
    assert f'coredns_dns_request_duration_seconds_count{{{labels}}} 6' in page
    assert 'coredns_plugin_enabled{server="dns://:53",zone="example.org.",view="",name="file"} 1' in page
    assert "sub.example.org" not in page                          # that block has no prometheus
    assert "coredns_panics_total 0" in page and "process_resident_memory_bytes" in page


def test_promtool_takes_the_page(world):
    coredns(world)
    ask(world, "a.example.org")
    try:
        done = subprocess.run(["promtool", "check", "metrics"], input=get(world, "/metrics", 9153)[1], text=True,
                              capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("promtool is not installed")
    problems = [line for line in (done.stdout + done.stderr).splitlines() if line and "signet_" not in line]
    assert not problems, problems


def test_lameduck_goes_on_answering(world):
    server = coredns(world, conf=COREFILE.format(folder=FOLDER).replace("lameduck 1s", "lameduck 3s"))
    os.kill(server.pid, signal.SIGTERM)
    server.wait_log("lameduck mode")
    assert addresses(ask(world, "a.example.org")) == ["192.0.2.10"]
    assert get(world, "/health", 8080) == (200, "OK")
    assert get(world, "/ready", 8181) == (503, "Shutting down")
    assert server.process.wait(20) == 0


def test_a_second_interrupt_does_not_wait(world):
    server = coredns(world, conf=COREFILE.format(folder=FOLDER).replace("lameduck 1s", "lameduck 15s"))
    os.kill(server.pid, signal.SIGINT)
    server.wait_log("SIGINT: Shutting down")
    os.kill(server.pid, signal.SIGINT)
    assert server.process.wait(8) == 2


@pytest.mark.parametrize("way", ["no users", "read only"])
def test_a_container_has_little(world, way):
    """No list of users, a root that cannot be written to."""
    if way == "no users":
        world.write("/etc/passwd", "")
        server = coredns(world)
    else:
        server = coredns(world, args=("-pidfile", "/proc/nowhere"))
    assert addresses(ask(world, "a.example.org")) == ["192.0.2.10"]
    assert server.stop() == 0
