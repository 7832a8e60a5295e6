"""The test API server's skeleton: TLS with an authority of its own, who asks (bearer token or client certificate), a
table of path prefixes, whole answers and streamed ones. What is served stands in other files of this folder, as
handlers:

  with world.net(world.outside):                  # the listening socket belongs to the namespace it was made in
      api = ApiServer(folder, "192.0.2.2", 6443, names=["kubernetes.default.svc"])
  api.route("/version", lambda request: reply_json({"major": "1"}))
  api.start()
  ... api.asked, api.kubeconfig(), api.close()

A handler gets a Request and gives back a Reply. `body` is bytes, or an iterator of bytes: then it is sent in pieces
(HTTP/1.1 chunked), each as soon as the iterator gives it; request.gone() tells a watch's iterator that its client has
left or the server closes. None as a reply ends the connection without a word. The longest prefix wins; a prefix ends
at a slash or the path's end. `api.before` are handlers asked first, for tests that want trouble: the first that gives
a Reply (or DROP) decides.

A connection is a thread; handlers that share something lock it.
"""
import contextlib
import dataclasses
import http.server
import json
import select
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import keys  # noqa: E402

TOKEN = "test-token-1"
BODY_MAX = 4 << 20
DROP = object()     # of a handler in `before`: the connection ends without an answer


@dataclasses.dataclass
class Reply:
    status: int = 200
    body: object = b""                       # bytes, or an iterator of bytes
    kind: str = "application/json"
    headers: dict = dataclasses.field(default_factory=dict)


def reply_json(value, status=200):
    return Reply(status, json.dumps(value).encode())


def reply_status(code, reason, message, details=None):
    """The object of kind Status that a real API server says no with."""
    return reply_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "reason": reason, "details": details or {}, "code": code}, code)


@dataclasses.dataclass
class Request:
    method: str
    path: str                  # without the query
    query: dict                # of each word the last value
    headers: object            # case-insensitive
    body: bytes
    user: str                  # the token's or certificate's name
    at: float                  # time.monotonic()
    channel: object = None     # the connection

    @property
    def accept(self):
        return self.headers.get("Accept", "")

    def gone(self):
        """True when the client has closed or the server ends: a stream has nobody to speak to."""
        if self.channel is None:
            return False
        if self.channel.server.owner.closing.is_set():
            return True
        sock = self.channel.connection
        try:
            return bool(select.select([sock], [], [], 0)[0] and not sock.pending() and
                        sock.recv(1) == b"")
        except (OSError, ValueError):
            return True


