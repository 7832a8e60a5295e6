"""Trust anchors that live (RFC 5011): knotd serves a root whose keys change, BIND's tools sign it, and the program,
with hold-downs of seconds in place of months, keeps its state file up to date. On loopback, with ports of its own."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from ns import program, wait_for
from signedtree import run

TOOLS = ("knotd", "dnssec-keygen", "dnssec-signzone", "dnssec-revoke")
pytestmark = [
    pytest.mark.skipif(bool([t for t in TOOLS if not shutil.which(t)]), reason=f"absent: one of {TOOLS}"),
    pytest.mark.skipif("unbound" in os.path.basename(str(program())), reason="what only our program promises"),
]
FAILED_KEYS_S = 60   # what failed is left alone so long
PATIENCE_S = 60      # for anything that takes a second on a machine that is idle
UP_S = 0.3           # for a question to one that may not be there yet; it is asked again
TTL = 2              # of the keys: asked for once a second
OLD_ROOT = (". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
NEW_ROOT = (". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n")


def free_port():
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return tcp.getsockname()[1]


def ask(port, name, rrtype="A", timeout=5):
    m = dns.message.make_query(name, rrtype, want_dnssec=True)
    return dns.query.udp(m, "127.0.0.1", port=port, timeout=timeout)


class Root:
    """A root zone of knotd's, signed anew whenever its keys change."""

    def __init__(self, folder: Path):
        self.folder, self.serial, self.port = folder, 0, free_port()
        self.zsk = self.key()
        self.ksk = [self.key("-f", "KSK"), self.key("-f", "KSK")]
        self.process = None

    def key(self, *flags):
        words = ("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", *flags, ".")
        return run(*words, cwd=self.folder).strip()

    def revoked(self, key):
        return Path(run("dnssec-revoke", "-f", key, cwd=self.folder).strip()).name

    def public(self, key):
        text = (self.folder / f"{key}.key").read_text()
        return re.search(r"DNSKEY (.*)", text).group(1)

    def tag(self, key):
        return int(key.rsplit("+", 1)[1])

    def publish(self, *ksks, by=None):
        """Serve the zone with these keys, its key set signed by those of `by`."""
        self.serial += 1
        keys = "".join(f". {TTL} IN DNSKEY {self.public(k)}\n" for k in (*ksks, self.zsk))
        (self.folder / "root.zone").write_text(
            f"$TTL {TTL}\n. IN SOA ns. h. {self.serial} 2 3 4 2\n. IN NS ns.\nns. IN A 127.0.0.1\n"
            f"www. IN A 192.0.2.1\n*.wild. IN A 192.0.2.2\n{keys}")
        signers = [w for k in (by or ksks) for w in ("-k", k)]
        run("dnssec-signzone", "-q", "-P", "-o", ".", "-f", "root.signed", *signers, "root.zone", self.zsk,
            cwd=self.folder)
        if self.process is None:
            self.start()
        else:
            self.process.send_signal(signal.SIGHUP)
        wait_for(self.is_served, PATIENCE_S, f"serial {self.serial}")

    def is_served(self):
        with contextlib.suppress(OSError, dns.exception.DNSException):
            m = ask(self.port, ".", "SOA", timeout=UP_S)
            return m.answer and m.answer[0][0].serial == self.serial
        return False

    def start(self):
        (self.folder / "knot.conf").write_text(
            f"server:\n  rundir: {self.folder}\n  listen: 127.0.0.1@{self.port}\n  udp-workers: 1\n  tcp-workers: 1\n"
            f"  background-workers: 1\ndatabase:\n  storage: {self.folder}/db\nzone:\n  - domain: .\n"
            f"    file: {self.folder}/root.signed\n    semantic-checks: off\n    zonefile-load: whole\n"
            "    journal-content: none\n")
        (self.folder / "db").mkdir()
        with open(self.folder / "knotd.log", "wb") as log:
            self.process = subprocess.Popen(["knotd", "-c", self.folder / "knot.conf"], stdout=log, stderr=log)

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Resolver:
    """The program, with a state file beside its configuration."""

    def __init__(self, folder: Path, root_port, options="", state=None):
        self.folder, self.port, self.process = folder, free_port(), None
        self.state = Path(state) if state else folder / "root.key"
        small = "".join(f"  {o}\n" for o in options.splitlines())
        (folder / "unbound").symlink_to(program())
        (folder / "unbound.conf").write_text(
            f'server:\n  interface: 127.0.0.1\n  port: {self.port}\n  username: ""\n  chroot: ""\n  pidfile: ""\n'
            f'  logfile: ""\n  use-syslog: no\n  do-not-query-localhost: no\n  num-threads: 2\n'
            f'  auto-trust-anchor-file: "{self.state}"\n{small}'
            f'stub-zone:\n  name: "."\n  stub-addr: 127.0.0.1@{root_port}\n')

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([self.folder / "unbound", "-d", "-c", self.folder / "unbound.conf"],
                                            stdout=log, stderr=log)
        wait_for(self.answers, PATIENCE_S, "the first answer")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError, dns.exception.DNSException):
            return ask(self.port, "localhost.", timeout=UP_S)
        return None

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def text(self):
        return self.state.read_text() if self.state.exists() else ""

    def key_state(self, tag):
        found = re.search(rf";{{id = {tag} \(ksk\).*?;;state=\d \[ *(\w+) *\]", self.text())
        return found.group(1) if found else None

    def changed(self, tag):
        return int(re.search(rf";{{id = {tag} \(ksk\).*?;;lastchange=(\d+)", self.text()).group(1))

    def wait_state(self, tag, state):
        wait_for(lambda: self.key_state(tag) == state, PATIENCE_S, f"key {tag} {state}: {self.text()}{self.log()}")

    def secure(self, name="www."):
        m = ask(self.port, name)
        return m.rcode() == dns.rcode.NOERROR and bool(m.flags & dns.flags.AD)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    made = Root(folder)
    yield made
    made.end()


