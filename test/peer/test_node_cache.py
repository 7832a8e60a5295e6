"""`node-cache`: a node's address and rules are there for as long as the resolver answers, and no longer: whatever dies
or hangs, they are withdrawn within seconds."""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ask import ask
from conftest import needs
from ns import World, wait_for

IP, SERVICE = "169.254.20.10", "10.96.0.10"
COREFILE = """.:53 {
    errors
    bind 169.254.20.10 10.96.0.10
    health 169.254.20.10:8080
    hosts {
        192.0.2.99 here.example.org
    }
    whoami
}
"""
WITHIN = 20      # seconds; the promise is five, the machine may be busy

pytestmark = needs("nft", "ip")


class Node:
    """node-cache in a world of its own."""

    def __init__(self, world, *words, corefile=COREFILE, name="node-cache", env=None):
        self.world = world
        self.conf = world.write("/etc/coredns/Corefile", corefile)
        self.log = world.dir / "node.log"
        argv = [world.borrowed(name), "-localip", f"{IP},{SERVICE}", "-conf", "/etc/coredns/Corefile", *words]
        with open(self.log, "ab") as out:
            self.process = world.popen(argv, stdout=out, stderr=out, env={**os.environ, **(env or {})})

    def rules(self):
        """The rules of ours, and the addresses that they are for."""
        done = self.world.run("nft", "list", "table", "inet", "signet_node_cache")
        return done.stdout.count("notrack"), {a for a in (IP, SERVICE) if f"{a} timeout" in done.stdout}

    def addresses(self):
        shown = self.world.run("ip", "-4", "addr", "show").stdout
        return {a for a in (IP, SERVICE) if f"inet {a}/32" in shown}

    def there(self):
        rules, of = self.rules()
        return rules == 12 and of == self.addresses() == {IP, SERVICE}

    def gone(self):
        """No address, and no rule that is for one."""
        return self.rules()[1] == set() and self.addresses() == set()

    def wait(self, what):
        wait_for(what, WITHIN, f"{what.__name__}: {self.text()[-500:]} {self.rules()} {self.addresses()}")
        return self

    def text(self):
        return self.log.read_text(errors="replace")

    def resolver(self):
        """The pid of the resolver."""
        shown = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True,
                               check=False)
        return int(shown.stdout.split()[0])

    def answer(self):
        return str(ask(self.world, "here.example.org", server=IP).answer)


@pytest.fixture
def room(keys):
    with World(keys) as made:
        probe = made.run("nft", "add", "table", "inet", "try")
        if probe.returncode:
            pytest.skip(f"the kernel has no nftables here: {probe.stderr}")
        made.run("nft", "delete", "table", "inet", "try")
        yield made


def test_addresses_and_rules_while_it_answers(room):
    node = Node(room)
    node.wait(node.there)
    assert "192.0.2.99" in node.answer()
    assert "192.0.2.99" in str(ask(room, "here.example.org", server=SERVICE).answer)
    shown = room.run("nft", "list", "table", "inet", "signet_node_cache").stdout
    for line in (f"ip {way}addr @addresses4 {proto} {port}port 53 notrack"
                 for way, port in (("d", "d"), ("s", "s")) for proto in ("udp", "tcp")):
        assert line in shown


