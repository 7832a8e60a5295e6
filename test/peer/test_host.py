"""The users' hardening.conf, verbatim, answers the programs its readers have, over authenticated TLS alone."""
import struct
from pathlib import Path

import dns.edns
import dns.flags
import pytest

from ask import HERE6, ask, ede, frames, packet, rcode, send, stream, values
from conftest import needs
from hosts import address_of
from ns import GUIDE, HARDENING

AWAY = "192.0.2.1"   # an address of this machine that is not loopback


def test_the_file_is_the_users_own():
    original = Path(__file__).resolve().parents[3] / "shared" / "seeds" / "host" / "hardening.conf"
    if not original.exists():
        pytest.skip("no folder of users' files beside the repository to compare with")
    assert HARDENING.read_bytes() == original.read_bytes()


# --- clients ---------------------------------------------------------------------------------------------------

@needs("dig")
def test_dig(shared):
    done = shared.run("dig", "dig.site.com")
    assert done.returncode == 0
    assert "status: NOERROR" in done.stdout and address_of("dig.site.com") in done.stdout
    assert "SERVER: 127.0.0.1#53" in done.stdout
    assert shared.run("dig", "+short", "dig.site.com").stdout.strip() == address_of("dig.site.com")


@needs("kdig")
@pytest.mark.parametrize("flag", ["+notcp", "+tcp"])
def test_kdig(shared, flag):
    done = shared.run("kdig", flag, "@127.0.0.1", "kdig.site.com", "AAAA")
    assert done.returncode == 0 and "status: NOERROR" in done.stdout and "AAAA\t2600:1f00::" in done.stdout


@needs("busybox")
def test_busybox_nslookup(shared):
    done = shared.run("busybox", "nslookup", "busybox.site.com")
    assert done.returncode == 0 and address_of("busybox.site.com") in done.stdout, done.stdout + done.stderr


@needs("getent")
def test_getent(shared):
    done = shared.run("getent", "ahostsv4", "getent.site.com")
    assert done.returncode == 0 and done.stdout.split()[0] == address_of("getent.site.com")
    shared.rules({"name": "absent.com", "rcode": 3})
    assert shared.run("getent", "ahostsv4", "getent.absent.com").returncode == 2


# --- answers ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("server", ["127.0.0.1", HERE6])
def test_transports_and_families(shared, tcp, server):
    name = f"over{int(tcp)}{len(server)}.site.com"
    m = ask(shared, name, server=server, tcp=tcp)
    assert values(m) == [address_of(name)]
    assert m.flags & dns.flags.RA and m.flags & dns.flags.RD and not m.flags & dns.flags.AA


def test_kinds_of_answers(shared):
    shared.rules({"name": "none.kinds.com", "rcode": 3}, {"name": "empty.kinds.com", "nodata": True},
                 {"name": "alias.kinds.com", "cname": ["one.kinds.com", "two.kinds.com"], "a": ["198.51.100.9"]},
                 {"name": "one.kinds.com", "cname": ["two.kinds.com"], "a": ["198.51.100.9"]},
                 {"name": "two.kinds.com", "a": ["198.51.100.9"]},
                 {"name": "many.kinds.com", "a": [f"198.51.100.{i}" for i in range(20, 40)]},
                 {"name": "text.kinds.com", "txt": ["one", "two"]})
    m = ask(shared, "none.kinds.com")
    assert rcode(m) == "NXDOMAIN" and any(r.rdtype == 6 for r in m.authority)
    m = ask(shared, "empty.kinds.com")
    assert rcode(m) == "NOERROR" and not m.answer and any(r.rdtype == 6 for r in m.authority)
    m = ask(shared, "alias.kinds.com")
    assert len(values(m, "CNAME")) == 2 and values(m) == ["198.51.100.9"]
    assert len(values(ask(shared, "many.kinds.com"))) == 20
    assert values(ask(shared, "text.kinds.com", "TXT"), "TXT") == ["one", "two"]
    assert rcode(ask(shared, "odd.kinds.com", "TYPE65280")) == "NOERROR"


