"""client_auth of a Corefile's tls: who is let in, and what of that changes when certificates and authorities are
exchanged while the program runs."""
import os
import shutil
import signal
import socket
import ssl

import dns.message
import pytest

from coredns import FOLDER, Coredns
from ns import World, wait_for
from test_coredns_edges import framed
from test_doh import encoded, question

NAME = "a.example.org"
ZONE = "$TTL 300\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\na A 192.0.2.10\n"
BLOCK = """{scheme}://example.org {{
    tls {f}/cert.pem {f}/key.pem {f}/ca.pem {{
        client_auth {mode}
    }}
    file {f}/db example.org
}}
"""


def make(world, name, issuer=None):
    """/etc/NAME.pem and its key, an authority or what one has signed."""
    by = ["-CA", f"/etc/{issuer}.pem", "-CAkey", f"/etc/{issuer}-key.pem", "-addext",
          "basicConstraints=critical,CA:FALSE"] if issuer else []
    done = world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", f"/etc/{name}-key.pem", "-out", f"/etc/{name}.pem", "-days", "30", "-subj",
                     f"/CN={name}.test", *by)
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="made", scope="module")
def made_world(keys):
    with World(keys, hosts={}) as world:
        for ca in ("one", "two"):
            make(world, ca)
            make(world, f"client-{ca}", ca)
            make(world, f"server-{ca}", ca)
        world.write(f"{FOLDER}/db", ZONE)
        yield world


@pytest.fixture(name="serve")
def own_server(made):
    """Start a block in this mode."""
    servers = []

    def serve(mode, scheme="tls"):
        install(made, server="one", ca="one")
        servers.append(Coredns(made, BLOCK.format(scheme=scheme, f=FOLDER, mode=mode), ready=False))
        servers[-1].wait_log("^CoreDNS-", 20)
        return servers[-1]
    yield serve
    for s in servers:
        s.stop()


def install(world, server, ca):
    for source, to in ((f"server-{server}.pem", "cert.pem"), (f"server-{server}-key.pem", "key.pem"),
                       (f"{ca}.pem", "ca.pem")):
        world.write(f"{FOLDER}/{to}", world.read(f"/etc/{source}"))


def client(world, who=None, server="one"):
    """Trusts the server's authority, and shows a certificate or none."""
    context = ssl.create_default_context(cafile=world.path(f"/etc/{server}.pem"))
    context.check_hostname = False
    if who:
        context.load_cert_chain(world.path(f"/etc/client-{who}.pem"), world.path(f"/etc/client-{who}-key.pem"))
    return context


def connect(world, context, session=None):
    with world.net():
        return context.wrap_socket(socket.create_connection(("127.0.0.1", 853), timeout=5), session=session)


def answered(tls):
    tls.sendall(framed(NAME, "A"))
    data = tls.recv(65536)
    return len(data) > 2 and str(dns.message.from_wire(data[2:]).answer[0][0]) == "192.0.2.10"


def let_in(world, context, session=None):
    """(is it answered, its session)"""
    try:
        with connect(world, context, session) as tls:
            return answered(tls), tls.session
    except OSError:
        return False, None


@pytest.mark.parametrize("mode, none, other", [
    ("nocert", True, True), ("request", True, True), ("require", False, True), ("verify_if_given", True, False),
    ("require_and_verify", False, False)])
def test_who_is_let_in(serve, mode, none, other):
    world = serve(mode).world
    assert let_in(world, client(world, "one"))[0]
    assert let_in(world, client(world))[0] == none
    assert let_in(world, client(world, "two"))[0] == other


def test_exchanged_while_it_runs(made, serve):
    """Who is connected stays; who comes next meets the new certificate and the new authority, ticket or not."""
    server, world = serve("require_and_verify"), made
    first = client(world, "one")
    good, session = let_in(world, first)
    assert good and session is not None
    assert not let_in(world, client(world, "two"))[0]
    with connect(world, first) as kept:
        assert answered(kept)
        install(world, server="two", ca="two")
        os.kill(server.pid, signal.SIGUSR1)
        server.wait_log("Reloading complete", 20)
        wait_for(lambda: let_in(world, client(world, "two", server="two"))[0], 10, "the new authority")
        assert answered(kept), "a standing connection goes on"
        assert not let_in(world, client(world, "one", server="two"))[0]
        assert not let_in(world, client(world, "two", server="one"))[0], "the server's certificate is the new one"
        assert not let_in(world, first, session)[0], "an old ticket is no way round"
    # one that does not fit changes nothing
    world.write(f"{FOLDER}/key.pem", world.read("/etc/server-one-key.pem"))
    os.kill(server.pid, signal.SIGUSR1)
    server.wait_log("Restart failed: TLS: private key", 20)
    assert let_in(world, client(world, "two", server="two"))[0]


def test_over_https(made, serve):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    serve("require_and_verify", scheme="https")

    def status(*args):
        done = made.run("curl", "-sk", "--http2", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", *args,
                         f"https://127.0.0.1/dns-query?dns={encoded(question())}")
        return done.stdout
    assert status("--cert", "/etc/client-one.pem", "--key", "/etc/client-one-key.pem") == "200"
    assert status("--cert", "/etc/client-two.pem", "--key", "/etc/client-two-key.pem") == "000"
    assert status() == "000"
