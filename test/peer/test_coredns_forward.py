"""A Corefile's forward: whom it asks, in which form, what it hands on, and what each of its lines changes."""
import time
from concurrent.futures import ThreadPoolExecutor

import dns.edns
import dns.flags
import pytest

from ask import ask, ede, rcode, values
from coredns import Coredns, total
from hosts import address_of
from ns import wait_for

A, B = "9.9.9.9", "149.112.112.112"
WAIT_S = 1.9      # shorter than the wait for a server that is gone


def serve(world, to=A, lines="", more="", **options):
    inside = "".join(f"        {line}\n" for line in lines.split("; ") if line)
    return Coredns(world, f".:53 {{\n    forward . {to} {{\n{inside}    }}\n{more}}}\n", **options)


def seen(world, name, **like):
    return [q for q in world.tell("seen", name=name) if all(q[k] == v for k, v in like.items())]


# --- in which form ---------------------------------------------------------------------------------------------

def test_the_clients_form_is_handed_on(world):
    """DO as the client set it, its subnet, CD; and what came back as it is, save that AD is ours to give."""
    serve(world)
    world.rules({"name": "ad.com", "ad": True})
    m = ask(world, "x.ad.com", want_dnssec=True)
    assert values(m) == [address_of("x.ad.com")]
    assert not m.flags & dns.flags.AD and m.flags & dns.flags.RA
    assert seen(world, "x.ad.com")[0]["do"]
    ask(world, "y.ad.com", use_edns=0, options=[dns.edns.ECSOption("192.0.2.0", 24)])
    assert not seen(world, "y.ad.com")[0]["do"] and 8 in seen(world, "y.ad.com")[0]["options"]
    ask(world, "z.ad.com")
    assert not seen(world, "z.ad.com")[0]["do"]


def test_the_transport_follows_the_clients(world):
    serve(world)
    ask(world, "u.com")
    ask(world, "t.com", tcp=True)
    assert [q["proto"] for q in seen(world, "u.com")] == ["udp"]
    assert [q["proto"] for q in seen(world, "t.com")] == ["tcp"]


@pytest.mark.parametrize("line, over", [("force_tcp", "tcp"), ("prefer_udp", "udp")])
def test_one_transport_for_all(world, line, over):
    serve(world, lines=line)
    ask(world, "u.com")
    ask(world, "t.com", tcp=True)
    assert {q["proto"] for q in seen(world, "u.com") + seen(world, "t.com")} == {over}


def test_g03_an_answer_cut_short(world):
    """Handed on as it is to who asked over UDP; with prefer_udp it is asked for again over TCP."""
    serve(world)
    world.rules({"name": "cut.com", "tc": True})
    m = ask(world, "x.cut.com")
    assert m.flags & dns.flags.TC and not m.answer and len(seen(world, "x.cut.com")) == 1


def test_g03_prefer_udp_asks_again(world):
    serve(world, lines="prefer_udp")
    world.rules({"name": "cut.com", "tc": True})
    for tcp in (False, True):
        name = f"{tcp}.cut.com"
        assert values(ask(world, name, tcp=tcp)) == [address_of(name.lower())]
        assert [q["proto"] for q in seen(world, name.lower())] == ["udp", "tcp"]


@pytest.mark.parametrize("code, word", [(5, "REFUSED"), (2, "SERVFAIL"), (4, "NOTIMP"), (3, "NXDOMAIN")])
def test_what_an_upstream_says_is_handed_on(world, code, word):
    serve(world, to=f"{A} {B}")
    world.rules({"name": "says.com", "rcode": code})
    assert rcode(ask(world, "x.says.com")) == word
    assert len(seen(world, "x.says.com")) == 1


def test_g06_a_storm_of_forgeries(world):
    serve(world)
    world.rules({"name": "odd.com", "before": ["wrong_id", "wrong_name", "garbage", "header"], "gap": 50})
    assert values(ask(world, "x.odd.com")) == [address_of("x.odd.com")]


# --- whom ------------------------------------------------------------------------------------------------------

def test_one_of_two_dead(world):
    serve(world, to=f"{A} {B}")
    world.tell("listen", addr=A, on=False)
    for i in range(4):
        begun = time.monotonic()
        assert values(ask(world, f"n{i}.com")) == [address_of(f"n{i}.com")]
        assert time.monotonic() - begun < 2.5