def test_case_of_the_question_comes_back(shared):
    for _ in range(2):      # from upstream, then from the cache
        m = ask(shared, "MiXeD.SiTe.CoM")
        assert str(m.question[0].name) == "MiXeD.SiTe.CoM." and str(m.answer[0].name) == "MiXeD.SiTe.CoM."
    assert str(ask(shared, "mixed.site.com").question[0].name) == "mixed.site.com."


def test_a_big_answer_is_truncated_then_whole_over_tcp(shared):
    shared.rules({"name": "big.com", "big": 6000})
    m = ask(shared, "a.big.com", "TXT", payload=4096)
    assert m.flags & dns.flags.TC and len(m.to_wire()) <= 1232
    m = ask(shared, "a.big.com", "TXT", tcp=True)
    assert not m.flags & dns.flags.TC and len(m.answer[0]) == 30
    m = ask(shared, "a.big.com", "TXT", use_edns=False)
    assert m.flags & dns.flags.TC and len(m.to_wire()) <= 512


def test_answer_below_the_size_the_client_takes(shared):
    shared.rules({"name": "mid.com", "big": 1000})
    assert not ask(shared, "a.mid.com", "TXT", payload=1232).flags & dns.flags.TC
    assert ask(shared, "a.mid.com", "TXT", use_edns=False).flags & dns.flags.TC


def test_ad_of_an_upstream_is_never_passed_on(shared):
    shared.rules({"name": "adset.com", "ad": True})
    for dnssec in (False, True):
        for _ in range(2):
            m = ask(shared, "x.adset.com", want_dnssec=dnssec, flags=0x0120)
            assert rcode(m) == "NOERROR" and not m.flags & dns.flags.AD


def test_ad_only_where_the_program_proves(shared):
    m = ask(shared, "www.secure", want_dnssec=True)
    assert rcode(m) == "NOERROR" and values(m) == ["198.51.100.80"] and values(m, "RRSIG")
    if shared.server.lines("(does|do) not (yet )?validate|no validation|without validation"):
        assert not m.flags & dns.flags.AD
    else:
        assert m.flags & dns.flags.AD


def test_no_rrsig_for_who_did_not_ask(shared):
    ask(shared, "www.secure", want_dnssec=True)
    assert not values(ask(shared, "www.secure"), "RRSIG")


def test_every_upstream_is_used_by_its_name_over_tls_only(shared):
    for i in range(40):
        assert rcode(ask(shared, f"n{i}.spread.com")) == "NOERROR"
    counts = shared.counts()
    assert counts["by_proto"].keys() == {"tls"}
    assert set(counts["names"]) == {"cloudflare-dns.com", "dns.quad9.net"}
    assert all(f"{addr} tls" in counts["connects"] for addr in GUIDE)
    assert counts["packets"]["53"] == 0 and counts["packets"]["853"] > 0


def test_questions_over_tls_are_padded(shared):
    """RFC 8467: blocks of 128, so that sizes tell nothing."""
    for name in ("a.pad.com", "a-much-longer-name-than-the-other-one.pad.com"):
        ask(shared, name)
    seen = shared.tell("seen", name="pad.com")
    assert len(seen) >= 2
    assert all(12 in q["options"] and q["length"] % 128 == 0 for q in seen), seen


def test_questions_share_connections(shared):
    before = sum(shared.counts()["connects"].values())
    for i in range(30):
        ask(shared, f"share{i}.site.com")
    assert sum(shared.counts()["connects"].values()) - before <= 4


# --- who may ask what ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["version.bind", "version.server", "hostname.bind", "id.server"])
def test_identity_is_hidden(shared, name):
    m = ask(shared, name, "TXT", rdclass="CH")
    assert rcode(m) == "REFUSED" and not m.answer


@pytest.mark.parametrize("tcp", [False, True])
def test_strangers_are_refused(shared, tcp):
    m = ask(shared, "www.site.com", source=AWAY, tcp=tcp)
    assert rcode(m) == "REFUSED" and not m.answer
    assert not shared.server.lines(rf"query: {AWAY}")      # as in unbound, refused questions are not logged


def test_recursion_not_desired(shared):
    m = ask(shared, "norecursion.site.com", flags=0)
    assert rcode(m) == "REFUSED"


