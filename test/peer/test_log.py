"""The query and reply log: unbound's lines, rotation, folders that are missing."""
import re
import shutil
import time

import pytest

from ask import ask, burst, packet, rcode, send
from ns import CONF_DIR, World, service_user, wait_for
from server import LOG, Server

PREFIX = r"\[\d{10}\] unbound\[\d+:\d+\] "
QUERY = PREFIX + r"query: (?P<client>\S+) (?P<name>\S+) (?P<type>\S+) (?P<class>\S+)"
REPLY = PREFIX + (r"reply: (?P<client>\S+) (?P<name>\S+) (?P<type>\S+) (?P<class>\S+) (?P<rcode>[A-Z]+) "
                  r"(?P<sec>\d+\.\d{6}) (?P<cached>[01]) (?P<size>\d+)")


def lines_of(server, name, kind):
    """The matches of one name's query or reply lines; a line of another shape fails the test."""
    found = []
    for line in server.log().splitlines():
        if f" {kind}: " in line and f" {name} " in line:
            match = re.fullmatch(QUERY if kind == "query" else REPLY, line)
            assert match, f"not the known shape: {line}"
            found.append(match)
    return found


def wait_reply(server, name, count=1):
    wait_for(lambda: len(lines_of(server, name, "reply")) >= count, 5, f"{count} reply lines of {name}")
    return lines_of(server, name, "reply")


def test_query_and_reply_lines(shared):
    shared.rules({"name": "slow.log.com", "delay": 30}, {"name": "none.log.com", "rcode": 3})
    m = ask(shared, "slow.log.com", use_edns=0)
    first = wait_reply(shared.server, "slow.log.com.")[0]
    assert first["client"] == "127.0.0.1" and first["type"] == "A" and first["class"] == "IN"
    assert first["rcode"] == "NOERROR" and first["cached"] == "0" and 0.03 <= float(first["sec"]) < 5
    assert int(first["size"]) == len(m.to_wire())
    ask(shared, "slow.log.com")
    second = wait_reply(shared.server, "slow.log.com.", 2)[1]
    assert second["cached"] == "1" and second["sec"] == "0.000000"
    assert len(lines_of(shared.server, "slow.log.com.", "query")) == 2
    ask(shared, "none.log.com")
    assert wait_reply(shared.server, "none.log.com.")[0]["rcode"] == "NXDOMAIN"
    ask(shared, "six.log.com", server="::1")
    assert wait_reply(shared.server, "six.log.com.")[0]["client"] == "::1"
    ask(shared, "tcp.log.com", tcp=True)
    assert wait_reply(shared.server, "tcp.log.com.")[0]["client"] == "127.0.0.1"


def test_every_line_has_a_known_prefix(shared):
    ask(shared, "prefix.log.com")
    wait_reply(shared.server, "prefix.log.com.")
    for line in shared.server.log().splitlines():
        assert re.match(PREFIX + r"(query|reply|info|notice|warning|error|fatal error|debug): ", line), line


def test_names_in_the_log_cannot_forge_lines(shared):
    raw = b"\x0bbad\n[1] x\t\"" + b"\x04evil\x03com\0"
    assert send(shared, b"\0\1\1\0\0\1\0\0\0\0\0\0" + raw + b"\0\1\0\1")
    got = wait_reply(shared.server, "bad??1??x??.evil.com.")
    assert len(got) == 1


@pytest.mark.parametrize("rrtype,rrclass,shown", [("TYPE65280", "IN", "TYPE65280 IN"), ("TXT", "CH", "TXT CH"),
                                                  ("A", "CLASS9", "A CLASS9")])
def test_odd_types_and_classes(shared, rrtype, rrclass, shown):
    ask(shared, "odd.log.com", rrtype, rdclass=rrclass, timeout=12)
    shared.server.wait_log(f"query: 127.0.0.1 odd.log.com. {shown}$")


def test_a_malformed_question_is_logged_without_a_name(shared):
    send(shared, packet("cut.log.com", "A", 7, False)[:-3])
    shared.server.wait_log(r"reply: 127\.0\.0\.1 - - - FORMERR - - -")


def test_the_case_is_kept_as_sent(shared):
    ask(shared, "CaSe.LoG.com")
    assert wait_reply(shared.server, "CaSe.LoG.com.")


