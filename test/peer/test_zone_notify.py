"""Secondaries are told of another serial (RFC 1996), again until they answer; named comes for the zone."""
import socket
import subprocess

import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import pytest

import ns
from ask import ask, values
from conftest import needs
from ns import wait_for
from test_zone_transfers import ZONE
from test_zones import FOLDER, serve

pytestmark = needs("named")


def corefile(*transfer):
    inside = "\n        ".join(transfer)
    return f"""z.test:53 {{
    file {FOLDER}/zone z.test {{
        reload 1s
    }}
    transfer {{
        {inside}
    }}
}}
"""


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        made.write(f"{FOLDER}/zone", ZONE)
        yield made


def secondary(world):
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 5555))
    sock.settimeout(20)
    return sock


def told(sock, answer=True):
    """The next NOTIFY: its serial and where it is from."""
    wire, peer = sock.recvfrom(4096)
    m = dns.message.from_wire(wire)
    assert m.opcode() == dns.opcode.NOTIFY and m.question[0].rdtype == dns.rdatatype.SOA
    if answer:
        reply = dns.message.make_response(m)
        sock.sendto(reply.to_wire(), peer)
    return m.answer[0][0].serial, peer[0]


def test_at_the_start_and_with_each_serial(world):
    sock = secondary(world)
    serve(world, corefile("to 127.0.0.1:5555"))
    assert told(sock) == (7, "127.0.0.1")
    world.write(f"{FOLDER}/zone", ZONE.replace(" 7 3600", " 8 3600"))
    assert told(sock) == (8, "127.0.0.1")


def test_again_until_it_is_answered(world):
    sock = secondary(world)
    serve(world, corefile("to 127.0.0.1:5555"))
    assert told(sock, answer=False)[0] == 7
    assert told(sock)[0] == 7
    sock.settimeout(5)
    with pytest.raises(TimeoutError):
        told(sock)


def test_source_is_where_it_comes_from(world):
    sock = secondary(world)
    serve(world, corefile("to 127.0.0.1:5555", "source 127.0.0.9"))
    assert told(sock) == (7, "127.0.0.9")


def test_networks_are_not_told(world):
    sock = secondary(world)
    serve(world, corefile("to * 127.0.0.0/8"))
    sock.settimeout(3)
    with pytest.raises(TimeoutError):
        told(sock)


def test_named_comes_for_it(world):
    world.write("/etc/others/named.conf", """options { directory "/etc/others"; listen-on port 5401 { 127.0.0.1; };
  listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; dnssec-validation no; };
controls { };
zone "z.test" { type secondary; primaries { 127.0.0.1 port 53; }; masterfile-format text; };
""")
    serve(world, corefile("to 127.0.0.1:5401"))    # first: named remembers for long who was not there
    world.popen(["named", "-f", "-c", "/etc/others/named.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def has(name):
        m = ask(world, name, "A", port=5401, timeout=1)
        return m is not None and m.flags & dns.flags.AA and values(m, "A")
    wait_for(lambda: has("ns.z.test."), 40, "the zone")
    world.write(f"{FOLDER}/zone", ZONE.replace(" 7 3600", " 8 3600") + "new A 192.0.2.9\n")
    wait_for(lambda: has("new.z.test."), 40, "the change")
