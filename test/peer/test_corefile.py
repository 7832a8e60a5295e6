"""Corefiles as people have them: those of the guide, and what the makers of clusters deliver. Each is read unchanged,
what it comes to reads back as the same, and what is not there yet is named by its line."""
import re
import subprocess
from pathlib import Path

import pytest

from ns import HERE, World, program

DATA = HERE / "data" / "corefile"
GUIDE = sorted(p.name for p in DATA.glob("[0-9]*.Corefile"))
DELIVERED = ["kubeadm", "k3s", "kops", "eks", "gke-node", "aks"]
ANCHORS = (". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
           "\n# an own zone\n"
           "internal. IN DS 12345 8 2 ABCD1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890AB\n")


@pytest.fixture(scope="module")
def signet(keys, is_unbound_program):
    with World(keys) as world:
        world.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")
        world.write("/etc/coredns/anchors/anchors", ANCHORS)
        world.write("/etc/coredns/NodeHosts", "192.0.2.9 node-1\n")
        for file in DATA.glob("*.Corefile"):
            world.write(f"/etc/coredns/{file.name}", file.read_bytes())
        yield world


@pytest.fixture(scope="module")
def is_unbound_program():
    if "unbound" in program().name:
        pytest.skip("the packaged program reads no Corefile")


def check(world, file, *args):
    return world.run(program(), "check", f"/etc/coredns/{file}", *args, cwd="/etc/coredns")


def again(world, file):
    """What --dump prints, and what --dump prints of that."""
    first = check(world, file, "--dump")
    assert first.returncode == 0, first.stderr
    world.write("/etc/coredns/again.Corefile", first.stdout)
    second = check(world, "again.Corefile", "--dump")
    assert second.returncode == 0, second.stderr
    return first.stdout, second.stdout


@pytest.mark.parametrize("file", GUIDE)
def test_the_guides_corefiles_are_read_as_they_are(signet, file):
    done = check(signet, file)
    assert done.returncode == 0, done.stderr
    first, second = again(signet, file)
    assert first == second


@pytest.mark.parametrize("name", DELIVERED)
def test_delivered_corefiles_are_read_as_they_are(signet, name):
    done = check(signet, f"{name}.Corefile")
    assert done.returncode == 0, done.stderr
    assert len(re.findall("No files matching import glob pattern", done.stderr)) == (2 if name in ("k3s", "aks") else 0)
    first, second = again(signet, f"{name}.Corefile")
    assert first == second


def test_a_name_meets_the_plugins_in_their_own_order(signet):
    done = check(signet, "13-large-responses.Corefile", "--chain", "www.example.com")
    assert done.returncode == 0, done.stderr
    order = re.findall(r"^    (\w+)", done.stdout, re.M)
    met = [name for name in order if name in ("errors", "cache", "kubernetes", "forward")]
    assert met == ["errors", "cache", "kubernetes", "forward"]
    assert "dns://.:53" in done.stdout


def test_the_guides_corefile_in_unbounds_words(signet):
    done = check(signet, "13-large-responses.Corefile", "--to", "unbound")
    assert done.returncode == 1, "kubernetes has no word there"
    assert "forward-addr: 8.8.8.8@53" in done.stdout and "auto-trust-anchor-file" in done.stdout
    assert re.search(r"13-large-responses\.Corefile:\d+:\d+: warning: kubernetes", done.stderr)
    signet.write("/etc/coredns/translated.conf", done.stdout)
    back = check(signet, "translated.conf")
    assert back.returncode == 0, back.stderr


# --- rows ------------------------------------------------------------------------------------------------------

def words():
    """(directive, word) of every line that may stand in a server block, from the program itself."""
    text = subprocess.run([program(), "help", "options"], capture_output=True, text=True, check=True).stdout
    directive = None
    for line in text[text.index("\nCorefile\n"):].splitlines():
        if match := re.fullmatch(r"    (\S+)", line):
            directive = match.group(1)
            yield directive, None
        elif match := re.match(r"        ([a-z_0-9-]+)( \(argument \d+\))?(:.*)?$", line):
            yield directive, match.group(1)


def test_each_word_of_a_corefile_stands_in_a_test(is_unbound_program):
    root = Path(__file__).resolve().parents[2]
    files = [*root.glob("src/*/*_test.c"), *root.glob("test/peer/*.py"), *root.glob("test/scenario/**/*")]
    told = " ".join(f.read_text(errors="replace") for f in files if f.is_file())
    rows = list(words())
    assert len(rows) > 60
    absent = [f"{directive} {word or ''}" for directive, word in rows
              if not re.search(rf"(?<![\w-]){re.escape(word or directive)}(?![\w-])", told)]
    assert absent == []
