"""Configuration: Debian's layout, unbound-checkconf's texts and exit statuses, our own check."""
import re
import subprocess

import pytest

from ask import ask, rcode
from conftest import needs
from ns import CONF_DIR, World, program, wait_for
from server import LOG, Server

REAL = "/usr/sbin/unbound-checkconf"
ANCHOR = 'server:\n    auto-trust-anchor-file: "/var/lib/unbound/root.key"\n'


# --- Debian's layout -------------------------------------------------------------------------------------------

@pytest.mark.ours("refuses to start, or says nothing")
@pytest.mark.parametrize("form", ["root.key", "root.dnskey"])
def test_debian_conf_d_with_the_same_anchor_twice(keys, form):
    with World(keys) as world:
        world.start_hosts()
        world.write(f"{CONF_DIR}/root-auto-trust-anchor-file.conf", ANCHOR)
        world.write(f"{CONF_DIR}/remote-control.conf",
                    "remote-control:\n  control-enable: yes\n  control-interface: /run/unbound.ctl\n")
        world.write("/var/lib/unbound/root.key", (keys / form).read_text())
        server = Server(world, file="unbound.conf", folder="/etc/unbound")
        assert rcode(ask(world, "www.site.com")) == "NOERROR"
        assert server.lines("(?i)twice|duplicate|same.*anchor|already")
        assert server.log()


def test_without_c_the_usual_file_is_read(keys, is_unbound):
    with World(keys) as world:
        world.start_hosts()
        Server(world, argv=[world.borrowed("unbound"), "-d"])
        assert rcode(ask(world, "www.site.com")) == "NOERROR"


@pytest.mark.ours("does not start")
def test_a_missing_anchor_folder_is_no_reason_to_stay_down(keys):
    with World(keys) as world:
        world.start_hosts()
        (world.path("/var/lib/unbound/root.key")).unlink()
        world.path("/var/lib/unbound").rmdir()
        Server(world)
        assert ask(world, "localhost.") is not None


@pytest.mark.ours("does not start")
@pytest.mark.parametrize("anchor", ["", "; no key yet\n"])
def test_an_anchor_file_without_keys(keys, anchor):
    with World(keys) as world:
        world.start_hosts()
        world.write("/var/lib/unbound/root.key", anchor)
        Server(world)
        assert ask(world, "localhost.") is not None