@pytest.mark.parametrize("name,message,want", [
    ("short", b"\0\1\1\0\0\1", None),
    ("response", struct.pack("!6H", 7, 0x8100, 1, 0, 0, 0) + packet("q.com", "A", 7, False)[12:], None),
    ("no question", struct.pack("!6H", 7, 0x0100, 0, 0, 0, 0), 1),
    ("two questions", struct.pack("!6H", 7, 0x0100, 2, 0, 0, 0) + packet("q.com", "A", 7, False)[12:] * 2, 1),
    ("truncated question", packet("q.com", "A", 7, False)[:-5], 1),
    ("tc", struct.pack("!6H", 7, 0x0300, 1, 0, 0, 0) + packet("q.com", "A", 7, False)[12:], 1),
    ("update", struct.pack("!6H", 7, 0x2800, 1, 0, 0, 0) + packet("q.com", "SOA", 7, False)[12:], 4),
    ("status", struct.pack("!6H", 7, 0x1000, 1, 0, 0, 0) + packet("q.com", "A", 7, False)[12:], 4),
    ("answer in a query", struct.pack("!6H", 7, 0x0100, 1, 1, 0, 0) + packet("q.com", "A", 7, False)[12:]
     + b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4\1\2\3\4", 1),
    ("two OPT", struct.pack("!6H", 7, 0x0100, 1, 0, 0, 2) + packet("q.com", "A", 7)[12:]
     + b"\0\0\x29\x04\xd0\0\0\0\0\0\0", 1),
], ids=lambda v: v if isinstance(v, str) else "")
def test_malformed_questions(shared, name, message, want):
    reply = send(shared, message, timeout=0.3 if want is None else 3)
    if want is None:
        assert reply is None
    else:
        assert reply is not None and reply[:2] == message[:2]
        assert reply[3] & 15 == want and reply[2] & 0x80
    assert rcode(ask(shared, "after.site.com")) == "NOERROR"


@pytest.mark.parametrize("rrtype", ["AXFR", "IXFR"])
def test_transfers_are_refused(shared, rrtype):
    code = {"AXFR": 252, "IXFR": 251}[rrtype]
    message = struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0) + b"\4site\3com\0" + struct.pack("!HH", code, 1)
    with stream(shared) as sock:
        sock.sendall(struct.pack("!H", len(message)) + message)
        got = frames(sock, 1)
    assert got and got[0][3] & 15 == 5


@pytest.mark.ours("answers the version it does not know as if it knew it")
def test_an_edns_version_of_the_future(shared):
    m = packet("badvers.site.com", "A", 3, False)
    m = m[:10] + b"\0\1" + m[12:] + b"\0\0\x29\x04\xd0\0\x05\0\0\0\0"
    reply = send(shared, m)
    assert reply and reply[3] & 15 == 0 and b"\0\0\x29" in reply[12:] and reply[reply.index(b"\0\0\x29") + 5] == 1


# --- streams ---------------------------------------------------------------------------------------------------

def test_pipelined_and_out_of_order_over_tcp(shared):
    shared.rules({"name": "late.tcp.com", "delay": 300})
    first, second = packet("late.tcp.com", "A", 1), packet("early.tcp.com", "A", 2)
    with stream(shared) as sock:
        sock.sendall(b"".join(struct.pack("!H", len(m)) + m for m in (first, second)))
        got = frames(sock, 2)
    assert [g[1] for g in got] == [2, 1]


def test_a_question_in_single_bytes_over_tcp(shared):
    m = packet("bytes.tcp.com", "A", 1)
    with stream(shared) as sock:
        sock.setsockopt(6, 1, 1)
        for byte in struct.pack("!H", len(m)) + m:
            sock.send(bytes([byte]))
        assert frames(sock, 1)[0][3] & 15 == 0


def test_a_lying_length_over_tcp_holds_nobody_up(shared):
    with stream(shared) as sock:
        sock.sendall(b"\xff\xff\0\0")
        assert rcode(ask(shared, "meanwhile.tcp.com", tcp=True)) == "NOERROR"


def test_extended_errors_show_in_dig(shared):
    shared.rules({"name": "broken.com", "rcode": 2})
    m = ask(shared, "x.broken.com", use_edns=0)
    assert rcode(m) == "SERVFAIL"
    assert all(isinstance(code, int) for code, _ in ede(m))
