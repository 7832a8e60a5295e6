"""Where two things of a Corefile meet: each of these was wrong once."""
import socket
import ssl
import struct
import time

import dns.message
import pytest

pytest.importorskip("cryptography")
import test_validation_cases as cases  # noqa: E402
from ask import ask, rcode, values  # noqa: E402
from coredns import FOLDER, Coredns  # noqa: E402
from evilauth import Lab  # noqa: E402
from hosts import address_of  # noqa: E402
from ns import World, wait_for  # noqa: E402
from verdict import is_bogus, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("CoreDNS does not validate")
A, B, C = "9.9.9.9", "149.112.112.112", "1.1.1.1"
PROVES = f"    dnssec {{\n        validate\n        trust-anchor {FOLDER}/root\n    }}\n"


class Proving(Lab):
    def __init__(self, keys, corefile, files=()):
        super().__init__(keys, start=False)
        try:
            self.world.write(f"{FOLDER}/root", self.evil.tree.anchor())
            for name, text in files:
                self.world.write(f"{FOLDER}/{name}", text)
            self.server = Coredns(self.world, corefile)
        except BaseException:
            self.world.close()
            raise


def test_a_wildcard_is_proved_before_minimal_leaves_its_proof_out(keys):
    with Proving(keys, f".:53 {{\n    minimal\n{PROVES}    forward . {C}\n}}\n") as lab:
        z = cases.usual(lab)
        m = is_secure(lab.ask(z.name("any.wild")))
        assert values(m) == [cases.ADDR] and not [r for r in m.authority if r.rdtype == 2]


def test_an_alias_out_of_a_zone_is_proved_where_validate_comes_first(keys):
    """The target is asked for from the top of the chain; a forged one must not pass as validate's own question."""
    zone = ("$TTL 60\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n"
            "good CNAME www.z1.\nbad CNAME www.z2.\n")
    corefile = f".:53 {{\n{PROVES}    file {FOLDER}/own own.test\n    forward . {C}\n}}\n"
    with Proving(keys, corefile, [("own", zone)]) as lab:
        good = cases.usual(lab)
        assert str(good.name("www")) == "www.z1."
        _, name, _ = cases.broken(lab, "forged")
        assert str(name) == "www.z2."
        is_bogus(lab.ask(name), 6)
        assert cases.ADDR in values(lab.ask("good.own.test."))
        m = lab.ask("bad.own.test.")
        assert rcode(m) == "SERVFAIL" and "6.6.6.6" not in m.to_text()


@pytest.mark.parametrize("more", ["", "    cache 30\n"])
def test_an_alias_to_another_block_keeps_the_clients_form(world, more):
    """The block with the alias makes no difference of DO or TCP, the one that its target is asked of does."""
    world.write(f"{FOLDER}/own", "$TTL 60\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n"
                                 "*.d CNAME d.com.\n*.t CNAME t.com.\n*.u CNAME u.com.\n")
    Coredns(world, f"own.test:53 {{\n{more}    file {FOLDER}/own\n}}\n"
                   f".:53 {{\n{more}    forward . {A}\n}}\n")
    assert values(ask(world, "x.d.own.test"))[-1] == address_of("d.com")
    ask(world, "x.d.own.test", want_dnssec=True)
    assert [q["do"] for q in world.tell("seen", name="d.com")] == [False, True]
    ask(world, "x.t.own.test", tcp=True)
    ask(world, "x.u.own.test")
    assert [world.tell("seen", name=f"{n}.com")[0]["proto"] for n in "tu"] == ["tcp", "udp"]


