"""Links of the chain of trust are asked for ahead of knowing that they are needed: that changes when an answer comes,
never what it is. The same questions to programs that always, never and now and then ask ahead; and what it costs."""
import time

import dns.flags
import pytest

pytest.importorskip("cryptography")
import twist  # noqa: E402
from ask import ask, ede, rcode, values  # noqa: E402
from evilauth import ANCHOR, FORWARD, Lab  # noqa: E402
from evilzone import Key, Nsec3, name_of  # noqa: E402
from ns import wait_for  # noqa: E402
from server import Server  # noqa: E402

ADDR = "198.51.100.7"
HOW_MANY = (100, 0, 50, 20)     # of a hundred guesses: all, none, and some that chance picks
CONF = f"""server:
  port: {{port}}
  num-threads: 1
  trust-anchor-file: {ANCHOR}
  aggressive-nsec: no
  ede: yes
"""
QUICK_S = 1.5                   # an upstream that is silent costs longer


@pytest.fixture(scope="module")
def lab(keys):
    with Lab(keys, start=False) as made:
        made.servers = {n: Server(made.world, conf=CONF.format(port=5300 + i) + f"{FORWARD}signet:\n  ask-ahead: {n}\n",
                                  file=f"ahead{n}.conf", port=5300 + i) for i, n in enumerate(HOW_MANY)}
        made.server = made.servers[100]
        yield made


def said(lab, server, name, rrtype="A"):
    m = ask(lab.world, str(name), rrtype, port=server.port, want_dnssec=True)
    assert m is not None, f"no answer to {name} {rrtype}"
    return (rcode(m), bool(m.flags & dns.flags.AD), tuple(sorted({code for code, _ in ede(m)})),
            tuple(sorted(values(m, rrtype))))


def usual(lab, apex=None, **how):
    z = lab.tree.zone(apex, **how) if apex else lab.zone(**how)
    z.add(z.name("www"), "A", ADDR).add(z.name("*.wild"), "A", ADDR).add(z.name("a.b.c"), "A", ADDR)
    return z.add(z.name("alias"), "CNAME", z.name("www")).add(z.name("old"), "DNAME", f"wild.{z.apex}")


def usual_questions(z):
    return [(z.name(n), "A") for n in ("www", "x.wild", "a.b.c", "alias", "x.old", "nx", "b.c")] + \
        [(z.apex, "DNSKEY"), (z.apex, "DS"), (z.apex, "A"), (z.name("www"), "DS"), (z.name("a.nx"), "DNSKEY")]


def deep(lab, **how):
    z = usual(lab)
    return usual(lab, f"deep.{z.apex}", **how)


def broken_link(lab, rrtype, how):
    """A zone below one whose DS or DNSKEY answers are lied about."""
    z = deep(lab)
    lab.twist(z.apex, rrtype, how)
    return usual_questions(z)


def out_of_date(lab):
    z = deep(lab)
    past = int(time.time()) - 20 * 86400
    z.sigs(z.apex, "DNSKEY", inception=past - 86400, expiration=past)
    return usual_questions(z)


def other_key(lab):
    z = deep(lab)
    z.set_ds(Key().ds(z.apex))
    return usual_questions(z)


def aliases_between(lab):
    zones = [deep(lab) for _ in range(3)] + [usual(lab, denial=None)]
    for a, b in zip(zones, zones[1:]):
        a.add(a.name("next"), "CNAME", b.name("next"))
    zones[-1].add(zones[-1].name("next"), "A", ADDR)
    zones[0].add(zones[0].name("direct"), "CNAME", zones[2].name("www"))
    lab.twist(zones[0].name("bad"), "A", twist.forged)
    zones[0].add(zones[0].name("bad"), "CNAME", zones[1].name("www"))
    return [(zones[0].name(n), "A") for n in ("next", "direct", "bad")]


WORLDS = {
    "a zone": lambda lab: usual_questions(usual(lab)),
    "two zones": lambda lab: usual_questions(deep(lab)),
    "three zones": lambda lab: usual_questions(usual(lab, f"more.{deep(lab).apex}")),
    "nsec3": lambda lab: usual_questions(deep(lab, denial=Nsec3())),
    "opt-out": lambda lab: usual_questions(
        usual(lab, f"sub.{deep(lab, denial=Nsec3(opt_out=True)).apex}", denial=None)),
    "unsigned": lambda lab: usual_questions(deep(lab, denial=None)),
    "below an unsigned one": lambda lab: usual_questions(usual(lab, f"in.{deep(lab, denial=None).apex}")),
    "aliases": aliases_between,
    "ds stripped": lambda lab: broken_link(lab, "DS", twist.stripped()),
    "ds gone": lambda lab: broken_link(lab, "DS", twist.replaced(answer=[])),
    "keys stripped": lambda lab: broken_link(lab, "DNSKEY", twist.stripped()),
    "keys gone": lambda lab: broken_link(lab, "DNSKEY", twist.replaced(answer=[])),
    "keys refused": lambda lab: broken_link(lab, "DNSKEY", twist.replaced(answer=[], rcode=5)),
    "keys failed": lambda lab: broken_link(lab, "DNSKEY", twist.replaced(answer=[], rcode=2)),
    "signatures over keys out of date": out_of_date,
    "another key's DS": other_key,
}


