"""Fixtures: keys once per session, a world per test (or shared), the program under test."""
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import keys as keys_of  # noqa: E402
import ns  # noqa: E402
from server import Server  # noqa: E402

TAIL = 3000     # characters of each log that a failure shows


@pytest.fixture(scope="session")
def keys():
    why = ns.refusal()
    if why:
        pytest.skip(f"needs namespaces: {why}")
    if not ns.program().exists():
        pytest.skip(f"no program to test: {ns.program()} (make builds it)")
    if os.environ.get("SIGNET_TEST_KEYS"):      # run.py makes them once for all files
        yield Path(os.environ["SIGNET_TEST_KEYS"])
        return
    folder = Path(tempfile.mkdtemp(prefix="signet-keys-"))
    yield keys_of.make(folder)
    shutil.rmtree(folder)


@pytest.fixture
def world(keys):
    """A world of this test's own, hosts running."""
    with ns.World(keys) as made:
        yield made.start_hosts()


@pytest.fixture
def server(world):
    """The verbatim hardening.conf under the name unbound."""
    return Server(world)


@pytest.fixture(scope="module")
def shared(keys):
    """One world and one program for tests that leave both as they were; .server is the program."""
    with ns.World(keys) as made:
        made.start_hosts()
        made.server = Server(made)
        yield made


@pytest.fixture(scope="module")
def bare(keys):
    """A world without hosts, for programs that end by themselves."""
    with ns.World(keys) as made:
        yield made


@pytest.fixture
def is_unbound():
    """True when the packaged unbound stands in for the program, to check the tests themselves."""
    return "unbound" in os.path.basename(str(ns.program()))


def needs(*tools):
    """Skip a test, with a line saying so, where a tool is missing."""
    missing = [t for t in tools if not shutil.which(t)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def pytest_configure(config):
    config.addinivalue_line("markers", "ours(why): what this program promises and the packaged unbound 1.17 does not")


def pytest_collection_modifyitems(items):
    if "unbound" not in os.path.basename(str(ns.program())):
        return
    for item in items:
        mark = item.get_closest_marker("ours")
        if mark:
            item.add_marker(pytest.mark.xfail(reason=f"unbound 1.17: {mark.args[0]}", strict=False))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the program and the hosts said."""
    report = (yield).get_result()
    world = next((w for w in (getattr(item, "funcargs", {}).get(k) for k in ("world", "shared")) if w), None)
    if report.when != "call" or not report.failed or world is None or world.ended:
        return
    for path in (*sorted(world.dir.glob("stderr-*")), world.path("/var/log/unbound/unbound.log"),
                 world.dir / "hosts.log"):
        if path.is_file() and path.stat().st_size:
            report.sections.append((f"end of {path.name}", path.read_text(errors="replace")[-TAIL:]))
