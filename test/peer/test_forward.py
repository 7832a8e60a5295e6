"""Forwarding over plain UDP and TCP against hosts that lie: spoofing, near misses, odd replies, weak matching."""
import struct

import dns.flags
import pytest

from ask import ask, burst, rcode, values
from hosts import POISON, address_of
from test_cache import BASE, plain
from server import Server

POISONED = ".".join(map(str, POISON))
FOUR = "forward-zone:\n  name: \".\"\n" + "".join(f"  forward-addr: {a}\n" for a in
                                                  ("1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112"))


def sent(world, name, proto="udp"):
    return [q for q in world.tell("seen", name=name) if q["proto"] == proto]


# A8: a reply that is no well-formed matching response is as if it had not come.
IGNORED = ["wrong_id", "wrong_name", "wrong_type", "wrong_class", "opcode", "qr0", "garbage", "header", "short",
           "other_port", "other_addr"]


@pytest.mark.ours("gives up on a reply it cannot read")
@pytest.mark.parametrize("lie", IGNORED)
def test_one_odd_reply_changes_nothing(world, lie):
    plain(world)
    world.rules({"name": "odd.com", "before": [lie], "gap": 50})
    m = ask(world, "x.odd.com")
    assert values(m) == [address_of("x.odd.com")], f"{lie}: {m}"
    assert POISON not in m.to_wire() and POISONED not in str(m)
    assert len(sent(world, "odd.com")) == 1 and not sent(world, "odd.com", "tcp")


@pytest.mark.parametrize("lie", ["refused", "formerr", "servfail"])
def test_an_early_refusal_costs_no_client_the_answer(world, lie):
    """A forged refusal may make the resolver ask again, never give up or fall for the poison."""
    plain(world)
    world.rules({"name": "odd.com", "before": [lie], "gap": 50, "times": 1})
    assert values(ask(world, "x.odd.com")) == [address_of("x.odd.com")]
    assert len(world.tell("seen", name="odd.com")) <= 4


def test_truncated_reply_without_a_match_is_ignored(world):
    plain(world)
    world.rules({"name": "odd.com", "before": ["wrong_id", "other_port"], "gap": 50, "tc": True, "proto": "udp"})
    assert values(ask(world, "x.odd.com")) == [address_of("x.odd.com")]
    assert len(sent(world, "odd.com", "tcp")) == 1


@pytest.mark.ours("keeps listening while wrong ids pour in")
def test_many_wrong_ids_bring_tcp(world):
    """A7: the third wrong id from the right address starts TCP beside the wait."""
    plain(world)
    world.rules({"name": "flood.com", "proto": "udp", "before": ["wrong_id"] * 20, "gap": 600})
    m = ask(world, "x.flood.com")
    assert values(m) == [address_of("x.flood.com")]
    assert len(sent(world, "flood.com", "tcp")) == 1 and len(sent(world, "flood.com")) <= 2


def test_two_wrong_ids_do_not(world):
    plain(world)
    world.rules({"name": "flood.com", "proto": "udp", "before": ["wrong_id"] * 2, "gap": 100})
    assert values(ask(world, "x.flood.com")) == [address_of("x.flood.com")]
    assert not sent(world, "flood.com", "tcp")


def test_equal_questions_open_one_window(world):
    """A2: five hundred equal misses are one question upstream."""
    plain(world)
    ask(world, "warm.com")
    world.rules({"name": "equal.com", "delay": 250})
    got = burst(world, [("x.equal.com", "A")] * 200)
    assert got.count(0) == 200
    assert len(world.tell("seen", name="equal.com")) == 1


def test_ports_and_ids_are_spread(world):
    """A1: a new port and a new id for each question, in no order."""
    plain(world)
    got = burst(world, [(f"n{i}.d{i % 30}.com", "A") for i in range(400)], gap=0.004, per_send=4)
    assert got.count(0) == 400
    seen = sent(world, "com")
    ports, ids = [q["source"] for q in seen], [q["id"] for q in seen]
    assert len(set(ports)) > 380 and len(set(ids)) > 380
    assert max(ports) - min(ports) > 30000 and max(ids) - min(ids) > 50000 and min(ports) > 1023
    for numbers in (ports, ids):
        rising = sum(b > a for a, b in zip(numbers, numbers[1:]))
        assert 120 < rising < 280, "the order can be told"


def test_upstream_questions_are_small_and_ask_for_little(world):
    """A5: EDNS 1232 at most, nothing of the client's options passed on."""
    from dns.edns import GenericOption
    plain(world)
    ask(world, "edns.com", payload=4096, use_edns=0, options=[GenericOption(65001, b"secret"),
                                                           GenericOption(8, b"\0\1\x18\0\xc6\x33\x64")])
    for q in sent(world, "edns.com"):
        assert q["edns"] and q["size"] <= 1232 and 65001 not in q["options"] and 8 not in q["options"]


def test_tc_goes_to_tcp(world):
    plain(world)
    world.rules({"name": "big.com", "big": 8000})
    m = ask(world, "x.big.com", "TXT", tcp=True)
    assert len(m.answer[0]) == 40
    assert len(sent(world, "big.com")) == 1 and len(sent(world, "big.com", "tcp")) == 1


def test_a_host_without_edns(world):
    plain(world)
    world.rules({"name": "old.com", "noedns": True})
    assert values(ask(world, "x.old.com")) == [address_of("x.old.com")]
    assert not all(q["edns"] for q in world.tell("seen", name="old.com"))


