#!/usr/bin/python3
"""Rules of RFCs: what the code cites as `source RFCn s` against the tests that name them, rfcN_s_*. A rule cited and
untested is listed; exits 1 if there is one."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read(pattern):
    for path in sorted((ROOT / 'src').rglob(pattern)):
        yield path.relative_to(ROOT), path.read_text(errors='replace')


def main():
    cited, tested = {}, set()
    for path, text in read('*.[ch]'):
        if path.name.endswith(('_test.c', '_fuzz.c')):
            tested |= {(n, s.replace('_', '.')) for n, s in re.findall(r'\brfc(\d+)_((?:\d+_?)+)', text)}
            continue
        for match in re.finditer(r'source\s+((?:RFC ?\d+ [\d.]+\d|RFC ?\d+ \d+|,|\s|\*)+)', text):
            for number, section in re.findall(r'RFC ?(\d+) ([\d.]*\d)', match.group(1)):
                cited.setdefault((number, section), f'{path}:{text.count(chr(10), 0, match.start()) + 1}')
    tested = {(n, s.strip('.')) for n, s in tested}
    missing = sorted(key for key in cited if key not in tested)
    for number, section in missing:
        print(f'{cited[number, section]}: RFC {number} {section} is cited; no test is named '
              f'rfc{number}_{section.replace(".", "_")}_*')
    print(f'rfc: {len(cited)} rules cited, {len(cited) - len(missing)} of them tested')
    return 1 if missing else 0


if __name__ == '__main__':
    sys.exit(main())
