"""The journal keeps what was graded, whatever happens to the grader."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from bigmodel_edu.course.grades import PASSED, Grade
from bigmodel_edu.course.journal import FILE, Journal
from bigmodel_edu.course.settings import CourseError

KEY = ("Ada", "neural_nets.softmax", "d" * 64, "f" * 64)


def grade(student: str = "Ada") -> Grade:
    return Grade(
        student=student,
        exercise="neural_nets.softmax",
        title="A softmax",
        notebook="Ada/x.ipynb",
        digest="d" * 64,
        points=2,
        of=2,
        status=PASSED,
        details=(("case", "1 of 5"),),
        flags=("late",),
        message='\ud800 "quoted"\n\x1b[31m',
    )


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / FILE).read_bytes().splitlines()]


def test_every_event_is_written_at_once(tmp_path):
    with Journal(tmp_path / "out") as journal:
        journal.begin(KEY)
        assert [entry["event"] for entry in lines(tmp_path / "out")] == ["begin"]
        journal.finish(KEY, grade())
        assert [entry["event"] for entry in lines(tmp_path / "out")] == ["begin", "grade"]


def test_grades_come_back_as_they_were(tmp_path):
    with Journal(tmp_path) as journal:
        assert journal.find(KEY) is None
        journal.begin(KEY)
        journal.finish(KEY, grade())
    with Journal(tmp_path) as journal:
        assert journal.find(KEY) == grade()
        assert journal.find((*KEY[:3], "other settings")) is None
        assert journal.suspects == set()


def test_what_was_begun_and_not_finished_is_a_suspect(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"event": "begin", "key": KEY}) + "\n")
    for _ in range(2):
        with Journal(tmp_path) as journal:
            assert journal.ends(KEY) == 1
            assert journal.suspects == {"Ada"}
    with Journal(tmp_path) as journal:
        journal.begin(KEY)
        journal.finish(KEY, grade())
    with Journal(tmp_path) as journal:
        assert journal.ends(KEY) == 0
        assert journal.suspects == set()


def test_what_ended_the_grader_twice_is_known_and_a_grade_clears_it(tmp_path):
    begin = json.dumps({"event": "begin", "key": KEY}) + "\n"
    (tmp_path / FILE).write_text(begin * 2)
    with Journal(tmp_path) as journal:
        assert journal.ends(KEY) == 2
        journal.finish(KEY, grade())
    with (tmp_path / FILE).open("a") as file:
        file.write(begin)
    with Journal(tmp_path) as journal:
        assert journal.ends(KEY) == 1


def interrupt(folder) -> None:
    with Journal(folder) as journal:
        journal.begin(KEY)
        raise KeyboardInterrupt


def test_an_interruption_is_nobodys_fault(tmp_path):
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            interrupt(tmp_path)
    with Journal(tmp_path) as journal:
        assert journal.ends(KEY) == 0
        assert journal.suspects == set()


TAILS = [
    b"{",
    b'{"event": "gra',
    "é".encode()[:1],
    b'{"event": "begin", "key": ["Ada", "e", "d", "f"]}',
    b"\0" * 50,
]


@pytest.mark.parametrize("tail", TAILS, ids=range(len(TAILS)))
def test_a_last_line_that_was_cut_is_left_out(tmp_path, tail):
    with Journal(tmp_path) as journal:
        journal.finish(KEY, grade())
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + tail)
    with Journal(tmp_path) as journal:
        assert journal.find(KEY) == grade()
        journal.begin(KEY)
    assert (tmp_path / FILE).read_bytes().startswith(whole)
    assert [entry["event"] for entry in lines(tmp_path)] == ["grade", "begin", "interrupted"]


DAMAGED = [
    "x",
    "{}",
    "[]",
    '{"event": "begin"}',
    '{"event": "party", "key": ["a", "e", "d", "f"]}',
    '{"event": "begin", "key": ["a"]}',
    '{"event": "begin", "key": [1, 2, 3, 4]}',
    '{"event": "begin", "key": [[], [], [], []]}',
    '{"event": "begin", "key": null}',
    '{"event": "grade", "key": ["a", "e", "d", "f"], "grade": {}}',
    '{"event": "grade", "key": ["a", "e", "d", "f"], "grade": null}',
    "[" * 100_000,
    "",
]


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_named(tmp_path, line):
    with Journal(tmp_path) as journal:
        journal.finish(KEY, grade())
    whole = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(f"{whole}{line}\n{whole}")
    with pytest.raises(CourseError, match=r"Line 2 of .* is damaged: mend or remove it"):
        Journal(tmp_path)
    (tmp_path / FILE).write_text(whole)
    Journal(tmp_path).__exit__(None, None, None)  # the lock was given back


def test_two_graders_do_not_write_to_one_folder(tmp_path):
    with Journal(tmp_path):
        code = (
            "import sys, pathlib; from bigmodel_edu.course.journal import Journal; "
            "Journal(pathlib.Path(sys.argv[1]))"
        )
        command = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Another grader is writing to" in done.stderr
        with pytest.raises(CourseError, match="Another grader is writing to"):
            Journal(tmp_path)
    with Journal(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="name a folder for the results that you may write to"):
        Journal(tmp_path / "file" / "out")


FULL = """
import pathlib, resource, sys
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.journal import Journal

resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
with Journal(pathlib.Path(sys.argv[1])) as journal:
    for i in range(100):
        key = (str(i), "e", "d", "f")
        journal.begin(key)
        journal.finish(key, Grade(str(i), "e", "t", "n", "d", 1, 1, "passed"))
"""


def test_a_disk_that_is_full_is_one_sentence_and_the_next_run_goes_on(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = done.stderr.splitlines()[-1]
    assert words.startswith("bigmodel_edu.course.settings.CourseError: ")
    assert words.endswith(
        f"{FILE} cannot be written (File too large): make room, then run the same command again "
        "and it goes on from here."
    )
    with Journal(tmp_path) as journal:
        assert journal.find(("3", "e", "d", "f"))
        assert len(journal.suspects) <= 1
        journal.begin(KEY)
        journal.finish(KEY, grade())
    assert lines(tmp_path)[-1]["event"] == "grade"


def test_a_disk_that_cannot_lock_is_one_sentence(tmp_path, monkeypatch):
    import fcntl

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(CourseError, match=r"cannot be locked \(No locks available\): name a"):
        Journal(tmp_path)


def test_workers_do_not_mix_their_lines(tmp_path):
    with Journal(tmp_path) as journal:

        def work(number: int) -> None:
            for i in range(50):
                key = (f"{number}", f"{i}", "d", "f")
                journal.begin(key)
                journal.finish(key, grade("x" * 5000))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lines(tmp_path)) == 8 * 50 * 2


ENDLESS = """
import pathlib, sys
from bigmodel_edu.course.grades import Grade
from bigmodel_edu.course.journal import Journal

with Journal(pathlib.Path(sys.argv[1])) as journal:
    for i in range(10**9):
        key = (str(i), "e", "d", "f")
        journal.begin(key)
        journal.finish(key, Grade(str(i), "e", "t", "n", "d", 1, 1, "passed"))
        if i == 200:
            print("ready", flush=True)
"""


def test_a_kill_at_any_moment_loses_one_line_at_most(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Journal(tmp_path) as journal:
        assert journal.find(("200", "e", "d", "f"))
        assert len(journal.suspects) <= 1
