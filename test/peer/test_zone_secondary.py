"""Zones taken from others (plugin secondary): named, knotd and nsd have them; NOTIFY, differences, and who fails."""
import subprocess

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

import ns
from ask import ask, rcode, values
from conftest import needs
from ns import wait_for
from test_zones import FOLDER, serve

pytestmark = needs("named", "knotd", "nsd", "nsupdate", "dig")

ZONE = """$ORIGIN z.test.
$TTL 300
@ SOA ns host {serial} 3600 600 86400 300
@ NS ns
ns A 192.0.2.1
*.w TXT "wild"
"""
NAMED = """options {{ directory "/etc/others"; listen-on port 5401 {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; recursion no; pid-file none; session-keyfile none; dnssec-validation no;
  allow-transfer {{ any; }}; notify explicit; also-notify {{ 127.0.0.1 port 53; }}; {more} }};
controls {{ }};
zone "z.test" {{ type primary; file "/etc/others/zone"; allow-update {{ any; }}; }};
"""
KNOT = """server:
  listen: 127.0.0.1@5402
  rundir: /run
database:
  storage: /run
acl:
  - id: all
    action: transfer
template:
  - id: default
    zonefile-load: whole
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: z.test
    file: /etc/others/zone
    acl: all
"""
NSD = """server:
  ip-address: 127.0.0.1@5403
  username: ""
  zonesdir: "/etc/others"
  database: ""
  pidfile: ""
  xfrdfile: "/run/xfrd"
  zonelistfile: "/run/zones"
remote-control:
  control-enable: no
zone:
  name: z.test
  zonefile: zone
  provide-xfr: 127.0.0.1 NOKEY
"""
PORTS = {"named": 5401, "knotd": 5402, "nsd": 5403}


def corefile(*masters, more=()):
    lines = "\n        ".join(f"transfer from {m}" for m in masters)
    return f"""z.test:53 {{
    secondary {{
        {lines}
    }}
    {" ".join(more)}
}}
"""


def primary(world, name, more=""):
    world.write("/etc/others/zone", ZONE.format(serial=5))
    if name == "named":
        world.write("/etc/others/named.conf", NAMED.format(more=more))
        argv = ["named", "-f", "-c", "/etc/others/named.conf"]
    elif name == "knotd":
        world.write("/etc/others/knot.conf", KNOT)
        argv = ["knotd", "-c", "/etc/others/knot.conf"]
    else:
        world.write("/etc/others/nsd.conf", NSD)
        argv = ["nsd", "-d", "-c", "/etc/others/nsd.conf"]
    return world.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        yield made


def text(world, name="x.w.z.test.", kind="TXT"):
    m = ask(world, name, kind, timeout=1)
    return m is not None and rcode(m) == "NOERROR" and m.flags & dns.flags.AA and values(m, kind)


def serial(world):
    m = ask(world, "z.test.", "SOA", timeout=1)
    return m is not None and m.answer and m.answer[0][0].serial


@pytest.mark.parametrize("name", PORTS)
def test_a_zone_of_somebody_else(world, name):
    serve(world, corefile(f"127.0.0.1:{PORTS[name]}"))
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "SERVFAIL"     # nobody is there yet
    primary(world, name)
    wait_for(lambda: text(world), 40, "the zone")
    assert serial(world) == 5


def change(world, lines):
    done = world.run("nsupdate", input=f"server 127.0.0.1 5401\nzone z.test\n{lines}\nsend\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("more", ["", "provide-ixfr no;"])
def test_notify_brings_the_change(world, more):
    primary(world, "named", more)
    server = serve(world, corefile("127.0.0.1:5401"))
    wait_for(lambda: text(world), 40, "the zone")
    change(world, "update add new.z.test 60 A 192.0.2.9\nupdate delete *.w.z.test TXT")
    wait_for(lambda: text(world, "new.z.test.", "A"), 30, "the change")
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "NXDOMAIN"
    assert serial(world) == 6
    assert server.alive()


def test_notify_of_strangers_is_refused(world):
    serve(world, corefile("192.0.2.77"))
    query = dns.message.make_query("z.test.", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    query.flags &= ~dns.flags.RD
    with world.net():
        assert dns.query.udp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED


def test_the_next_server_is_asked(world):
    primary(world, "named")
    serve(world, corefile("127.0.0.1:5499", "127.0.0.1:5401"))
    wait_for(lambda: text(world), 40, "the zone")


def test_it_is_handed_on(world):
    primary(world, "named")
    serve(world, corefile("127.0.0.1:5401", more=["transfer {\n to *\n}"]))
    wait_for(lambda: text(world), 40, "the zone")
    lines = [line for line in world.run("dig", "@127.0.0.1", "z.test", "AXFR", "+noall", "+answer").stdout.splitlines()
             if line and line[0] != ";"]
    assert len(lines) == 5


def test_it_expires(world):
    process = primary(world, "named")
    world.write("/etc/others/zone", ZONE.format(serial=5).replace("3600 600 86400", "1 1 3"))
    serve(world, corefile("127.0.0.1:5401"))
    wait_for(lambda: text(world), 40, "the zone")
    process.kill()
    wait_for(lambda: rcode(ask(world, "x.w.z.test.", "TXT", timeout=1)) == "SERVFAIL", 40, "its end")


def test_fallthrough_asks_the_next(world):
    primary(world, "named")
    serve(world, corefile("127.0.0.1:5401", more=["whoami"]).replace("transfer from", "fallthrough\n transfer from"))
    wait_for(lambda: text(world), 40, "the zone")
    assert rcode(ask(world, "none.z.test.", "A")) == "NOERROR"
