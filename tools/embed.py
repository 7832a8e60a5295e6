#!/usr/bin/python3
"""Files as C strings, for what a program prints:   embed.py OUT.h FILE...
One table of rows { "file name", "its text" }."""
import pathlib
import sys


def quote(line):
    return '"' + line.replace('\\', '\\\\').replace('"', '\\"').replace('\t', '\\t').replace('\n', '\\n') + '"'


def main(out, files):
    with open(out, 'w') as to:
        to.write('static const struct { const char *name, *text; } embedded[] = {\n')
        for file in map(pathlib.Path, files):
            lines = file.read_text().splitlines(keepends=True)
            to.write(f'\t{{ {quote(file.name)},\n')
            to.writelines(f'\t  {quote(line)}\n' for line in lines)
            to.write('\t},\n')
        to.write('};\n')


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
