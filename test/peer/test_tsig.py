"""Signed questions and answers (plugin tsig, RFC 8945): dnspython, dig and kdig hold the other end."""
import time

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import pytest

import ns
from conftest import needs
from zonepeers import FOLDER, KEY, block, serve, taken, zone

pytestmark = needs("dig", "kdig")

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
