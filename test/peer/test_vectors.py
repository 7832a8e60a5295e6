"""src/wire/vectors.txt is what dnspython, ldns and BIND say today, on this machine, too."""
import ast
import importlib.util
import os

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPEC = importlib.util.spec_from_file_location('vectors', os.path.join(ROOT, 'tools', 'vectors.py'))
vectors = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(vectors)


def recorded():
    with open(vectors.FILE) as f:
        return [ast.literal_eval('[' + line[len('VECTOR('):-2] + ']') for line in f if line.startswith('VECTOR(')]


def test_every_row_has_a_vector():
    kinds = {row[0] for row in recorded()}
    assert set(vectors.rows()) <= kinds


@pytest.mark.skipif(vectors.absent() != [], reason='absent: ' + ', '.join(vectors.absent()))
@pytest.mark.parametrize('row', recorded(), ids=lambda row: '%s %.40s' % (row[0], row[1]))
def test_vector(row):
    kind, text, wire, canonical = row
    number = vectors.rows().get(kind) or int(kind[4:])
    assert vectors.judge(kind, text, number)[:2] == (wire, canonical)
