"""What people are told of answers that cannot be proved: counters by reason, lines in the log, and the clock."""
import os
import re
import time
from pathlib import Path

import dns.flags
import pytest

pytest.importorskip("cryptography")
import twist  # noqa: E402
from ask import ede  # noqa: E402
from evilauth import FORWARD, Lab  # noqa: E402
from keys import DAY  # noqa: E402
from verdict import is_bogus, is_secure  # noqa: E402

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
YEAR = 365 * DAY
LOG = FORWARD + "signet:\n  log-failures: yes\n"
CLOCK = "the clock of this machine looks wrong"


@pytest.fixture(autouse=True)
def ours(is_unbound):
    if is_unbound:
        pytest.skip("the packaged program tells otherwise")


def usual(lab):
    z = lab.zone()
    for name in ("www", "a", "b"):
        z.add(z.name(name), "A", "198.51.100.7")
    return z


def expired(lab, z, name):
    now = int(time.time())
    z.sigs(z.name(name), "A", inception=now - 40 * DAY, expiration=now - 10 * DAY)
    return z.name(name)


def reasons(cost):
    return {re.search('reason="(.*)"', k)[1]: n for k, n in cost.items()
            if k.startswith("signet_validation_failures_total") and n}


def test_failures_are_counted_by_reason(keys):
    with Lab(keys) as lab:
        z, good = usual(lab), usual(lab)
        lab.twist(z.name("a"), "A", twist.forged)
        lab.twist(z.name("b"), "A", twist.stripped())
        with lab.cost() as cost:
            is_bogus(lab.ask(expired(lab, z, "www")), 7)
            is_bogus(lab.ask(z.name("a")), 6)
            is_bogus(lab.ask(z.name("b")), 10)
        assert reasons(cost) == {"signature_expired": 1, "signature_crypto_failed": 1, "no_signatures": 1}
        with lab.cost() as cost:      # the twin: what is proved is no failure
            is_secure(lab.ask(good.name("www")))
        assert reasons(cost) == {}


def test_a_line_has_all_there_is_to_know(keys):
    with Lab(keys, clauses=LOG) as lab:
        z = usual(lab)
        is_bogus(lab.ask(expired(lab, z, "www")), 7)
        line = lab.server.wait_log(r"dnssec: www\.z1\. A cannot be proved")[0]
        assert "signature expired" in line and "EDE 7" in line and "zone z1." in line
        assert re.search(r"key \d+", line) and "answered by 1.1.1.1@53" in line and "warning" in line


def test_many_failures_of_a_zone_are_one_line(keys):
    with Lab(keys, clauses=LOG) as lab:
        z, other = usual(lab), usual(lab)
        for name in ("www", "a", "b"):
            is_bogus(lab.ask(expired(lab, z, name)), 7)
        is_bogus(lab.ask(expired(lab, other, "a")), 7)
        lab.server.wait_log(r"dnssec: a\.z2\. A")
        assert len(lab.server.lines(r"dnssec: .*zone z1\.")) == 1


def test_no_lines_unless_asked_for(keys):
    with Lab(keys) as lab:
        is_bogus(lab.ask(expired(lab, usual(lab), "www")), 7)
        assert not lab.server.lines("dnssec: ")


def test_zones_that_are_run_badly_are_not_the_clocks_fault(keys):
    """Three zones fail by their dates, but others are proved between them."""
    with Lab(keys) as lab:
        good, bad = usual(lab), [usual(lab) for _ in range(3)]
        for name, z in zip(("www", "a", "b"), bad):
            m = is_bogus(lab.ask(expired(lab, z, name)), 7)
            assert not any(CLOCK in text for _, text in ede(m))
            is_secure(lab.ask(good.name(name)))
        assert not lab.server.lines(CLOCK)


def test_many_zones_at_once_are(keys):
    with Lab(keys) as lab:
        zones, good, later = [usual(lab) for _ in range(5)], usual(lab), usual(lab)
        told = []
        for z in zones:
            m = is_bogus(lab.ask(expired(lab, z, "www")), 7)
            told.append(any(CLOCK in text for _, text in ede(m)))
        assert told == [False, False, True, True, True]
        assert len(lab.server.wait_log(f"error: {CLOCK}")) == 1
        is_secure(lab.ask(good.name("www")))      # something is proved: it was not the clock
        m = is_bogus(lab.ask(expired(lab, later, "www")), 7)
        assert not any(CLOCK in text for _, text in ede(m))


@pytest.mark.skipif(not FAKETIME.exists(), reason="not installed: libfaketime")
@pytest.mark.parametrize("years,code,words", [(-1, 8, "not valid yet"), (1, 7, "not valid any more")])
def test_a_clock_that_is_wrong(keys, years, code, words):
    """One line says so, however many names fail, and each client is told as well."""
    if os.environ.get("SIGNET_SANITIZED") == "1":
        pytest.skip("the sanitizers do not stand another preloaded library")
    with Lab(keys, start=False) as lab:
        zones = [usual(lab) for _ in range(4)]
        lab.world.write("/etc/faketime", f"{years * YEAR:+d}")
        lab.start(env={"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": "/etc/faketime",
                       "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        for z in zones:
            m = is_bogus(lab.ask(z.name("www")), code)
            assert any(CLOCK in text for c, text in ede(m) if c == code), ede(m)
        assert len(lab.server.wait_log(f"error: {CLOCK}")) == 1 and lab.server.lines(words)
        assert lab.ask(zones[0].name("www"), flags=dns.flags.RD | dns.flags.CD).answer
