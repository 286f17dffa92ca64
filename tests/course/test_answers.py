"""What is taken from a notebook: a function, what it needs, and nothing that would run."""

import json
import time

import jupytext
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bigmodel_edu.course.answers import NoNotebook, answer, code_cells


def ipynb(*cells: str) -> bytes:
    found = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"cells": found}).encode()


def taken(*cells: str, name: str = "f") -> dict:
    """Run what is taken for `name`, and return the namespace."""
    found = answer(ipynb(*cells), False, name)
    namespace: dict = {}
    exec(found.source, namespace)
    return namespace


@pytest.mark.parametrize(
    "cells",
    [
        ["def f(): return 5"],
        ["f = lambda: 5"],
        ["f: object = lambda: 5"],
        ["class f:\n    def __new__(cls): return 5"],
        ["async def g(): ...\ndef f(): return 5"],
        ["FIVE = 5", "def f(): return FIVE"],
        ["def f(): return FIVE", "FIVE = 5"],
        ["ONE, (TWO, THREE) = 1, (2, 3)\ndef f(): return TWO + THREE"],
        ["def f(): return g()", "def g(): return h()", "h = lambda: 5"],
        ["import math as m\ndef f(): return m.floor(5.5)"],
        ["import os.path\ndef f(): return os.path and 5"],
        ["from math import floor as down\ndef f(): return down(5.5)"],
        ["from math import *\ndef f(): return floor(5.5)"],
        ["def twice(g): return lambda: 2 * g()\n@twice\ndef f(): return 2.5"],
        ["import functools\n@functools.cache\ndef f(): return 5"],
        ["class A:\n    x = 5\nclass B(A): ...\ndef f(): return B.x"],
        ["D = 5\ndef f(x=D): return x"],
        ["D = int\ndef f(x: D = 5) -> D: return x"],
        ["n = 4\ndef f():\n    global n\n    n += 1\n    return n"],
        ["def f(): return [g(i) for i in [5]][0]\ndef g(i): return i"],
        ["def f(): return globals()['FIVE']", "FIVE = 5"],
        ["def f(): return eval('FIVE')", "FIVE = 5"],
        ["try:\n    import no\nexcept ImportError:\n    no = None\ndef f(): return no or 5"],
        ["if True:\n    FIVE = 5\nelse:\n    FIVE = 6\ndef f(): return FIVE"],
        ["x = 1; FIVE = 5; y = 2", "def f(): return FIVE"],
        ["def f(n=5): return n if n == 5 else f(n - 1)"],
        ["def f(): return 4", "def f(): return 5"],
        ["def f(): return 5", "def f(): ..."],
        ["def f(): return 5", "def f():\n    'Do it.'\n    raise NotImplementedError()"],
        ["def f(): return 5", "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError"],
        ["%%time\ndef f(): return 5"],
        ["%load_ext x\n!ls\ndef f(): return 5\nf?"],
        ["def f():\n    %time 1\n    return 5"],
        ["files = !ls\ndef f(): return 5"],
        ["é = 5\ndef f(): return é"],
        ["def f(): return '''a\nb''' and 5\r\n"],
        ["def f(:", "def f(): return 5", "1 +", "\x00"],
        ["%%bash\ndef f(): return 4", "def f(): return 5"],
        ["{'a': 1}", "def f(): return 5", "f() + 1"],
    ],
)
def test_a_function_and_what_it_needs(cells):
    assert taken(*cells)["f"]() == 5


@pytest.mark.parametrize(
    "cells",
    [
        ["raise SystemExit"],
        ["for i in range(3): bad = i"],
        ["while True: pass"],
        ["with open('x') as file: bad = 1"],
        ["print(bad := 1)"],
        ["bad = train()"],
        ["bad = 1\ndel bad"],
        ["x = [0]\nx[0] = bad = 1"],
        ["bad.y = 1"],
        ["bad += 1"],
        ["if True:\n    print('x')\n    bad = 1"],
        ["assert False, 'bad'"],
        ["input()"],
        ["class bad:\n    return 5"],
    ],
)
def test_what_a_function_does_not_need_is_left(cells):
    namespace = taken(*cells, "def f(): return 5")
    assert namespace["f"]() == 5
    assert "bad" not in namespace


