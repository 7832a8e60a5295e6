"""Zones and NOTIFY between our program and named, knotd and nsd, signed by a key that both have; and by none, or by
another, which bring nothing."""
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.renderer
import dns.rrset
import pytest

import ns
from ask import ask, rcode
from conftest import needs
from ns import wait_for
from zonepeers import (FOLDER, KEY, PORTS, WRONG, begin, change, has_zone, master, said, serial, serve, slave, taken,
                       zone)

pytestmark = needs("named", "knotd", "nsd", "nsupdate", "dig")

HERE = "127.0.0.1"
REFUSALS = {
    "secret": r"it finds our signature wrong \(BADSIG\)",
    "algorithm": r"it has no such key for this algorithm \(BADKEY\)|it answers (NOTAUTH|REFUSED)",
    "name": r"it has no such key for this algorithm \(BADKEY\)|it answers (NOTAUTH|REFUSED)",
    None: "it answers (NOTAUTH|REFUSED)",
}


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        made.write(f"{FOLDER}/zone", zone())
        yield made


def told(world, key=None):
    """What becomes of a NOTIFY for the zone."""
    query = dns.message.make_query("z.test.", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    query.flags = dns.opcode.to_flags(dns.opcode.NOTIFY)
    if key:
        query.use_tsig(key.dnspython())
    with world.net():
        return dns.rcode.to_text(dns.query.udp(query, HERE, timeout=5).rcode())


# --- zones that come in --------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PORTS)
def test_a_signed_zone_comes_in_and_so_do_its_changes(world, name):
    """AXFR, then NOTIFY, then IXFR or, of nsd, AXFR: nothing else brings the change within an hour."""
    more = "".join(f"n{i} TXT {'x' * 200}\n" for i in range(3000))      # several messages
    process = has_zone(world, name, KEY, text=zone(more=more))
    wait_for(lambda: said(world, port=PORTS[name]), 40, "the other server")
    server = serve(world, slave(f"{HERE}:{PORTS[name]}", more=[KEY.corefile(HERE)]))
    wait_for(lambda: said(world), 40, "the zone")
    assert said(world, "n2999.z.test.")
    change(world, name, process, "new.z.test. 60 A 192.0.2.9")
    wait_for(lambda: said(world, "new.z.test.", "A"), 40, "the change")
    assert serial(world) == 8
    server.wait_log(r"transferred: serial 8, \d+ records" + (r"$" if name == "nsd" else r" \(by differences\)"))
    assert not server.lines("not transferred")


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("fault", REFUSALS)
def test_no_zone_comes_with_another_key(world, name, fault):
    has_zone(world, name, KEY)
    wait_for(lambda: said(world, port=PORTS[name]), 40, "the other server")
    wrong = [WRONG[fault].corefile(HERE)] if fault else []
    server = serve(world, slave(f"{HERE}:{PORTS[name]}", more=wrong))
    server.wait_log(rf"plugin/secondary: z\.test\. from {HERE}@{PORTS[name]}: not transferred: ({REFUSALS[fault]})", 20)
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "SERVFAIL"


@pytest.mark.parametrize("name", PORTS)
def test_a_zone_that_is_not_signed_is_not_taken(world, name):
    """A server that has no keys at all, and would give it to anybody."""
    has_zone(world, name)
    wait_for(lambda: said(world, port=PORTS[name]), 40, "the other server")
    server = serve(world, slave(f"{HERE}:{PORTS[name]}", more=[KEY.corefile(HERE)]))
    server.wait_log(r"not transferred: (it has no such key|its answer is not signed)", 20)
    assert rcode(ask(world, "x.w.z.test.", "TXT")) == "SERVFAIL"


def transfer(query, late, signs):
    """The zone in one message, signed so many seconds late, or not at all."""
    soa = dns.rrset.from_text("z.test.", 300, "IN", "SOA", "ns.z.test. host.z.test. 7 3600 600 86400 300")
    out = dns.renderer.Renderer(query.id, flags=dns.flags.QR | dns.flags.AA)
    for rrset in (soa, dns.rrset.from_text("z.test.", 300, "IN", "NS", "ns.z.test."),
                  dns.rrset.from_text("x.w.z.test.", 300, "IN", "TXT", "wild"), soa):
        out.add_rrset(dns.renderer.ANSWER, rrset)
    out.write_header()
    if not signs:
        return out.get_wire()
    real = time.time
    time.time = lambda: real() - late
    try:
        out.add_tsig(KEY.dnspython().name, KEY.dnspython(), 300, query.id, 0, b"", query.mac)
    finally:
        time.time = real
    return out.get_wire()


def primary_by_hand(sock, late, signs):
    ring = {dns.name.from_text(KEY.name): KEY.dnspython()}
    while True:
        try:
            conn, _ = sock.accept()
        except OSError:      # the test is over
            return
        with conn:
            query = dns.message.from_wire(conn.recv(65535)[2:], keyring=ring)
            out = transfer(query, late, signs)
            conn.sendall(struct.pack("!H", len(out)) + out)


@pytest.mark.parametrize("late,signs,why", [(0, True, None), (200, True, None), (0, False, "its answer is not signed"),
                                            (400, True, "its answer is signed at another time than ours"),
                                            (-400, True, "its answer is signed at another time than ours")])
def test_answers_of_another_time(world, late, signs, why):
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((HERE, 5499))
    sock.listen()
    thread = threading.Thread(target=primary_by_hand, args=(sock, late, signs), daemon=True)
    thread.start()
    try:
        server = serve(world, slave(f"{HERE}:5499", more=[KEY.corefile(HERE)]))
        if why:
            server.wait_log(f"not transferred: {why}", 20)
            assert rcode(ask(world, "x.w.z.test.", "TXT")) == "SERVFAIL"
        else:
            wait_for(lambda: said(world), 20, "the zone")
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        thread.join(10)


def test_notify_is_believed_when_it_is_signed(world):
    serve(world, slave(HERE + ":5499", more=[KEY.corefile(HERE)]))
    assert told(world, KEY) == "NOERROR"
    assert told(world) == "REFUSED"


def test_notify_of_one_key_is_not_that_of_another(world):
    other = WRONG["name"]
    serve(world, slave(HERE + ":5499", more=[
        f"tsig {{\n secret {KEY.name} {KEY.secret}\n secret {other.name} {other.secret}\n}}",
        f"signet {{\n key {KEY.name} {HERE}\n}}"]))
    assert told(world, KEY) == "NOERROR"
    assert told(world, other) == "REFUSED"


# --- zones that go out ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PORTS)
def test_a_signed_zone_goes_out_and_so_do_its_changes(world, name):
    serve(world, master(f"to {HERE}:{PORTS[name]}", more=[KEY.corefile(HERE)]))
    begin(world, name, True, KEY)
    wait_for(lambda: said(world, port=PORTS[name]), 40, "the zone")
    world.write(f"{FOLDER}/zone", zone(8, more="new A 192.0.2.9\n"))
    wait_for(lambda: said(world, "new.z.test.", "A", port=PORTS[name]), 60, "the change")


@pytest.mark.parametrize("fault", REFUSALS)
def test_no_zone_goes_out_with_another_key(world, fault):
    """Beside the right key, from the same address."""
    known = "".join(f" secret {k.name} {k.secret}\n" for k in (KEY, WRONG["name"]))
    serve(world, master("to *", more=[f"tsig {{\n{known}}}", f"signet {{\n key {KEY.name} {HERE}\n}}"]))
    assert len([line for line in taken(world, "-y", KEY.dig(), "AXFR") if " tsig " not in line]) == 7
    if fault == "algorithm":     # the key is for any
        return
    wrong = ("-y", WRONG[fault].dig()) if fault else ()
    assert not [line for line in taken(world, *wrong, "AXFR") if " soa " in line]


def test_the_algorithm_of_a_key_is_its_only_one(world):
    serve(world, master("to *", more=[KEY.corefile(HERE)]))
    assert [line for line in taken(world, "-y", KEY.dig(), "AXFR") if " soa " in line]
    assert not [line for line in taken(world, "-y", WRONG["algorithm"].dig(), "AXFR") if " soa " in line]


def test_notify_goes_out_signed_and_wants_a_signed_answer(world):
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, 5555))
    sock.settimeout(20)
    server = serve(world, master(f"to {HERE}:5555", more=[KEY.corefile(HERE)]))
    ring = {dns.name.from_text(KEY.name): KEY.dnspython()}
    with sock:
        wire, peer = sock.recvfrom(4096)
        asked = dns.message.from_wire(wire, keyring=ring)
        assert asked.opcode() == dns.opcode.NOTIFY and asked.had_tsig and asked.answer[0][0].serial == 7
        bare = dns.message.make_response(asked)
        bare.tsig = None
        sock.sendto(bare.to_wire(), peer)
        server.wait_log(r"plugin/transfer: z\.test\.: 127\.0\.0\.1@5555 was told of serial 7: its answer is not "
                        "signed", 20)
        wire, peer = sock.recvfrom(4096)                        # once more, then
        asked = dns.message.from_wire(wire, keyring=ring)
        sock.sendto(dns.message.make_response(asked).to_wire(), peer)
        sock.settimeout(5)
        with pytest.raises(TimeoutError):
            sock.recvfrom(4096)
    assert len(server.lines("was told of serial")) == 1


def test_a_signed_zone_comes_over_tls(world, keys):
    world.write(f"{FOLDER}/cert.pem", (keys / "quad9.pem").read_bytes())
    there = f"""tls://z.test:853 {{
    tls {FOLDER}/cert.pem {FOLDER}/cert.pem
    {KEY.corefile()}
    file {FOLDER}/zone z.test
    transfer {{
        to *
        required
    }}
}}
"""
    server = serve(world, there + slave(f"tls://{HERE}%dns.quad9.net", more=[KEY.corefile(HERE)]))
    wait_for(lambda: said(world), 40, "the zone")
    assert not server.lines("not transferred")
