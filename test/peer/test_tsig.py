"""Signed questions and answers (plugin tsig, RFC 8945), over each transport: dnspython, dig and kdig hold the other
end."""
import re
import time

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import pytest

import ns
from conftest import needs
from zonepeers import FOLDER, KEY, WRONG, block, serve, taken, zone

pytestmark = needs("dig", "kdig", "curl")

SECRET, DIG = KEY.secret, KEY.dig()
LARGE = 3000


def corefile(*lines, transfer=("to *",)):
    return block("tsig {", *lines, "}", f"file {FOLDER}/zone z.test", "transfer {", *transfer, "}")


@pytest.fixture
def world(keys):
    with ns.World(keys, hosts={}) as made:
        made.write(f"{FOLDER}/zone", zone(more="".join(f"n{i} A 10.0.0.1\n" for i in range(LARGE))))
        yield made


def asked(world, key=KEY.dnspython(), algorithm="hmac-sha256", kind="A", how=dns.query.udp, verify=True):
    """The answer, whose signature dnspython has checked."""
    query = dns.message.make_query("ns.z.test.", kind)
    if key is not None:
        query.use_tsig(key, algorithm=dns.name.from_text(algorithm))
    with world.net():
        answer = how(query, "127.0.0.1", timeout=5)
    assert key is None or not verify or answer.had_tsig
    return answer


@pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"])
@pytest.mark.parametrize("how", [dns.query.udp, dns.query.tcp])
def test_a_signed_question_has_a_signed_answer(world, algorithm, how):
    serve(world, corefile(f"secret k.test. {SECRET}"))
    key = dns.tsig.Key("k.test.", SECRET, algorithm=algorithm)
    answer = asked(world, key, algorithm, how=how)
    assert answer.rcode() == dns.rcode.NOERROR and answer.answer
    assert asked(world, None).answer                       # nothing was required


def test_wrong_keys_signatures_and_times(world, monkeypatch):
    serve(world, corefile(f"secret k.test. {SECRET}"))
    with pytest.raises(dns.tsig.PeerBadKey):
        asked(world, dns.tsig.Key("other.test.", SECRET))
    with pytest.raises(dns.tsig.PeerBadSignature):
        asked(world, dns.tsig.Key("k.test.", "YW5vdGhlcg=="))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 1000)
    with pytest.raises((dns.tsig.PeerBadTime, dns.tsig.BadTime)):
        asked(world)


def test_required_types_are_refused_unsigned(world):
    serve(world, corefile(f"secret k.test. {SECRET}", "require TXT AXFR"))
    assert asked(world, None).rcode() == dns.rcode.NOERROR
    assert asked(world, None, kind="TXT").rcode() == dns.rcode.REFUSED
    assert asked(world, kind="TXT").rcode() == dns.rcode.NOERROR
    assert taken(world, "AXFR") == []


def test_require_opcode(world):
    serve(world, corefile(f"secret k.test. {SECRET}", "require_opcode QUERY"))
    assert asked(world, None).rcode() == dns.rcode.REFUSED
    assert asked(world).rcode() == dns.rcode.NOERROR


def test_secrets_of_a_file(world):
    world.write(f"{FOLDER}/keys", f'key "k.test." {{\n algorithm hmac-sha256;\n secret "{SECRET}";\n}};\n')
    serve(world, corefile(f"secrets {FOLDER}/keys"))
    assert asked(world).answer


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_zone_whose_messages_are_signed(world, program):
    serve(world, corefile(f"secret k.test. {SECRET}", transfer=("to *", "required")))
    assert taken(world, "AXFR", program=program) == []
    got = [line for line in taken(world, "-y", DIG, "AXFR", program=program) if " tsig " not in line]
    assert len(got) == LARGE + 7


# --- over TLS and HTTPS --------------------------------------------------------------------------------------

SECURED = """{transport}://z.test {{
    tls {folder}/cert.pem {folder}/cert.pem
    tsig {{
        secret {key.name} {key.secret} {key.algorithm}
        {more}
    }}
    file {folder}/zone z.test
    transfer {{
        to *
    }}
}}
"""


@pytest.fixture
def secured(world, keys):
    world.write(f"{FOLDER}/cert.pem", (keys / "quad9.pem").read_bytes())

    def start(more=""):
        blocks = [SECURED.format(transport=t, folder=FOLDER, key=KEY, more=more) for t in ("tls", "https")]
        return serve(world, "".join(blocks) + block("whoami"))
    world.start = start
    return world


def kdig(world, *args, key=KEY):
    signed = ("-y", key.dig()) if key else ()
    return world.run("kdig", "@127.0.0.1", "+tls", *signed, "ns.z.test", *args)


def https(world, key=KEY, kind="A"):
    """The answer, with what is said of its signature."""
    query = dns.message.make_query("ns.z.test.", kind)
    ring = {}
    if key:
        query.use_tsig(key.dnspython())
        ring = {key.dnspython().name: key.dnspython()}
    world.write("/run/query", query.to_wire())
    done = world.enter(["curl", "-sk", "--max-time", "10", "-H", "content-type: application/dns-message",
                        "--data-binary", "@/run/query", "https://127.0.0.1/dns-query"], capture_output=True)
    return dns.message.from_wire(done.stdout, keyring=ring, request_mac=query.mac)


def test_over_tls_a_signed_question_has_a_signed_answer(secured):
    secured.start("require A")
    assert re.search(r"status: NOERROR.*TSIG PSEUDOSECTION.*NOERROR", kdig(secured, "A").stdout, re.S)
    assert "status: REFUSED" in kdig(secured, "A", key=None).stdout
    assert "status: NOERROR" in kdig(secured, "TXT", key=None).stdout
    for fault, error in (("name", "BADKEY"), ("algorithm", "BADKEY"), ("secret", "BADSIG")):
        done = kdig(secured, "A", key=WRONG[fault])
        assert "192.0.2.1" not in done.stdout, done.stdout
        assert re.search(rf"NOTAUTH|{error}", done.stdout + done.stderr), (fault, done.stdout, done.stderr)


def test_over_tls_a_zone_is_signed(secured):
    secured.start("require AXFR")
    lines = [line for line in taken(secured, "+tls", "-y", KEY.dig(), "AXFR", program="kdig") if " tsig " not in line]
    assert len(lines) == LARGE + 7
    assert taken(secured, "+tls", "AXFR", program="kdig") == []
    assert taken(secured, "+tls", "-y", WRONG["secret"].dig(), "AXFR", program="kdig") == []


def test_over_https_a_signed_question_has_a_signed_answer(secured, monkeypatch):
    secured.start("require A")
    answer = https(secured)
    assert answer.had_tsig and answer.rcode() == dns.rcode.NOERROR and answer.answer
    assert https(secured, None).rcode() == dns.rcode.REFUSED
    assert https(secured, None, "TXT").rcode() == dns.rcode.NOERROR
    with pytest.raises(dns.tsig.PeerBadKey):
        https(secured, WRONG["name"])
    with pytest.raises(dns.tsig.PeerBadKey):
        https(secured, WRONG["algorithm"])
    with pytest.raises(dns.tsig.PeerBadSignature):
        https(secured, WRONG["secret"])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 1000)
    with pytest.raises((dns.tsig.PeerBadTime, dns.tsig.BadTime)):
        https(secured)


def test_over_https_no_zone_is_transferred(secured):
    secured.start()
    answer = https(secured, kind="AXFR")
    assert answer.rcode() == dns.rcode.REFUSED and not answer.answer