@pytest.fixture
def resolvers(tmp_path):
    made = []

    def make(root_port, options="", state=None):
        folder = tmp_path / f"resolver{len(made)}"
        folder.mkdir()
        made.append(Resolver(folder, root_port, options, state))
        return made[-1]
    yield make
    for r in made:
        r.stop()


def test_keys_come_and_go(root, resolvers):
    """V26: a new key appears, waits, is trusted; the old one is revoked and forgotten; a restart loses nothing."""
    old, new = root.ksk
    root.publish(old)
    r = resolvers(root.port, "permit-small-holddown: yes\nadd-holddown: 4\ndel-holddown: 2\n")
    r.state.write_text(f". IN DNSKEY {root.public(old)}\n")
    r.start()
    r.wait_state(root.tag(old), "VALID")
    assert r.secure()

    root.publish(old, new)
    r.wait_state(root.tag(new), "ADDPEND")
    since = r.changed(root.tag(new))
    r.stop()
    r.state.write_text("; " + "x" * 65536 + "\n" + r.text())      # one line, however long (C13)
    r.start()
    r.wait_state(root.tag(new), "VALID")
    assert r.changed(root.tag(new)) - since >= 4, "its hold-down was cut short"
    assert r.secure()

    gone = root.revoked(old)
    root.publish(gone, new)
    r.wait_state(root.tag(gone), "REVOKED")
    assert r.secure()
    root.publish(new)
    r.wait_state(root.tag(gone), None)
    assert r.secure()
    assert r.key_state(root.tag(new)) == "VALID"

    root.publish(old, by=(old,))      # whoever has the old key has nothing
    wait_for(lambda: ask(r.port, f"{time.monotonic_ns()}.wild.").rcode() == dns.rcode.SERVFAIL, PATIENCE_S,
             "the end of what the new keys proved")
    assert r.key_state(root.tag(new)) == "VALID"


def test_a_key_in_its_holddown_vouches_for_nothing(root, resolvers):
    old, new = root.ksk
    root.publish(old, new)
    r = resolvers(root.port, "permit-small-holddown: yes\nval-bogus-ttl: 2\n")
    r.state.write_text(f". IN DNSKEY {root.public(old)}\n")
    r.start()
    r.wait_state(root.tag(new), "ADDPEND")
    root.publish(new)
    wait_for(lambda: ask(r.port, f"{time.monotonic_ns()}.wild.").rcode() == dns.rcode.SERVFAIL, PATIENCE_S,
             "a failure where only the pending key signs")
    assert r.key_state(root.tag(new)) == "ADDPEND"
    root.publish(old)
    wait_for(r.secure, FAILED_KEYS_S + PATIENCE_S, "an answer signed by the old key")


