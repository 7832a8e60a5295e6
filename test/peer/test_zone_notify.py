"""Secondaries are told of another serial (RFC 1996), again until they answer; named comes for the zone."""
import socket

import dns.message
import dns.opcode
import dns.rdatatype
import pytest

import ns
from conftest import needs
from ns import wait_for
from zonepeers import FOLDER, begin, master, said, serve, zone

pytestmark = needs("named")


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        made.write(f"{FOLDER}/zone", zone())
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
    serve(world, master("to 127.0.0.1:5555"))
    assert told(sock) == (7, "127.0.0.1")
    world.write(f"{FOLDER}/zone", zone(8))
    assert told(sock) == (8, "127.0.0.1")


def test_again_until_it_is_answered(world):
    sock = secondary(world)
    serve(world, master("to 127.0.0.1:5555"))
    assert told(sock, answer=False)[0] == 7
    assert told(sock)[0] == 7
    sock.settimeout(5)
    with pytest.raises(TimeoutError):
        told(sock)


def test_source_is_where_it_comes_from(world):
    sock = secondary(world)
    serve(world, master("to 127.0.0.1:5555", "source 127.0.0.9"))
    assert told(sock) == (7, "127.0.0.9")


def test_networks_are_not_told(world):
    sock = secondary(world)
    serve(world, master("to * 127.0.0.0/8"))
    sock.settimeout(3)
    with pytest.raises(TimeoutError):
        told(sock)


def test_named_comes_for_it(world):
    serve(world, master("to 127.0.0.1:5401"))    # first: named remembers for long who was not there
    begin(world, "named", taking=True)
    wait_for(lambda: said(world, "ns.z.test.", "A", port=5401), 40, "the zone")
    world.write(f"{FOLDER}/zone", zone(8, more="new A 192.0.2.9\n"))
    wait_for(lambda: said(world, "new.z.test.", "A", port=5401), 40, "the change")