@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("for i in range(5):\n    T.append(i)", "for i in range(5):"),
        ("T.append(5)", "T.append(5)"),
        ("T[0] = 5", "T[0] = 5"),
        ("T += [5]", "T += [5]"),
        ("del T[0]", "del T[0]"),
        ("with open('x') as T: pass", "with open('x') as T: pass"),
        ("print(T, T[0], T.x)", ""),  # only looks
        ("U.append(5)", ""),  # is not needed
        ("np.random.seed(0)", ""),  # no value
        ("print(f())", ""),
        ("f.calls = 1", ""),
        ("g.calls = 1", ""),
    ],
)
def test_what_was_left_out_and_may_matter_is_told(cell, left):
    before = "import numpy as np\nT = []\nU = []\ng = lambda: 1"
    found = answer(ipynb(before, cell, "def f(): return T, np, g"), False, "f")
    assert found.left == left


def test_what_only_the_compiler_refuses_is_no_reason_to_stop():
    found = answer(ipynb("def f(): return 5", "class f:\n    return g()"), False, "f")
    assert found.found
    assert found.source == "def f(): return 5\n\nclass f:\n    return g()"


def test_nothing_is_found_where_nothing_is():
    assert not answer(ipynb("g = 1"), False, "f").found
    assert not answer(ipynb(), False, "f").found
    assert not answer(ipynb("import numpy as np", "def f("), False, "f").found
    assert answer(ipynb("def f(): ..."), False, "f").found


@pytest.mark.parametrize("cell", ["def f(x:\n    return 5", "f = (1", "class f\n"])
def test_why_a_cell_is_no_python_is_told(cell):
    found = answer(ipynb("def g(: ...", cell), False, "f")
    assert not found.found
    assert "line 1 of the cell" in found.problem
    assert answer(ipynb(cell, "def f(): ..."), False, "f").problem == ""
    assert answer(ipynb("g = (", "def ff(:"), False, "f").problem == ""


def test_markdown_gives_the_same_cells():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("Text with ```{code-cell} in it\n\n```python\nno = 1\n```"),
            new_code_cell("FIVE = 5"),
            new_code_cell("def f():\n    return FIVE", metadata={"tags": ["stub:x.f"]}),
            new_code_cell("text = '''\n```\n'''"),
            new_code_cell("# :not-an-option:\nx = 1", metadata={"tags": ["a"], "deep": {"b": [1]}}),
            new_code_cell(""),
        ]
    )
    text = jupytext.writes(notebook, fmt="md:myst")
    for variant in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        cells = [cell.strip() for cell in code_cells(variant.encode(), True) if cell]
        assert cells == [c.source for c in notebook.cells if c.cell_type == "code" and c.source]


@pytest.mark.parametrize("text", ["```{code-cell} ipython3\nx = 1", "", "# Only text"])
def test_markdown_without_whole_cells_has_none(text):
    assert code_cells(text.encode(), True) == []


def test_old_notebooks_are_read():
    sheet = {"cells": [{"cell_type": "code", "input": ["def f():\n", "    return 5"]}]}
    notebook = json.dumps({"worksheets": [sheet], "nbformat": 3}).encode()
    assert answer(notebook, False, "f").found


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b"[]",
        b'{"cells": 5}',
        b'{"cells": {"a": 1}}',
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"worksheets": 5}',
        b'{"worksheets": [5]}',
        b'{"worksheets": [{}]}',
    ],
)
def test_damaged_notebooks_are_named_so(damaged):
    with pytest.raises(NoNotebook):
        answer(damaged, False, "f")


@pytest.mark.parametrize(
    "odd",
    [
        [5, None, "x", [], {"cell_type": 7}],
        [{"cell_type": "code"}, {"cell_type": "code", "source": 5}],
        [{"cell_type": "code", "source": ["x = 1\n", "y = 2"], "metadata": "none"}],
        [{"cell_type": "raw", "source": "def f(): ..."}],
    ],
)
def test_odd_cells_are_passed_over(odd):
    notebook = json.dumps({"cells": [*odd, {"cell_type": "code", "source": "def f(): return 5"}]})
    assert answer(notebook.encode(), False, "f").found


def test_a_large_notebook_is_read_in_a_moment():
    cells = [f"def g{i}(x):\n    return g{i + 1}(x) + 1" for i in range(3000)]
    started = time.process_time()
    found = answer(ipynb(*cells, "def f(): return g0(1)", "def g3000(x): return x"), False, "f")
    assert found.source.count("def ") == 3002
    assert time.process_time() - started < 5