@pytest.mark.ours("drops answers that come late")
@pytest.mark.parametrize("row", [{"silent": True}, {"rcode": 5}, {"rcode": 2}, {"mutate": "garbage"}],
                         ids=["silent", "refused", "servfail", "garbage"])
def test_another_host_answers(world, row):
    plain(world, clauses=FOUR)
    world.rules({"name": "some.com", "addr": "1.1.1.1", **row}, {"name": "some.com", "addr": "9.9.9.9", **row})
    got = burst(world, [(f"n{i}.some.com", "A") for i in range(20)], timeout=10)
    assert got.count(0) == 20


@pytest.mark.ours("asks for longer")
def test_a_silent_host_is_asked_few_times(world):
    """A9: bounded tries, a new port and id for each, then SERVFAIL that is kept."""
    plain(world)
    world.rules({"name": "silent.com", "silent": True})
    assert rcode(ask(world, "x.silent.com", timeout=12)) == "SERVFAIL"
    seen = world.tell("seen", name="silent.com")
    assert len(seen) <= 8 and len({q["source"] for q in seen}) == len(seen) == len({q["id"] for q in seen})
    assert seen[-1]["at"] - seen[0]["at"] <= 8
    assert rcode(ask(world, "x.silent.com", timeout=12)) == "SERVFAIL"
    assert len(world.tell("seen", name="silent.com")) == len(seen)


def test_tcp_upstreams(world):
    plain(world, clauses="forward-zone:\n  name: \".\"\n  forward-tcp-upstream: yes\n  forward-addr: 1.1.1.1\n")
    got = burst(world, [(f"n{i}.tcp.com", "A") for i in range(50)])
    assert got.count(0) == 50
    counts = world.counts()
    assert counts["by_proto"].keys() == {"tcp"} and counts["connects"]["1.1.1.1 tcp"] <= 10


@pytest.mark.parametrize("close", ["before", "mid"])
def test_tcp_that_breaks(world, close):
    plain(world, clauses="forward-zone:\n  name: \".\"\n  forward-tcp-upstream: yes\n  forward-addr: 1.1.1.1\n")
    world.rules({"name": "break.com", "close": close, "times": 1})
    assert values(ask(world, "x.break.com", timeout=12)) == [address_of("x.break.com")]


def test_ipv6_upstream(keys):
    from ns import World
    with World(keys, hosts={"2606:4700:4700::1111": "cloudflare"}) as world:
        world.start_hosts()
        plain(world, clauses="forward-zone:\n  name: \".\"\n  forward-addr: 2606:4700:4700::1111\n")
        assert values(ask(world, "x.six.com")) == [address_of("x.six.com")]


def test_ipv6_upstream_over_tls(keys):
    from ns import World
    with World(keys, hosts={"2606:4700:4700::1111": "cloudflare"}) as world:
        world.start_hosts()
        plain(world, "tls-cert-bundle: /etc/ssl/certs/ca-certificates.crt",
              "forward-zone:\n  name: \".\"\n  forward-tls-upstream: yes\n"
              "  forward-addr: 2606:4700:4700::1111@853#cloudflare-dns.com\n")
        assert values(ask(world, "x.six.com")) == [address_of("x.six.com")]
        assert world.counts()["by_proto"].keys() == {"tls"}


def test_records_off_the_chain_are_not_kept(world):
    """B1: what an answer brings along about another name is never served."""
    plain(world)
    world.rules({"name": "x.chain.com", "cname": ["y.chain.com"], "a": ["198.51.100.5"]},
                {"name": "y.chain.com", "a": ["198.51.100.5"]})
    assert values(ask(world, "x.chain.com")) == ["198.51.100.5"]
    assert values(ask(world, "z.chain.com")) == [address_of("z.chain.com")]


def test_alias_loops_end(world):
    plain(world)
    world.rules({"name": "a.loop.com", "cname": ["b.loop.com"], "nodata": False, "a": []},
                {"name": "b.loop.com", "cname": ["a.loop.com"], "a": []})
    m = ask(world, "a.loop.com", timeout=12)
    assert m is not None and not values(m)
    assert len(world.tell("seen", name="loop.com")) <= 30


def test_a_host_at_loopback_is_not_asked(world):
    """do-not-query-localhost: yes, the default."""
    Server(world, conf=BASE.replace("  do-not-query-localhost: no\n", "") + "forward-zone:\n  name: \".\"\n"
           "  forward-addr: 127.0.0.9\n", file="plain.conf")
    with world.net():
        import socket
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.9", 53))
        sock.settimeout(0.2)
    assert rcode(ask(world, "x.site.com", timeout=12)) == "SERVFAIL"
    with sock, pytest.raises(OSError):
        sock.recv(512)


@pytest.mark.ours("gives up on a reply it cannot read")
def test_forged_length_fields_upstream(world):
    """Counts that promise more than the message holds."""
    plain(world)
    world.rules({"name": "liar.com", "before": ["header", "garbage", "short"], "gap": 60})
    for i in range(5):
        assert values(ask(world, f"n{i}.liar.com")) == [address_of(f"n{i}.liar.com")]


def test_rd_and_cd_go_upstream_as_they_should(world):
    plain(world)
    ask(world, "flags.com", flags=0x0110)
    assert all(q["flags"] & 0x100 and not q["flags"] & 0x8000 for q in sent(world, "flags.com"))
    m = ask(world, "flags2.com", flags=0x0110)
    assert m.flags & dns.flags.CD and struct.unpack("!H", m.to_wire()[2:4])[0] & 0x40 == 0
