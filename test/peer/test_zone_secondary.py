"""Zones taken from others (plugin secondary): named, knotd and nsd have them; NOTIFY, differences, and who fails."""
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import pytest

import ns
from ask import ask, rcode
from conftest import needs
from ns import wait_for
from zonepeers import PORTS, has_zone, said, serial, serve, slave, zone

pytestmark = needs("named", "knotd", "nsd", "nsupdate", "dig")


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        yield made


@pytest.mark.parametrize("name", PORTS)
def test_a_zone_of_somebody_else(world, name):
    serve(world, slave(f"127.0.0.1:{PORTS[name]}"))
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "SERVFAIL"     # nobody is there yet
    has_zone(world, name)
    wait_for(lambda: said(world), 40, "the zone")
    assert serial(world) == 7


def change(world, lines):
    done = world.run("nsupdate", input=f"server 127.0.0.1 5401\nzone z.test\n{lines}\nsend\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("more", ["", "provide-ixfr no;"])
def test_notify_brings_the_change(world, more):
    has_zone(world, "named", more=more)
    server = serve(world, slave("127.0.0.1:5401"))
    wait_for(lambda: said(world), 40, "the zone")
    change(world, "update add new.z.test 60 A 192.0.2.9\nupdate delete *.w.z.test TXT")
    wait_for(lambda: said(world, "new.z.test.", "A"), 30, "the change")
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "NXDOMAIN"
    assert serial(world) == 8
    assert server.alive()


def test_notify_of_strangers_is_refused(world):
    serve(world, slave("192.0.2.77"))
    query = dns.message.make_query("z.test.", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    query.flags &= ~dns.flags.RD
    with world.net():
        assert dns.query.udp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED


def test_the_next_server_is_asked(world):
    has_zone(world, "named")
    serve(world, slave("127.0.0.1:5499", "127.0.0.1:5401"))
    wait_for(lambda: said(world), 40, "the zone")


def test_it_is_handed_on(world):
    has_zone(world, "named")
    serve(world, slave("127.0.0.1:5401", more=["transfer {\n to *\n}"]))
    wait_for(lambda: said(world), 40, "the zone")
    lines = [line for line in world.run("dig", "@127.0.0.1", "z.test", "AXFR", "+noall", "+answer").stdout.splitlines()
             if line and line[0] != ";"]
    assert len(lines) == 7


def test_it_expires(world):
    process = has_zone(world, "named", text=zone(timers="1 1 3"))
    serve(world, slave("127.0.0.1:5401"))
    wait_for(lambda: said(world), 40, "the zone")
    process.kill()
    wait_for(lambda: rcode(ask(world, "x.w.z.test.", "TXT", timeout=1)) == "SERVFAIL", 40, "its end")


def test_fallthrough_asks_the_next(world):
    has_zone(world, "named")
    serve(world, slave("127.0.0.1:5401", lines=["fallthrough"], more=["whoami"]))
    wait_for(lambda: said(world), 40, "the zone")
    assert rcode(ask(world, "none.z.test.", "A")) == "NOERROR"