@pytest.mark.parametrize("what", WORLDS)
def test_verdicts_do_not_depend_on_it(lab, what):
    for name, rrtype in WORLDS[what](lab):
        got = {n: said(lab, server, name, rrtype) for n, server in lab.servers.items()}
        assert len(set(got.values())) == 1, f"{name} {rrtype}: {got}"


def test_each_world_has_what_it_says(lab):
    """The worlds above are not all alike."""
    verdicts = {what: [said(lab, lab.server, *qn)[:2] for qn in WORLDS[what](lab)] for what in WORLDS}
    assert ("NOERROR", True) in verdicts["three zones"] and ("NXDOMAIN", True) in verdicts["nsec3"]
    assert ("NOERROR", False) in verdicts["below an unsigned one"]
    assert ("SERVFAIL", False) in verdicts["another key's DS"] and ("SERVFAIL", False) in verdicts["aliases"]


def asked(lab, apex):
    """What was asked about apex and all below it, once what nobody waited for has come too; a set, as a question whose
    answer is late is sent again."""
    found, seen = None, set()
    while found != seen:
        found = seen
        time.sleep(0.3)
        seen = {(n, t) for n, t in list(lab.evil.asked) if name_of(n).is_subdomain(name_of(apex))}
    return seen


def test_links_and_guesses_go_out_with_the_question(lab):
    z = deep(lab)
    up = z.parent.apex
    assert said(lab, lab.servers[100], z.name("www"))[:2] == ("NOERROR", True)
    both = {(str(n), t) for n in (up, z.apex, z.name("www")) for t in ("DS", "DNSKEY")}
    assert asked(lab, up) == both | {(z.name("www"), "A")}


def test_a_silent_guess_holds_up_nothing(lab):
    """No zone stands at www: whether somebody answers for its DS is nobody's business."""
    took = []
    while not took or (took[-1] >= QUICK_S and len(took) < 4):     # a busy machine is not always busy
        z = deep(lab)
        lab.twist(z.name("www"), "DS", lambda m: None)
        begun = time.monotonic()
        assert said(lab, lab.servers[100], z.name("www"))[:2] == ("NOERROR", True)
        took.append(time.monotonic() - begun)
        # The host counts a question when it reads it, which may be after it has answered the one that came with it.
        wait_for(lambda: lab.evil.count(z.name("www"), "DS") > 0, 10, "the guess: without it nothing is shown")
    assert took[-1] < QUICK_S, took


def test_a_forged_guess_is_evidence_of_nothing(lab):
    """The honest twin is the zone's own link, which is looked at."""
    z, broken = deep(lab), deep(lab)
    lab.twist(z.name("www"), "DS", twist.replaced(answer=[], authority=[], rcode=3))
    lab.twist(broken.apex, "DS", twist.stripped())
    assert said(lab, lab.servers[100], z.name("www"))[:2] == ("NOERROR", True)
    assert said(lab, lab.servers[100], broken.name("www"))[:2] == ("SERVFAIL", False)


def test_no_guesses_below_a_zone_with_data(lab):
    z = deep(lab)
    said(lab, lab.servers[100], z.name("www"))
    before = asked(lab, z.apex)
    names = [z.name(f"x{i}.wild") for i in range(5)]
    for name in names:
        said(lab, lab.servers[100], name)
    assert asked(lab, z.apex) - before == {(name, "A") for name in names}


def test_made_up_names_set_off_less(lab):
    """Where nothing is, guesses cease: a question and at most one guess each, not six."""
    z = lab.zone()
    for i in range(20):
        assert said(lab, lab.servers[100], z.name(f"a.b.x{i}"))[:2] == ("NXDOMAIN", True)
    before = asked(lab, z.apex)
    for i in range(20, 30):
        said(lab, lab.servers[100], z.name(f"a.b.x{i}"))
    assert 10 <= len(asked(lab, z.apex) - before) <= 20


def test_what_goes_out_with_a_question_is_bounded(lab):
    name = "a.b.c.d.e.f.g.nowhere."
    before = asked(lab, ".")
    said(lab, lab.servers[100], name)
    assert len(asked(lab, ".") - before) <= 1 + 6
