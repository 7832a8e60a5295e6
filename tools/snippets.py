#!/usr/bin/python3
"""Every configuration shown in a document is loaded: fenced blocks marked `unbound.conf` or `Corefile` in *.md,
doc/**/*.md and deploy/**/*.md, and the example files under deploy/, go through `signet check`.   snippets.py SIGNET"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r'^```(unbound\.conf|Corefile)\n(.*?)^```$', re.M | re.S)


def snippets():
    for path in sorted([*ROOT.glob('*.md'), *(ROOT / 'doc').rglob('*.md'), *(ROOT / 'deploy').rglob('*.md')]):
        text = path.read_text()
        for match in FENCE.finditer(text):
            line = text.count('\n', 0, match.start()) + 1
            yield f'{path.relative_to(ROOT)}:{line}', match.group(1), match.group(2)
    for path in sorted((ROOT / 'deploy').rglob('signet.conf')):
        if path.parent.name == 'examples':
            yield str(path.relative_to(ROOT)), 'unbound.conf', path.read_text()


def main(signet):
    if not pathlib.Path(signet).exists():
        print(f'snippets: {signet} is not there, nothing was loaded')
        return 77
    wrong = count = 0
    for where, dialect, text in snippets():
        count += 1
        with tempfile.NamedTemporaryFile('w', suffix='.' + dialect) as file:
            file.write(text)
            file.flush()
            done = subprocess.run([signet, 'check', file.name], capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            wrong += 1
            print(f'{where}: signet check says {done.returncode}:\n{done.stderr}')
    print(f'snippets: {count} loaded, {wrong} refused')
    return 1 if wrong or not count else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
