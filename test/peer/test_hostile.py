"""What would end the program, stop it, or make it say what it must not: bursts into a dead network, clients that do
not read, strangers, configurations that forbid."""
import os
import resource
import signal
import socket
import ssl
import struct
import threading
import time

import pytest

from ask import ask, burst, frames, packet, rcode, send, stream
from ns import service_user
from server import Server

NOWHERE = "2001:db8:dead::1"
FORWARD_NOWHERE = f"""server:
\tinterface: 127.0.0.1
\tnum-threads: 1
\tnum-queries-per-thread: 4096
\tso-rcvbuf: 4m
forward-zone:
\tname: "."
\tforward-addr: {NOWHERE}
"""
PLAIN = """server:
\tinterface: 127.0.0.1
\tnum-threads: 1
\tdo-not-query-localhost: {local}
\t{more}
forward-zone:
\tname: "."
\tforward-addr: 1.1.1.1
"""


def cpu_of(pid):
    """Seconds of processor time so far."""
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def message(name, ident=7, rrtype="A"):
    data = packet(name, rrtype, ident)
    return struct.pack("!H", len(data)) + data


@pytest.mark.ours("not tried")
def test_a_burst_into_a_network_that_is_gone(world):
    """Every send fails at once; a turn full of them ends nobody."""
    world.ip(world.inside, ["route del ::/0 via fd00:2::2"])
    server = Server(world, FORWARD_NOWHERE, file="nowhere.conf")
    os.kill(server.pid, signal.SIGSTOP)      # so that one turn takes them all
    with world.net(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for i in range(500):
            sock.sendto(packet(f"n{i}.d{i}.com", "A", i), ("127.0.0.1", 53))
        os.kill(server.pid, signal.SIGCONT)
        time.sleep(0.5)
    assert rcode(ask(world, "one.more.com")) == "SERVFAIL"
    assert server.alive() and server.stop() == 0


def test_an_end_while_it_starts(world):
    """SIGTERM that waits when the threads begin ends them in order."""
    many = PLAIN.format(local="no", more="").replace("num-threads: 1", "num-threads: 16")
    for _ in range(12):
        server = Server(world, many, file="many.conf", ready=False)
        end = time.monotonic() + 10
        while time.monotonic() < end:      # until it takes its signals itself
            with open(f"/proc/{server.pid}/status") as f:
                if int(next(line for line in f if line.startswith("SigBlk")).split()[1], 16) >> 14 & 1:
                    break
        os.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(15) == 0, server.stderr()


@pytest.mark.ours("asks the servers of another zone")
def test_forbidden_servers_send_a_zone_nowhere_else(world):
    """A zone all of whose servers may not be asked fails; its names do not go to the zone above."""
    conf = PLAIN.format(local="yes", more="") + 'forward-zone:\n\tname: "corp.com"\n\tforward-addr: 127.0.0.1@5353\n'
    Server(world, conf, file="corp.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    assert rcode(ask(world, "secret.corp.com")) == "SERVFAIL"
    assert not [name for name in world.counts()["questions"] if "corp" in name]


def test_strangers_get_no_errors_either(world):
    """access-control speaks before a packet's faults do: who is denied hears nothing, who is refused REFUSED."""
    conf = PLAIN.format(local="no", more="access-control: 127.0.0.2/32 deny\n\taccess-control: 127.0.0.3/32 refuse")
    Server(world, conf, file="strangers.conf")
    good = packet("www.site.com", "A", 9)
    notify, two = good[:2] + b"\x20\x00" + good[4:], good[:5] + b"\x02" + good[6:]
    axfr = packet("www.site.com", "A", 9, edns=False)[:-4] + b"\x00\xfc\x00\x01"
    for bad in (notify, two, axfr, good[:20]):
        assert send(world, bad, timeout=0.5)[3] & 15 in (1, 4, 5)
        assert send(world, bad, timeout=0.3, source="127.0.0.2") is None
        assert send(world, bad, timeout=0.5, source="127.0.0.3")[3] & 15 == 5


@pytest.mark.ours("reads one at a time")
def test_a_pipeline_longer_than_what_is_kept(world):
    """Answers wait for the client to read; it is no reason to end the connection."""
    server = Server(world, PLAIN.format(local="no", more="tcp-idle-timeout: 10000"), file="plain.conf")
    world.rules({"name": "big.com", "big": 1200})
    assert rcode(ask(world, "x.big.com", "TXT", tcp=True)) == "NOERROR"
    count = 3000
    with stream(world, timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sock.setblocking(False)
        data, sent = b"".join(message("x.big.com", i, "TXT") for i in range(count)), 0
        end = time.monotonic() + 1
        while sent < len(data) and time.monotonic() < end:
            try:
                sent += sock.send(data[sent:])
            except BlockingIOError:
                time.sleep(0.01)
        sock.setblocking(True)
        sock.settimeout(5)
        whole = sent // len(message("x.big.com", 0, "TXT"))
        assert whole > 500
        got = frames(sock, whole)
        assert len(got) == whole, (len(got), whole)
    assert server.alive()


@pytest.mark.ours("not tried")
def test_a_busy_stream_is_not_a_slow_one(world):
    """Whole messages come all the time; that reads end within one is no slowness."""
    Server(world, PLAIN.format(local="no", more=""), file="plain.conf")
    one = message("www.site.com")
    with stream(world, timeout=5) as sock:
        sock.sendall(one[:9])
        for _ in range(70):
            time.sleep(0.1)
            sock.sendall(one[9:] + one[:9])
            assert len(frames(sock, 1)) == 1


def dot_conf(world, threads):
    """DNS over TLS for the world's own clients, with a certificate that stands at hand."""
    pem = (world.keys / "cloudflare.pem").read_text()
    world.write("/etc/unbound/dot.pem", pem)
    os.chown(world.path("/etc/unbound/dot.pem"), *service_user())
    return PLAIN.format(local="no", more="interface: 127.0.0.1@853\n\ttls-port: 853\n\t"
                        "tls-service-pem: /etc/unbound/dot.pem\n\ttls-service-key: /etc/unbound/dot.pem").replace(
                            "num-threads: 1", f"num-threads: {threads}")


def tls_client(world, context, session=None):
    sock = stream(world, port=853)
    return context.wrap_socket(sock, server_hostname="cloudflare-dns.com", session=session)


@pytest.mark.ours("each thread knows its own tickets alone")
def test_every_thread_knows_a_tls_client_again(world):
    Server(world, dot_conf(world, 4), file="dot.conf")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session, known = None, 0
    for i in range(24):
        with tls_client(world, context, session) as sock:
            sock.sendall(message("www.site.com"))
            assert len(frames(sock, 1)) == 1
            known += sock.session_reused
            session = sock.session
    assert known == 23


@pytest.mark.ours("not tried")
def test_no_descriptors_is_no_reason_to_spin(world):
    """Who waits for a connection waits on; the program sleeps meanwhile, and takes it when it can."""
    server = Server(world, PLAIN.format(local="no", more="username: \"\""), file="plain.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (4, limits[1]))
    with stream(world) as sock:
        sock.sendall(message("www.site.com"))
        time.sleep(1.2)     # the kernel keeps an empty connection back for a second
        before = cpu_of(server.pid)
        time.sleep(1.5)
        used = cpu_of(server.pid) - before
        assert used < 0.5
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        assert len(frames(sock, 1)) == 1


@pytest.mark.ours("not tried")
def test_a_false_host_is_told_why(world):
    """The alert goes out before the connection ends (RFC8446 6.2): the host hears more than a lost connection."""
    with world.net(world.outside), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        world.ip(world.outside, [world.address("add", "1.1.1.9")])
        listener.bind(("1.1.1.9", 853))
        listener.listen(8)
        listener.settimeout(10)
        conf = ('server:\n\tinterface: 127.0.0.1\n\ttls-cert-bundle: /etc/ssl/certs/ca-certificates.crt\n'
                'forward-zone:\n\tname: "."\n\tforward-tls-upstream: yes\n'
                '\tforward-addr: 1.1.1.9@853#cloudflare-dns.com\n')
        Server(world, conf, file="tls.conf")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(world.keys / "wrong.pem")
        asker = threading.Thread(target=ask, args=(world, "www.site.com"), kwargs={"timeout": 3})
        asker.start()
        sock, _ = listener.accept()
        with pytest.raises(ssl.SSLError, match="alert"), context.wrap_socket(sock, server_side=True) as tls:
            tls.settimeout(5)
            tls.recv(1)
        asker.join()


def test_a_reload_forgets_no_connection(world):
    """Connections from before a reload count toward tcp-connection-limit after it."""
    server = Server(world, PLAIN.format(local="no", more="tcp-connection-limit: 127.0.0.1/32 2"), file="limit.conf")

    def answered(sock):
        try:
            sock.sendall(message("www.site.com"))
        except OSError:
            return False
        return len(frames(sock, 1)) == 1
    with stream(world) as one, stream(world) as two:
        assert answered(one) and answered(two)
        server.hup()
        server.wait_log("configuration reloaded")
        assert answered(one) and answered(two)
        with stream(world) as three:
            assert not answered(three)
        with stream(world, source="127.0.0.2") as other:
            assert answered(other)