@pytest.mark.ours("looks for a relative -c in another folder when it reloads")
def test_rotation(world, server):
    ask(world, "before.log.com")
    wait_reply(server, "before.log.com.")
    log = world.path(LOG)
    log.rename(log.with_suffix(".1"))
    ask(world, "between.log.com")
    server.hup()
    wait_for(log.exists, 5, "the new log")
    wait_for(lambda: rcode(ask(world, "after.log.com", timeout=1)) == "NOERROR", 5, "an answer")
    wait_reply(server, "after.log.com.")
    assert "before.log.com." in log.with_suffix(".1").read_text()
    assert not lines_of(server, "before.log.com.", "query")


def test_no_line_is_lost_in_a_burst(world, server):
    got = burst(world, [(f"n{i}.d{i % 30}.com", "A") for i in range(1500)], gap=0.01, per_send=32)
    assert got.count(0) == 1500

    def complete():
        text = server.log()
        return len(re.findall(r"query: 127\.0\.0\.1 n\d+\.d\d+\.com\. A IN\n", text)) == 1500 and \
            len(re.findall(r"reply: 127\.0\.0\.1 n\d+\.d\d+\.com\. A IN NOERROR \S+ 0 \d+\n", text)) == 1500
    wait_for(complete, 5, "every line")


def test_a_missing_log_folder(keys):
    """No distribution's package makes /var/log/unbound: the program does, or says loudly where the log goes."""
    with World(keys) as world:
        world.start_hosts()
        shutil.rmtree(world.path("/var/log/unbound"))
        server = Server(world)
        assert rcode(ask(world, "nolog.site.com")) == "NOERROR"
        server.wait_log(r"query: 127\.0\.0\.1 nolog\.site\.com\. A IN")
        if not world.path(LOG).exists():
            assert re.search(r"(?i)/var/log/unbound/unbound\.log", server.stderr())


def test_a_log_that_cannot_be_written(keys):
    with World(keys) as world:
        world.start_hosts()
        world.path(LOG).mkdir(parents=True)
        server = Server(world)
        assert rcode(ask(world, "dirlog.site.com")) == "NOERROR"
        assert re.search(r"(?i)unbound\.log", server.stderr())


def test_the_log_belongs_to_the_service(world, server):
    ask(world, "owner.log.com")
    wait_reply(server, "owner.log.com.")
    status = world.path(LOG).stat()
    assert status.st_uid == service_user()[0] and not status.st_mode & 0o002


@pytest.mark.parametrize("extra,shape", [
    ("log-time-ascii: yes", r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d unbound\[\d+:\d+\] "
                            r"query: 127\.0\.0\.1 x\.site\.com\. A IN"),
    ("log-tag-queryreply: no", r"\[\d{10}\] unbound\[\d+:\d+\] info: 127\.0\.0\.1 x\.site\.com\. A IN"),
    ('log-identity: "mine"', r"\[\d{10}\] mine\[\d+:\d+\] query: 127\.0\.0\.1 x\.site\.com\. A IN"),
    ("log-servfail: yes", r"\[\d{10}\] unbound\[\d+:\d+\] error: SERVFAIL <fail\.site\.com\. A IN>: .+"),
    ("log-queries: no", None),
], ids=lambda v: str(v).split(":")[0] if v else "none")
def test_log_options(world, extra, shape):
    text = world.read(f"{CONF_DIR}/hardening.conf").replace("forward-zone:", f"    {extra}\nforward-zone:", 1)
    server = Server(world, conf=text)
    world.rules({"name": "fail.site.com", "rcode": 2})
    ask(world, "x.site.com")
    if "servfail" in extra:
        ask(world, "fail.site.com", timeout=12)
    server.wait_log(r"x\.site\.com\. A IN NOERROR")
    if shape is None:
        assert not server.lines("query: ")
    else:
        wait_for(lambda: any(re.fullmatch(shape, line) for line in server.log().splitlines()), 3, shape)


def test_the_epoch_is_now(shared):
    ask(shared, "epoch.log.com")
    wait_reply(shared.server, "epoch.log.com.")
    stamp = int(shared.server.lines(r"query: .*epoch\.log\.com")[0][1:11])
    assert abs(stamp - time.time()) < 5