def test_a_probe_asks_the_forward_it_belongs_to(world):
    """Servers of one forward are probed for a name that another one has, and come back by it."""
    s = Coredns(world, f".:53 {{\n    forward example.org {A} {B} {{\n        policy sequential\n        max_fails 1\n"
                       f"        health_check 200ms\n    }}\n    forward . {C}\n}}\n")
    world.blackhole(A)
    for i in range(6):
        ask(world, f"x{i}.example.org", timeout=8)
    world.revive(A)
    wait_for(lambda: ask(world, f"y{time.monotonic_ns()}.example.org") and
             [q for q in world.tell("seen", name=".") if q["addr"] == A], 20, "a probe of the first")
    assert s.alive() and not [q for q in world.tell("seen", name=".") if q["addr"] == C and q["name"] in ("", ".")]


def test_next_without_another_forward(world):
    """The answer stands, as nobody else is there to be asked."""
    Coredns(world, f".:53 {{\n    forward . {A} {{\n        next NXDOMAIN\n    }}\n}}\n")
    world.rules({"name": "gone.com", "rcode": 3})
    assert rcode(ask(world, "x.gone.com")) == "NXDOMAIN"


# --- TLS -------------------------------------------------------------------------------------------------------

ZONE = "$TTL 300\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n" + \
       "".join(f'long TXT "{chr(97 + i) * 200}"\n' for i in range(5))
BLOCK = "    tls {f}/cert.pem {f}/key.pem{more}\n    file {f}/db example.org\n"


@pytest.fixture(name="secured", scope="module")
def secured_world(keys):
    with World(keys, hosts={}) as world:
        done = world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                         "-keyout", "/etc/k.pem", "-out", "/etc/c.pem", "-days", "30", "-subj", "/CN=dns.test")
        assert done.returncode == 0, done.stderr
        world.write(f"{FOLDER}/cert.pem", world.read("/etc/c.pem"))
        world.write(f"{FOLDER}/key.pem", world.read("/etc/k.pem"))
        world.write(f"{FOLDER}/db", ZONE)
        closed = f" {FOLDER}/cert.pem {{\n        client_auth require_and_verify\n    }}"
        world.server = Coredns(world, "tls://example.org:853 {\n" + BLOCK.format(f=FOLDER, more="") + "}\n"
                               "tls://example.org:8853 {\n" + BLOCK.format(f=FOLDER, more=closed) + "}\n"
                               "example.org:53 {\n" + f"    file {FOLDER}/db example.org\n" + "}\n")
        yield world


def framed(name, rrtype="TXT"):
    wire = dns.message.make_query(name, rrtype, use_edns=0, payload=4096).to_wire()
    return struct.pack("!H", len(wire)) + wire


def lax():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_who_says_goodbye_with_many_questions_open_holds_up_nobody(secured):
    """Questions for more than a connection's answers may take, and close_notify behind them in one write."""
    with secured.net():
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", 853), timeout=10) as sock:
                back, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = lax().wrap_bio(back, out)
                while True:
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        sock.sendall(out.read())
                        back.write(sock.recv(65536))
                tls.write(framed("long.example.org") * 200)
                try:
                    tls.unwrap()
                except ssl.SSLError:
                    pass
                sock.sendall(out.read())
                time.sleep(0.2)
    begun = time.monotonic()
    for _ in range(20):
        assert rcode(ask(secured, "ns.example.org", timeout=3)) == "NOERROR"
    assert time.monotonic() - begun < 5


def exchange(context, port, session=None):
    """(an answer came, session, whether it was taken up)"""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        try:
            with context.wrap_socket(sock, session=session) as tls:
                tls.sendall(framed("ns.example.org", "A"))
                return len(tls.recv(65536)) > 2, tls.session, tls.session_reused
        except (ssl.SSLError, ConnectionError):
            return False, None, False


def test_a_ticket_does_not_stand_in_for_a_certificate(secured):
    """One from a listener that asks for none is no way into one that does."""
    with secured.net():
        context = lax()
        answered, session, _ = exchange(context, 853)
        assert answered and session is not None
        again, _, reused = exchange(context, 853, session)
        assert again and reused
        _, session, _ = exchange(context, 853)
        assert not exchange(context, 8853)[0]
        assert not exchange(context, 8853, session)[0]