def test_all_keys_revoked_is_as_if_there_were_none(root, resolvers):
    root.publish(root.ksk[0])
    r = resolvers(root.port, "permit-small-holddown: yes\n")
    r.state.write_text(f". IN DNSKEY {root.public(root.ksk[0])}\n")
    r.start()
    r.wait_state(root.tag(root.ksk[0]), "VALID")
    root.publish(root.revoked(root.ksk[0]))
    wait_for(lambda: "\n;;REVOKED\n" in r.text(), PATIENCE_S, "the end of the trust point")
    for _ in range(2):
        m = ask(r.port, f"{time.monotonic_ns()}.wild.")
        assert m.rcode() == dns.rcode.NOERROR and not m.flags & dns.flags.AD
        r.stop()
        r.start()


def test_an_unwritable_file_ends_nothing(root, resolvers, tmp_path):
    old, new = root.ksk
    locked = tmp_path / "locked"
    locked.mkdir()
    state = locked / "root.key"
    state.write_text(f". IN DNSKEY {root.public(old)}\n")
    root.publish(old)
    r = resolvers(root.port, "permit-small-holddown: yes\nadd-holddown: 1\n", state)
    r.start()
    r.wait_state(root.tag(old), "VALID")
    locked.rename(tmp_path / "away")      # nowhere to write to, not even for root
    root.publish(old, new)
    wait_for(lambda: "kept in memory alone" in r.log(), PATIENCE_S, "a warning")
    time.sleep(4)              # long enough for some more probes
    assert r.log().count("kept in memory alone") == 1
    root.publish(new)
    wait_for(lambda: r.secure(f"{time.monotonic_ns()}.wild."), PATIENCE_S, "an answer that only the new key signs")
    locked.mkdir()
    wait_for(lambda: r.key_state(root.tag(new)) == "VALID", PATIENCE_S, "the file, when there is a folder again")


def test_negative_hour(root, resolvers):
    """Without permit-small-holddown keys are asked for once an hour at most, whatever their TTL."""
    root.publish(*root.ksk)
    r = resolvers(root.port)
    r.state.write_text(f". IN DNSKEY {root.public(root.ksk[0])}\n")
    r.start()
    r.wait_state(root.tag(root.ksk[1]), "ADDPEND")
    due = int(re.search(r"next_probe_time: (\d+)", r.text()).group(1))
    assert 3000 < due - int(re.search(r"last_queried: (\d+)", r.text()).group(1)) <= 3600
    assert ";;query_interval: 3600\n" in r.text()


def check(tmp_path, anchors):
    (tmp_path / "c.conf").write_text("server:\n" + "".join(f"  {a}\n" for a in anchors))
    return subprocess.run([program(), "check", tmp_path / "c.conf"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text,warned", [(OLD_ROOT, True), (NEW_ROOT, False), (OLD_ROOT + NEW_ROOT, False)])
@pytest.mark.parametrize("option", ["trust-anchor-file", "auto-trust-anchor-file"])
def test_an_old_root_file_is_told(tmp_path, option, text, warned):
    (tmp_path / "root.key").write_text(text)
    done = check(tmp_path, [f'{option}: "{tmp_path}/root.key"'])
    assert done.returncode == 0
    assert ("20326" in done.stderr) == warned, done.stderr


@pytest.mark.parametrize("option,status", [("trust-anchor-file", 2), ("auto-trust-anchor-file", 0)])
def test_nonsense_is_refused_where_nothing_stands_in(tmp_path, option, status):
    (tmp_path / "root.key").write_text("nonsense\n")
    done = check(tmp_path, [f'{option}: "{tmp_path}/root.key"'])
    assert done.returncode == status and "root.key" in done.stderr, done.stderr


@pytest.mark.skipif(not Path("/usr/share/dns/root.key").exists(), reason="absent: dns-root-data")
def test_debians_root_key_needs_no_word(tmp_path):
    shutil.copy("/usr/share/dns/root.key", tmp_path / "root.key")
    done = check(tmp_path, [f'auto-trust-anchor-file: "{tmp_path}/root.key"'])
    assert done.returncode == 0 and "20326" not in done.stderr, done.stderr
