"""Threads of arithmetic: one in a notebook, all on request, and what is loaded later follows."""

import os
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bigmodel_edu import threads
from bigmodel_edu.labs.notebooks import run_whole

COUNTS = """
import json, sys
from threadpoolctl import threadpool_info
def counts():
    found = {pool["internal_api"]: pool["num_threads"] for pool in threadpool_info()}
    return found | {"torch": torch.get_num_threads()}
"""


def counted(code: str, **variables: str) -> list[dict[str, int]]:
    """Run Python where no variable limits its threads; return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in threads.VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", COUNTS + code],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return [eval(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("order", ["numpy, torch; limit()", "numpy; limit(); import torch"])
def test_what_is_loaded_and_what_will_be_is_limited(order):
    code = f"from bigmodel_edu.threads import limit_threads as limit\nimport {order}\n"
    (found,) = counted(code + "print(counts())")
    assert set(found.values()) == {1}


def test_a_reader_can_ask_for_more():
    code = "import numpy, torch\nfrom bigmodel_edu.threads import limit_threads\nlimit_threads()\n"
    (found,) = counted(code + "print(counts())", BIGMODEL_THREADS="2")
    assert set(found.values()) == {2}


def test_a_block_may_use_all_and_afterwards_it_is_as_before():
    code = """
import numpy, torch
from bigmodel_edu import threads
threads.processors = lambda: 2
threads.limit_threads()
try:
    with threads.all_threads():
        print(counts())
        raise ValueError
except ValueError:
    print(counts())
"""
    inside, after = counted(code)
    assert set(inside.values()) == {2}
    assert set(after.values()) == {1}


@pytest.mark.parametrize(("text", "count"), [("3", 3), (" 1 ", 1), ("ALL", threads.processors())])
def test_the_choice_is_a_number_or_all(monkeypatch, text, count):
    monkeypatch.setenv(threads.CHOICE, text)
    assert threads.chosen() == count


def test_without_a_choice_it_is_one(monkeypatch):
    monkeypatch.delenv(threads.CHOICE, raising=False)
    assert threads.chosen() == 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_anything_else_is_refused_in_one_sentence(monkeypatch, text):
    monkeypatch.setenv(threads.CHOICE, text)
    with pytest.raises(threads.NotACount, match=r"expected a whole number from 1 on, or all"):
        threads.chosen()


def test_a_notebook_of_the_book_computes_with_one(tmp_path, monkeypatch):
    for name in (*threads.VARIABLES, threads.CHOICE):
        monkeypatch.delenv(name, raising=False)
    page = new_notebook(
        cells=[
            new_code_cell(
                "import numpy as np\n"
                "from bigmodel_edu.labs import check\n"
                "from threadpoolctl import threadpool_info\n"
                "assert {pool['num_threads'] for pool in threadpool_info()} == {1}"
            )
        ]
    )
    nbformat.write(page, tmp_path / "page.ipynb")
    run_whole(tmp_path / "page.ipynb")


def test_elsewhere_importing_the_labs_limits_nothing(monkeypatch):
    code = "import numpy, torch, bigmodel_edu.labs\nprint(counts())"
    (found,) = counted(code, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    assert set(found.values()) == {2}