class Channel(http.server.BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        self.request.settimeout(20)
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(600)
        with self.server.lock:
            self.server.live.add(self.request)
        super().setup()

    def finish(self):
        with contextlib.suppress(OSError):
            super().finish()
        with self.server.lock:
            self.server.live.discard(self.request)
        self.request.close()

    def log_message(self, *_):
        pass

    def peer(self):
        """Who asks: the name of a known token or of the client's certificate; None when neither."""
        words = self.headers.get("Authorization", "").split(" ", 1)
        if len(words) == 2 and words[0] == "Bearer":
            return self.server.owner.tokens.get(words[1])
        cert = self.connection.getpeercert() or {}
        names = [v for row in cert.get("subject", ()) for k, v in row if k == "commonName"]
        return names[0] if names else None

    def handle_any(self):
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= BODY_MAX:
            self.close_connection = True
            return
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        request = Request(self.command, url.path, query, self.headers, body, self.peer(), time.monotonic(), self)
        self.send(self.server.owner.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def send(self, reply):
        if reply is None or reply is DROP:
            self.close_connection = True
            return
        whole = isinstance(reply.body, (bytes, bytearray))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if whole:
            self.send_header("Content-Length", str(len(reply.body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            if whole:
                self.wfile.write(reply.body)
                return
            for piece in reply.body:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                    self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            if not whole and hasattr(reply.body, "close"):
                reply.body.close()


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, owner, address, port):
        self.owner, self.tls, self.live, self.lock = owner, owner.context(), set(), threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Channel)

    def server_bind(self):
        # The base class asks the resolver for its own name; there is none here.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, *_):
        pass        # a handshake that failed, a client that left: what tests see is what the client says of it

    def shutdown_request(self, request):
        with contextlib.suppress(OSError):
            request.close()


class ApiServer:
    """Listens at once (the sockets are made here), answers from start() on."""

    def __init__(self, folder, address="127.0.0.1", port=0, names=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.names = ["localhost", *names]
        self.tokens = {TOKEN: "system:serviceaccount:kube-system:coredns"}
        self.open = {"/version", "/healthz", "/livez", "/readyz"}    # answered without a token
        self.routes, self.before, self.asked = {}, [], []
        self.closing = threading.Event()
        self.address = address
        if not (self.folder / "ca.pem").exists():
            self.make_certs()
        self.listener = Listener(self, address, port)
        self.port = self.listener.server_port
        self.thread = None

    # --- certificates ----------------------------------------------------------------------------------------

    def make_certs(self):
        """ca.pem, server.pem and client.pem (CN system:apiserver-test-client), each with its key beside it."""
        where = self.folder
        for name in ("ca", "server", "client"):
            keys.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(where / f"{name}.key"))
        keys.openssl("req", "-x509", "-new", "-key", str(where / "ca.key"), "-out", str(where / "ca.pem"),
                     "-subj", "/CN=test kubernetes", "-days", "30")
        self.certify("server", "kube-apiserver", "serverAuth")
        self.certify("client", "system:apiserver-test-client", "clientAuth")

    def certify(self, name, common, usage):
        """A certificate for the key NAME.key; for the server with the address and names it is reached by."""
        also = [f"IP:{self.address}", "IP:127.0.0.1", *(f"DNS:{n}" for n in self.names)]
        cert = keys.openssl("req", "-x509", "-new", "-key", str(self.folder / f"{name}.key"),
                            "-CA", str(self.folder / "ca.pem"), "-CAkey", str(self.folder / "ca.key"),
                            "-subj", f"/CN={common}", "-days", "30", "-addext", "subjectAltName=" + ",".join(also),
                            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"extendedKeyUsage={usage}")
        (self.folder / f"{name}.pem").write_bytes(cert)

    def context(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        tls.load_verify_locations(self.folder / "ca.pem")
        tls.verify_mode = ssl.CERT_OPTIONAL
        tls.set_alpn_protocols(["http/1.1"])
        return tls

    # --- answering -------------------------------------------------------------------------------------------

    def route(self, prefix, handler):
        self.routes[prefix.rstrip("/")] = handler

    def answer(self, request):
        self.asked.append(request)
        for handler in list(self.before):
            reply = handler(request)
            if reply is not None:
                return reply
        if request.user is None and request.path not in self.open:
            return reply_status(401, "Unauthorized", "Unauthorized")
        path = request.path.rstrip("/")
        while path not in self.routes and path:
            path = path.rpartition("/")[0]
        handler = self.routes.get(path)
        if handler is None:
            return reply_status(404, "NotFound", "the server could not find the requested resource")
        return handler(request)

    # --- life ------------------------------------------------------------------------------------------------

    def start(self):
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05},
                                       daemon=True)
        self.thread.start()
        return self

    def cut(self):
        """End every connection there is, at once; new ones are welcome."""
        with self.listener.lock:
            live = list(self.listener.live)
        for sock in live:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.closing.set()
        if self.thread:
            self.listener.shutdown()
        self.listener.server_close()
        self.cut()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # --- how clients come in ---------------------------------------------------------------------------------

    @property
    def url(self):
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"

    def kubeconfig(self, path=None, user="token", context="test"):
        """Writes a kubeconfig; user is "token", "cert" or "nobody"."""
        users = {"token": {"token": next(iter(self.tokens))}, "nobody": {"token": "wrong"},
                 "cert": {"client-certificate": str(self.folder / "client.pem"),
                          "client-key": str(self.folder / "client.key")}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": context,
                  "clusters": [{"name": "test", "cluster": {
                      "server": self.url, "certificate-authority": str(self.folder / "ca.pem")}}],
                  "users": [{"name": user, "user": users[user]}],
                  "contexts": [{"name": context, "context": {"cluster": "test", "user": user}}]}
        path = Path(path or self.folder / "kubeconfig")
        path.write_text(json.dumps(config, indent=1) + "\n")
        return path

    def service_account(self, folder):
        """The files a pod finds under /var/run/secrets/kubernetes.io/serviceaccount."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(next(iter(self.tokens)))
        (folder / "ca.crt").write_bytes((self.folder / "ca.pem").read_bytes())
        (folder / "namespace").write_text("kube-system")
        return folder