def test_all_dead(world):
    s = serve(world, to=f"{A} {B}", more="    errors\n")
    world.blackhole(A, B)
    m = ask(world, "x.com", use_edns=0)
    assert rcode(m) == "SERVFAIL"
    assert any("i/o timeout" in text or "no healthy proxies" in text for _code, text in ede(m)), m
    assert s.alive()
    world.revive(A, B)
    wait_for(lambda: values(ask(world, "y.com")) == [address_of("y.com")], 20, "an answer")


def test_g01_sequential(world):
    """The first server is asked while it answers; dead, it costs one wait and then none; back, it is asked again."""
    serve(world, to=f"{A} {B}", lines="policy sequential; max_fails 1; health_check 100ms")
    for i in range(5):
        ask(world, f"a{i}.com")
    assert {q["addr"] for i in range(5) for q in seen(world, f"a{i}.com")} == {A}
    world.blackhole(A)
    for i in range(12):
        assert values(ask(world, f"b{i}.com")) == [address_of(f"b{i}.com")]
    begun = time.monotonic()
    for i in range(5):
        ask(world, f"c{i}.com")
    assert time.monotonic() - begun < WAIT_S
    world.revive(A)
    again = (f"d{i}.com" for i in range(100))

    def is_asked():
        name = next(again)
        ask(world, name)
        return [q["addr"] for q in seen(world, name)] == [A]
    wait_for(is_asked, 20, "a question to the first server")


def test_round_robin_and_random(world):
    serve(world, to=f"{A} {B}", lines="policy round_robin; force_tcp",
          more=f"    forward r.com {A} {B} {{\n policy random\n }}\n")
    for i in range(8):
        ask(world, f"n{i}.com")
    by = [q["addr"] for i in range(8) for q in seen(world, f"n{i}.com")]
    assert by.count(A) > 0 and by.count(B) > 0


def test_g07_except(world):
    s = Coredns(world, f".:53 {{\n forward . {A} {{\n except corp.test\n }}\n forward corp.test {B}\n}}\n")
    for name, to in (("corp.test", B), ("x.corp.test", B), ("xcorp.test", A)):
        ask(world, name)
        assert {q["addr"] for q in seen(world, name)} == {to}, name
    assert s.alive()


def test_g04_failover(world):
    serve(world, to=f"{A} {B}", lines="policy sequential; failover SERVFAIL REFUSED")
    world.rules({"name": "bad.com", "addr": A, "rcode": 2}, {"name": "worse.com", "rcode": 5})
    assert values(ask(world, "x.bad.com")) == [address_of("x.bad.com")]
    assert [q["addr"] for q in seen(world, "x.bad.com")] == [A, B]
    assert rcode(ask(world, "x.worse.com")) == "REFUSED"


def test_g05_next(world):
    serve(world, lines="next NXDOMAIN; next_on_nodata", more=f"    forward . {B}\n")
    world.rules({"name": "gone.com", "addr": A, "rcode": 3}, {"name": "none.com", "addr": A, "nodata": True})
    for name in ("x.gone.com", "x.none.com"):
        assert values(ask(world, name)) == [address_of(name)]
        assert [q["addr"] for q in seen(world, name)] == [A, B]


def test_g02_max_concurrent(world):
    s = serve(world, lines="max_concurrent 2", more="    prometheus :9153\n")
    world.rules({"name": "slow.com", "delay": 700})   # the second time it is asked it answers in time
    before = s.metrics()["coredns_forward_max_concurrent_rejects_total"]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: rcode(ask(world, f"n{i}.slow.com")), range(5)))
    assert sorted(got) == ["NOERROR"] * 2 + ["REFUSED"] * 3
    assert s.metrics()["coredns_forward_max_concurrent_rejects_total"] - before == 3
    assert rcode(ask(world, "after.com")) == "NOERROR"


def test_read_timeout(world):
    """What comes later than it does not count; by default two seconds are waited for."""
    serve(world, lines="read_timeout 150ms; max_connect_attempts 2")
    world.rules({"name": "late.com", "delay": 700})
    begun = time.monotonic()
    assert rcode(ask(world, "x.late.com")) == "SERVFAIL"
    assert time.monotonic() - begun < 2 * WAIT_S
    assert len(seen(world, "x.late.com")) == 2


