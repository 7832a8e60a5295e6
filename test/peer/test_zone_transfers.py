"""Whole zones to secondaries (plugin transfer): named, knotd, dig and kdig take them; and who may not have them."""
import socket
import struct

import dns.message
import dns.query
import dns.rcode
import pytest

import ns
from ask import ask, rcode
from conftest import needs
from ns import wait_for
from zonepeers import FOLDER, PORTS, begin, master, said, serve, taken, zone

pytestmark = needs("named", "knotd", "dig", "kdig")

LARGE = 20000


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        made.write(f"{FOLDER}/zone", zone())
        yield made


def dig(world, *args):
    return world.run("dig", "@127.0.0.1", "+noall", "+answer", "+comments", *args).stdout


def test_dig_and_kdig_get_all_of_it(world):
    serve(world, master("to *"))
    wanted = sorted(["z.test. 300 in soa ns.z.test. host.z.test. 7 3600 600 86400 300"] * 2 + [
        "z.test. 300 in ns ns.z.test.", "ns.z.test. 300 in a 192.0.2.1", '*.w.z.test. 300 in txt "wild"',
        "sub.z.test. 300 in ns ns.sub.z.test.", "ns.sub.z.test. 300 in a 192.0.2.2"])
    assert taken(world, "AXFR") == wanted
    assert taken(world, "AXFR", program="kdig") == wanted
    assert taken(world, "IXFR=6") == wanted
    assert len(taken(world, "IXFR=7")) == 1
    assert len(taken(world, "IXFR=8")) == 1


def test_others_get_nothing(world):
    serve(world, master("to 192.0.2.77 198.51.100.0/24"))
    assert taken(world, "AXFR") == []
    query = dns.message.make_query("z.test.", "AXFR")
    with world.net():
        assert dns.query.udp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED
        assert dns.query.tcp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED
    assert rcode(ask(world, "ns.z.test.", "A")) == "NOERROR"


def test_over_udp_nobody_gets_it(world):
    serve(world, master("to *"))
    query = dns.message.make_query("z.test.", "AXFR")
    with world.net():
        assert dns.query.udp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED


def test_required_wants_a_signature(world):
    serve(world, master("to *", "required"))
    assert taken(world, "AXFR") == []


def test_the_longest_zone_decides(world):
    """CVE-2026-33489: by labels, and not by the order of their text."""
    world.write(f"{FOLDER}/zone", zone().replace("z.test", "a.z.test"))
    serve(world, f""".:53 {{
    file {FOLDER}/zone a.z.test
    transfer z.test {{
        to *
    }}
    transfer a.z.test {{
        to 192.0.2.77
    }}
}}
""")
    assert "SOA" not in dig(world, "a.z.test", "AXFR")


def test_a_large_zone_goes_out_in_pieces_beside_questions(world):
    names = "".join(f"n{i} A 10.0.{i >> 8 & 255}.{i & 255}\n" for i in range(LARGE))
    world.write(f"{FOLDER}/zone", zone(more=names))
    serve(world, master("to *"))
    with world.net():
        slow = socket.create_connection(("127.0.0.1", 53), timeout=5)
        wire = dns.message.make_query("z.test.", "AXFR").to_wire()
        slow.sendall(struct.pack("!H", len(wire)) + wire)      # and reads nothing
    got = taken(world, "AXFR", program="kdig")
    assert len(got) == LARGE + 7
    assert rcode(ask(world, "n5.z.test.", "A")) == "NOERROR"
    data = b""
    while True:                                                # LARGE records
        piece = slow.recv(65536)
        data += piece
        if data.count(b"\x00\x06\x00\x01") >= 2 or not piece:
            break
    slow.close()
    assert data.count(b"\x00\x06\x00\x01") >= 2


def test_named_and_knotd_are_secondaries(world):
    serve(world, master("to *"))
    for name in ("named", "knotd"):
        begin(world, name, taking=True)
    for name in ("named", "knotd"):
        wait_for(lambda name=name: said(world, port=PORTS[name]), 30, f"the zone of {name}")


def over_tcp(world, name, kind):
    with world.net():
        return dns.query.tcp(dns.message.make_query(name, kind), "127.0.0.1", timeout=5).rcode()


def test_a_transfer_of_another_zone_is_refused_and_asked_of_nobody(world):
    """A forwarder would see the server in place of the client."""
    serve(world, f""". {{
    bind 127.0.0.1
    transfer z.test {{
        to *
    }}
    file {FOLDER}/zone z.test
    forward . 127.0.0.9
}}
""")
    assert over_tcp(world, "other.test", "AXFR") == dns.rcode.REFUSED


def test_ixfr_without_a_version_is_malformed(world):
    serve(world, master("to *"))
    assert over_tcp(world, "z.test", "IXFR") == dns.rcode.FORMERR
