"""The test API server judged by curl and, where there is one, kubectl: its tests' tests."""
import subprocess
import time

import pytest
from apiserver.server import TOKEN, ApiServer, Reply, reply_json

curl_there = pytest.mark.skipif(subprocess.run(["which", "curl"], capture_output=True).returncode != 0,
                                reason="not installed: curl")


@pytest.fixture
def api(tmp_path):
    with ApiServer(tmp_path / "api") as made:
        made.route("/version", lambda request: reply_json({"major": "1", "minor": "32"}))
        made.route("/api/v1/things", lambda request: reply_json({"user": request.user, "query": request.query}))
        yield made


def curl(api, path, *words):
    return subprocess.run(["curl", "-sS", "-m", "10", "--cacert", api.folder / "ca.pem", "-w", "\n%{http_code}", *words,
                           api.url + path], capture_output=True, text=True, timeout=20, check=False)


@curl_there
def test_who_may_ask(api):
    good = ["-H", f"Authorization: Bearer {TOKEN}"]
    cert = ["--cert", api.folder / "client.pem", "--key", api.folder / "client.key"]
    assert curl(api, "/version").stdout.endswith("200")
    assert curl(api, "/api/v1/things").stdout.endswith("401")
    assert curl(api, "/api/v1/things", "-H", "Authorization: Bearer no").stdout.endswith("401")
    assert "system:serviceaccount:kube-system:coredns" in curl(api, "/api/v1/things?a=b", *good).stdout
    assert "system:apiserver-test-client" in curl(api, "/api/v1/things/below", *cert).stdout
    assert curl(api, "/api/v1/thingsbeside", *good).stdout.endswith("404")
    assert [r.path for r in api.asked][:2] == ["/version", "/api/v1/things"]


@curl_there
def test_streams_piece_by_piece_and_ends(api):
    left = []

    def watch(request):
        def pieces():
            for i in range(3):
                yield b"%d\n" % i
            deadline = time.monotonic() + 10
            while not request.gone() and time.monotonic() < deadline:
                time.sleep(0.02)
            left.append(request.gone())
        return Reply(body=pieces())
    api.route("/watch", watch)
    reader = subprocess.Popen(["curl", "-sSN", "--cacert", api.folder / "ca.pem", "-H",
                               f"Authorization: Bearer {TOKEN}", api.url + "/watch"], stdout=subprocess.PIPE)
    assert [reader.stdout.readline() for _ in range(3)] == [b"0\n", b"1\n", b"2\n"]
    assert left == []
    reader.terminate()
    reader.communicate()
    deadline = time.monotonic() + 10
    while not left and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == [True]


@curl_there
def test_trouble_first(api):
    api.before.append(lambda request: Reply(503, b"busy") if request.path == "/version" else None)
    assert curl(api, "/version").stdout == "busy\n503"