def test_without_read_timeout(world):
    serve(world)
    world.rules({"name": "late.com", "delay": 700})
    assert rcode(ask(world, "x.late.com")) == "NOERROR"


def test_failfast(world):
    """Once the only server counts as down, nobody waits for it."""
    serve(world, lines="failfast_all_unhealthy_upstreams; max_fails 1")
    world.blackhole(A)
    took = []
    for i in range(5):
        begun = time.monotonic()
        assert rcode(ask(world, f"a{i}.com", timeout=8)) == "SERVFAIL"
        took.append(time.monotonic() - begun)
    assert min(took[-2:]) < WAIT_S / 2, took


def test_health_check_asks_what_it_is_told_to(world):
    serve(world, lines="health_check 200ms no_rec domain probe.example; max_fails 1")
    world.blackhole(A)
    ask(world, "a.com")
    world.revive(A)
    wait_for(lambda: seen(world, "probe.example"), 20, "the question of the health check")
    wait_for(lambda: values(ask(world, "b.com")) == [address_of("b.com")], 20, "an answer")


def test_resolv_conf(world):
    world.write("/etc/coredns/upstreams.conf", f"search x.test\nnameserver {A}\nnameserver {B}\nnameserver 1.1.1.1\n")
    serve(world, to="/etc/coredns/upstreams.conf", lines="policy sequential; failover NXDOMAIN")
    world.rules({"name": "gone.com", "rcode": 3})
    ask(world, "x.gone.com")
    assert [q["addr"] for q in seen(world, "x.gone.com")] == [A, B, "1.1.1.1"]


def test_source_address(world):
    """A reply to an address that is not ours would not come; loopback is another network, and nothing is asked."""
    serve(world, lines="source_address 127.0.0.1; read_timeout 200ms; max_connect_attempts 1")
    assert rcode(ask(world, "x.com")) == "SERVFAIL"
    assert not seen(world, "x.com")


# --- over TLS --------------------------------------------------------------------------------------------------

def test_g08_another_name(world):
    """A server that proves another name gets nothing, and there is no way back to clear text."""
    serve(world, to=f"tls://{A}%other.example")
    m = ask(world, "x.com", use_edns=0)
    assert rcode(m) == "SERVFAIL" and any("certificate" in text for _code, text in ede(m)), m
    assert not seen(world, "x.com")


def test_over_tls(world):
    serve(world, to=f"tls://{A}%dns.quad9.net")
    assert values(ask(world, "x.com")) == [address_of("x.com")]
    assert {q["proto"] for q in seen(world, "x.com")} == {"tls"}


def test_tls_servername(world):
    serve(world, to=f"tls://{A} tls://{B}", lines="tls_servername dns.quad9.net")
    assert values(ask(world, "x.com")) == [address_of("x.com")]
    assert {q["proto"] for q in seen(world, "x.com")} == {"tls"}


def test_both_kinds_of_server(world):
    serve(world, to=f"tls://{A}%dns.quad9.net {B}", lines="policy round_robin")
    for i in range(4):
        assert values(ask(world, f"n{i}.com")) == [address_of(f"n{i}.com")]
    assert {q["proto"] for i in range(4) for q in seen(world, f"n{i}.com")} == {"tls", "udp"}


@pytest.mark.parametrize("line, want", [("tls /etc/coredns/stranger.pem", "NOERROR"), ("", "SERVFAIL")])
def test_authorities_of_its_own(world, keys, line, want):
    world.write("/etc/coredns/stranger.pem", (keys / "stranger.pem").read_text())
    world.tell("cert", cert={A: "unknown-quad9"})
    serve(world, to=f"tls://{A}%dns.quad9.net", lines=line)
    assert rcode(ask(world, "x.com")) == want
    assert bool(seen(world, "x.com")) == (want == "NOERROR")


def test_a_certificate_of_its_own(world, keys):
    world.write("/etc/coredns/me.pem", (keys / "cloudflare.pem").read_text())
    serve(world, to=f"tls://{A}%dns.quad9.net", lines="tls /etc/coredns/me.pem /etc/coredns/me.pem")
    assert values(ask(world, "x.com")) == [address_of("x.com")]