def test_the_resolver_keeps_one_right(room):
    """The supervisor's right to change the network is not the resolver's."""
    node = Node(room)
    node.wait(node.there)
    rows = dict(line.split(":\t", 1) for line in Path(f"/proc/{node.resolver()}/status").read_text().splitlines())
    assert int(rows["CapPrm"], 16) == int(rows["CapEff"], 16) == 1 << 10 and rows["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_resolver_that_dies_or_hangs(room, blow):
    node = Node(room)
    node.wait(node.there)
    first = node.resolver()
    began = time.monotonic()
    os.kill(first, blow)
    node.wait(node.gone)
    print(f"{blow.name}: gone after {time.monotonic() - began:.1f} s")
    node.wait(node.there)
    assert node.resolver() != first and "192.0.2.99" in node.answer()
    assert "withdrawn" in node.text()


def test_a_supervisor_that_is_killed(room):
    """The kernel ends what nobody renews; the resolver goes with it."""
    node = Node(room)
    node.wait(node.there)
    resolver = node.resolver()
    node.process.kill()
    node.process.wait()
    wait_for(lambda: node.rules()[0] == 0, 3, "the rules to end with their owner")
    node.wait(node.gone)
    wait_for(lambda: not Path(f"/proc/{resolver}").exists() or
             "Z" in Path(f"/proc/{resolver}/stat").read_text().split()[2], WITHIN, "the resolver's end")


def test_a_supervisor_that_hangs(room):
    """Nobody renews the leases; when it goes on it has them again."""
    node = Node(room)
    node.wait(node.there)
    os.kill(node.process.pid, signal.SIGSTOP)
    node.wait(node.gone)
    os.kill(node.process.pid, signal.SIGCONT)
    node.wait(node.there)


def test_the_end(room):
    node = Node(room)
    node.wait(node.there)
    node.process.terminate()
    assert node.process.wait(timeout=WITHIN) == 0
    assert node.gone() and node.rules()[0] == 0


def test_left_to_a_successor(room):
    """-skipteardown: what is there stays for some seconds, which is time enough for the next one."""
    first = Node(room, "-skipteardown")
    first.wait(first.there)
    first.process.terminate()
    assert first.process.wait(timeout=WITHIN) == 0
    assert first.rules()[0] == 12
    second = Node(room, "-skipteardown")       # what it finds is not its own yet
    wait_for(lambda: second.text().count("the resolver answers") == 2, WITHIN, "the successor's first answer")
    assert second.there()
    second.process.terminate()
    assert second.process.wait(timeout=WITHIN) == 0
    second.wait(second.gone)


def test_without_interface_and_rules(room):
    room.run("ip", "addr", "add", f"{IP}/32", "dev", "lo")
    room.run("ip", "addr", "add", f"{SERVICE}/32", "dev", "lo")
    node = Node(room, "-setupinterface=false", "-setupiptables=false")
    wait_for(lambda: "the resolver answers" in node.text(), WITHIN, "its first answer")
    assert node.rules()[0] == 0
    node.process.terminate()
    assert node.process.wait(timeout=WITHIN) == 0
    assert node.addresses() == {IP, SERVICE}       # they are somebody else's


def test_what_a_predecessor_left_is_taken_over(room):
    room.run("nft", "add table inet signet_node_cache; add chain inet signet_node_cache old")
    room.run("ip", "addr", "add", f"{IP}/32", "dev", "lo")
    node = Node(room)
    node.wait(node.there)
    assert "chain old" not in room.run("nft", "list", "ruleset").stdout


def test_a_template_of_nodelocal(room):
    """The places that NodeLocal's own template leaves to the node, from the service's variable."""
    room.write("/etc/coredns/Corefile.base", COREFILE.replace("whoami", "forward example.net __PILLAR__CLUSTER__DNS__\n"
                                                              "    forward example.com __PILLAR__UPSTREAM__SERVERS__"))
    room.write("/etc/resolv.conf", "nameserver 192.0.2.2\n")
    node = Node(room, "-upstreamsvc", "kube-dns-upstream", "-syncinterval", "1", "-reloadwithsignal", corefile="",
                env={"KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.96.0.11"})
    node.wait(node.there)
    assert "forward example.net 10.96.0.11\n" in node.conf.read_text()
    assert "forward example.com /etc/resolv.conf\n" in node.conf.read_text()
    room.write("/etc/coredns/Corefile.base", COREFILE.replace("192.0.2.99", "192.0.2.98"))
    wait_for(lambda: "192.0.2.98" in node.answer(), WITHIN, "the new template")


def test_one_name_for_both(room):
    """An image whose entrypoint is /coredns, in NodeLocal's own DaemonSet."""
    node = Node(room, name="coredns")
    node.wait(node.there)


def test_what_has_no_effect_is_told(room):
    node = Node(room, "-metrics-listen-address", "0.0.0.0:9353", "-health-port=8080")
    node.wait(node.there)
    for flag in ("metrics-listen-address", "health-port"):
        assert f"[WARNING] node-cache: -{flag} has no effect" in node.text()


@pytest.mark.parametrize("words,says", [
    (["-localip", "nonsense"], 'invalid value "nonsense" for flag -localip'),
    (["-localip", IP, "-interfacename", "x" * 16], "-interfacename"),
    (["-localip", IP, "-syncinterval", "0"], "-syncinterval"),
    (["-localip", IP, "-what"], "flag provided but not defined: -what"),
    ([], "-localip"),
])
def test_words_that_are_wrong(room, words, says):
    done = room.run(room.borrowed("node-cache"), *words)
    assert done.returncode in (1, 2) and says in done.stderr


def test_without_the_right_to_it(room):
    done = room.run("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin",
                    room.borrowed("node-cache"), "-localip", IP)
    assert done.returncode == 1 and "ermitted" in done.stderr