def test_crlf_and_odd_layout(world):
    text = world.read(f"{CONF_DIR}/hardening.conf").replace("\n", "\r\n")
    text = text.replace("prefetch: yes", "prefetch:\r\n   yes")
    Server(world, conf=text, file="crlf.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"


@pytest.mark.parametrize("bad,what", [
    ("server:\n  verbosty: 1\n", "verbosty"), ("server:\n  port: x53\n", "number|port"),
    ("server:\n  use-syslog: no\nforward-zone:\n  name: \".\"\n  forward-addr: 1.2.3\n", "1.2.3")])
def test_a_broken_file_is_named_and_fatal(keys, bad, what):
    with World(keys) as world:
        world.write(f"{CONF_DIR}/bad.conf", bad)
        done = world.run(world.borrowed("unbound"), "-d", "-c", f"{CONF_DIR}/bad.conf")
        assert done.returncode == 1 and re.search(what, done.stderr), done.stderr
        assert "bad.conf" in done.stderr or what == "1.2.3"      # an address is read after the file


def test_a_missing_file(keys):
    with World(keys) as world:
        server = Server(world, argv=[world.borrowed("unbound"), "-d", "-c", "/etc/nowhere.conf"], ready=False)
        wait_for(lambda: "No such file" in server.stderr(), 5, "the reason")
        assert "/etc/nowhere.conf" in server.stderr()
        # unbound goes on with its defaults and says so; to stop is the other honest answer
        assert "Continuing with default config" in server.stderr() or server.process.wait(5) == 1


# --- unbound-checkconf -----------------------------------------------------------------------------------------

def conf(*lines, server=True):
    return ("server:\n" if server else "") + "".join(f"  {line}\n" if server else f"{line}\n" for line in lines)


CHECKED = {
    "empty": "",
    "plain": conf("verbosity: 1"),
    "unknown word": conf("foo-bar: yes"),
    "missing colon": conf("prefetch yes"),
    "capitals": "SERVER:\n  verbosity: 1\n",
    "yes or no": conf("prefetch: Yes"),
    "number": conf("cache-max-ttl: many"),
    "number with a tail": conf("cache-max-ttl: 12h"),
    "port 0": conf("port: 0"),
    "memory size": conf("msg-cache-size: 10x"),
    "memory size with B": conf("msg-cache-size: 4MB"),
    "slabs": conf("msg-cache-slabs: 3"),
    "acl netblock": conf("access-control: 1.2.3.4/33 allow"),
    "acl host bits": conf("access-control: 10.1.2.3/8 allow"),
    "acl action": conf("access-control: 1.2.3.4/32 maybe"),
    "interface": conf("interface: abcd"),
    "interface twice": conf("interface: 127.0.0.1", "interface: 127.0.0.1"),
    "no families": conf("do-ip4: no", "do-ip6: no"),
    "no transports": conf("do-udp: no", "do-tcp: no"),
    "zone type": conf('local-zone: "a.com" sometimes'),
    "zone twice": conf('local-zone: "a.dup" static', 'local-zone: "a.dup" refuse'),
    "local data": conf('local-data: "a.com A 1.2.3.4"'),
    "bad local data": conf('local-data: "bad example.com"'),
    "text data": conf("local-data: 'x.com TXT \"a b\"'"),
    "newline in quotes": 'server:\n  identity: "abc\n  verbosity: 1\n',
    "no clause": "verbosity: 1\n",
    "wrong clause": "forward-zone:\n  verbosity: 1\n",
    "zone without a name": "forward-zone:\n  forward-addr: 1.2.3.4\n",
    "forward": 'forward-zone:\n  name: "."\n  forward-addr: 1.2.3.4@853#name.com\n',
    "bad forward": 'forward-zone:\n  name: "."\n  forward-addr: 1.2.3.4@xx\n',
    "forward at home": 'forward-zone:\n  name: "x"\n  forward-addr: 127.0.0.1@5353\n',
    "forward twice": 'forward-zone:\n  name: "."\n  forward-addr: 1.2.3.4\n'
                     'forward-zone:\n  name: "."\n  forward-addr: 1.2.3.5\n',
    "stub without a name": "stub-zone:\n  stub-addr: 1.2.3.4\n",
    "bad name": conf('local-zone: "e..com" static'),
    "missing include": 'include: "/nonexist.conf"\n',
    "include pattern": 'include: "/nonexist/*.conf"\nserver:\n  verbosity: 1\n',
    "several in a line": "server: harden-glue: yes hide-version: yes\n",
    "no blanks": "server:harden-glue:yes\n",
    "module order": conf('module-config: "iterator validator"'),
    "unknown module": conf('module-config: "validator foo iterator"'),
    "missing anchor": conf('auto-trust-anchor-file: "/nonexist/root.key"'),
    "missing log folder": conf('logfile: "/var/nowhere/unbound.log"', "use-syslog: no", 'chroot: ""'),
    "old words": conf("ssl-upstream: no", "infra-lame-ttl: 900"),
    "negative verbosity": conf("verbosity: -1"),
    "comment in a value": conf("identity: a#b", "version: c # d"),
}
PRINTED = ["access-control", "auto-trust-anchor-file", "logfile", "port", "interface", "ratelimit", "prefetch",
           "chroot", "pidfile", "username", "tls-cert-bundle", "verbosity", "num-threads", "msg-cache-size", "do-ip6",
           "nonsense"]


def normal(text):
    """Without what differs from run to run."""
    text = re.sub(r"^\[\d{10}\] (\S+)\[\d+:\d+\]", r"[TIME] \1[PID]", text, flags=re.M)
    return re.sub(r"^.*subnetcache: prefetch is set.*\n", "", text, flags=re.M)


@pytest.fixture(scope="module")
def checker(keys):
    """Both programs, each on the same file at the same place."""
    if "unbound" in program().name:
        pytest.skip("the packaged program is not compared with itself")
    with World(keys) as world:
        def both(*args):
            return [world.run(tool, *args) for tool in (REAL, world.borrowed("unbound-checkconf"))]
        world.both = both
        yield world


@needs(REAL)
@pytest.mark.parametrize("case", CHECKED)
def test_checkconf_says_what_unbounds_says(checker, case):
    checker.write("/etc/unbound/case.conf", CHECKED[case])
    real, ours = checker.both("/etc/unbound/case.conf")
    assert ours.returncode == real.returncode, f"real:\n{real.stdout}{real.stderr}\nours:\n{ours.stdout}{ours.stderr}"
    assert ours.stdout == real.stdout
    assert normal(ours.stderr) == normal(real.stderr)


@needs(REAL)
@pytest.mark.parametrize("option", PRINTED)
def test_checkconf_prints_options(checker, option):
    real, ours = checker.both("-o", option, f"{CONF_DIR}/hardening.conf")
    assert (ours.returncode, ours.stdout) == (real.returncode, real.stdout)


@needs(REAL)
def test_checkconf_of_the_users_file(checker):
    real, ours = checker.both(f"{CONF_DIR}/hardening.conf")
    assert real.returncode == 0 == ours.returncode, ours.stderr
    assert ours.stdout == real.stdout == f"unbound-checkconf: no errors in {CONF_DIR}/hardening.conf\n"


@needs(REAL)
def test_checkconf_of_no_file(checker):
    real, ours = checker.both("/etc/nowhere.conf")
    assert ours.returncode == real.returncode == 1 and normal(ours.stderr) == normal(real.stderr)


# --- our own name ----------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def signet(keys):
    if "unbound" in program().name:
        pytest.skip("the packaged program has no such command")
    with World(keys) as world:
        yield lambda *args: world.run(program(), *args, cwd=CONF_DIR)


def test_check_accepts_the_users_file(signet):
    done = signet("check", "hardening.conf")
    assert done.returncode == 0, done.stderr


def test_check_names_the_place(signet, tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("server:\n  verbosity: 1\n  prefetch: maybe\n")
    done = signet("check", bad)
    assert done.returncode == 2 and re.search(r"bad\.conf:3:\d+: .*; ", done.stderr), done.stderr


def test_posture_names_what_is_inert_and_what_is_enforced(signet):
    done = signet("check", "--posture", "hardening.conf")
    assert done.returncode == 0
    for word in ("harden-referral-path", "prefetch-key", "forward-tls-upstream", "access-control"):
        assert word in done.stdout, word


def test_dump_reads_as_itself(signet, tmp_path):
    first = signet("check", "--dump", "hardening.conf")
    assert first.returncode == 0 and "forward-zone" in first.stdout
    again = tmp_path / "again.conf"
    again.write_text(first.stdout)
    second = signet("check", "--dump", again)
    assert second.returncode == 0 and second.stdout == first.stdout


def test_ask_by_our_own_name(world, is_unbound):
    if is_unbound:
        pytest.skip("the packaged program has no such command")
    from hosts import address_of
    Server(world)
    world.rules({"name": "none.com", "rcode": 3})
    for words in (("ask", "www.site.com"), ("ask", "--server", "127.0.0.1", "www.site.com", "A"),
                  ("ask", "--server", "1.1.1.1@853#cloudflare-dns.com", "www.site.com")):
        done = world.run(program(), *words)
        assert done.returncode == 0 and address_of("www.site.com") in done.stdout, done.stdout + done.stderr
    assert world.run(program(), "ask", "--server", "9.9.9.9@853#cloudflare-dns.com", "x.com").returncode == 3
    assert "www.site.com" in world.run(program(), "ask", "+trace", "www.site.com").stdout


@pytest.mark.parametrize("args,status", [(("help",), 0), (("nonsense",), 2), (("check",), 2),
                                         (("check", "/nowhere"), 2)])
def test_exit_statuses(signet, args, status):
    done = signet(*args)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout or done.stderr


def test_metrics(world, is_unbound):
    if is_unbound:
        pytest.skip("unbound has no metrics page")
    world.write(f"{CONF_DIR}/zz-metrics.conf", "signet:\n  metrics: 127.0.0.1@9153\n")
    server = Server(world, file="unbound.conf", folder="/etc/unbound")
    for name in ("a.site.com", "a.site.com", "b.site.com"):
        ask(world, name)
    page = fetch(world, "/metrics")
    samples = parse_metrics(page)
    assert samples["signet_queries_total"] >= 3
    assert any(name.startswith("signet_answers_total{") for name in samples)
    assert any(name.startswith("signet_cache_hits_total") for name in samples)
    assert server.alive() and world.path(LOG).exists()


def fetch(world, path):
    from ask import stream
    with stream(world, port=9153) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := sock.recv(65536):
            data += more
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    if b"chunked" in head.lower():
        body = b"".join(chunk.split(b"\r\n", 1)[-1] for chunk in body.split(b"\r\n")[1::2])
    return body.decode()


def parse_metrics(page):
    """Samples by name with labels; every line must be Prometheus text."""
    samples = {}
    for line in page.splitlines():
        if not line or re.match(r"# (HELP|TYPE) [a-zA-Z_:][\w:]* ", line):
            continue
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*(?:\{[^{}]*\})?) ([-+0-9.eEinfNa]+)(?: \d+)?", line)
        assert match, f"not Prometheus text: {line}"
        samples[match.group(1)] = float(match.group(2))
    total = sum(v for k, v in samples.items() if k.split("{")[0] == "signet_queries_total")
    if total:
        samples["signet_queries_total"] = total
    return samples


@needs("promtool")
def test_metrics_by_promtool(world, is_unbound):
    if is_unbound:
        pytest.skip("unbound has no metrics page")
    world.write(f"{CONF_DIR}/zz-metrics.conf", "signet:\n  metrics: 127.0.0.1@9153\n")
    Server(world, file="unbound.conf", folder="/etc/unbound")
    done = subprocess.run(["promtool", "check", "metrics"], input=fetch(world, "/metrics"), text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