# --- with validation -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("more", ["", "    cache 30\n"])
@pytest.mark.parametrize("line", ["", "prefer_udp", "force_tcp"])
def test_what_is_proved(world, keys, line, more):
    world.write("/etc/coredns/anchors", (keys / "root.key").read_text())
    serve(world, lines=line, more="    dnssec {\n validate\n trust-anchor /etc/coredns/anchors\n }\n" + more)
    for _ in range(2):
        m = ask(world, "www.secure", want_dnssec=True)
        assert rcode(m) == "NOERROR" and m.flags & dns.flags.AD, m
        assert not ask(world, "www.secure").flags & dns.flags.AD
        m = ask(world, "www.forged", want_dnssec=True)
        assert rcode(m) == "SERVFAIL" and ede(m), m
        m = ask(world, "x.com", want_dnssec=True, tcp=True)
        assert rcode(m) == "NOERROR" and not m.flags & dns.flags.AD, m


# --- numbers ---------------------------------------------------------------------------------------------------

def test_metrics(world):
    s = serve(world, to=f"{A} {B}", lines="policy sequential", more="    prometheus :9153\n")
    world.rules({"name": "gone.com", "rcode": 3})
    before = s.metrics()
    for i in range(3):
        ask(world, f"n{i}.com")
    ask(world, "x.gone.com")
    ask(world, "t.com", tcp=True)
    ask(world, "t2.com", tcp=True)
    m, to = s.metrics(), f"{A}:53"

    def more(name, **labels):
        return total(m, name, **labels) - total(before, name, **labels)

    assert more("coredns_proxy_request_duration_seconds_count", proxy_name="forward", to=to, rcode="NOERROR") == 5
    assert more("coredns_proxy_request_duration_seconds_count", to=to, rcode="NXDOMAIN") == 1
    assert more("coredns_forward_requests_total", to=to) == 6
    assert more("coredns_forward_responses_total", to=to, rcode="NOERROR") == 5
    assert more("coredns_proxy_conn_cache_misses_total", to=to, proto="udp") == 4
    assert more("coredns_proxy_conn_cache_hits_total", to=to, proto="tcp") >= 0
    assert "coredns_forward_healthcheck_broken_total" in m


# --- what is refused -------------------------------------------------------------------------------------------

REFUSED = [
    ("forward . example.com {c}", "a server's name is not looked up"),
    ("forward . https://9.9.9.9/dns-query {c}", "HTTPS"),
    ("forward . grpc://9.9.9.9 {c}", "'grpc' is not supported as a destination protocol in forward: grpc://9.9.9.9"),
    ("forward . 1.2.3.4.5:x {c}", "not an IP address, file, or valid domain: \"1.2.3.4.5:x\""),
    ("forward . 9.9.9.9 {{\n policy best\n }}", "unknown policy 'best'"),
    ("forward . 9.9.9.9 {{\n colour red\n }}", "unknown property 'colour'"),
    ("forward . 9.9.9.9 {{\n failover NOERROR\n }}", "NoError cannot be used in failover"),
    ("forward . 9.9.9.9 {{\n next NOSUCH\n }}", "NOSUCH is not a valid rcode"),
    ("forward . 9.9.9.9 {{\n expire 20s\n max_age 5s\n }}", "must not be less than expire"),
    ("forward . tls://9.9.9.9%a.example {{\n tls_servername b.example\n }}", "TLS servernames are set"),
    ("forward .", "Wrong argument count"),
    ("forward . " + " ".join(f"10.0.0.{i}" for i in range(1, 17)), "more than 15 TOs configured: 16"),
    ("forward . 9.9.9.9 {{\n doh_method GET\n }}", "doh_method"),
]


@pytest.mark.parametrize("directive, text", REFUSED)
def test_refused(bare, directive, text):
    s = Coredns(bare, ".:53 {\n    " + directive.replace("{c}", "").replace("{{", "{").replace("}}", "}") + "\n}\n",
                ready=False)
    assert s.process.wait(20) == 1
    assert text in s.stderr(), s.stderr()


def test_systemd_resolved_is_told_of(world):
    world.write("/etc/coredns/stub.conf", "nameserver 127.0.0.53\n")
    s = serve(world, to="/etc/coredns/stub.conf")
    assert "/run/systemd/resolve/resolv.conf" in s.stderr()
