import pytest

from bigmodel_edu.training.logs import NoLog, TensorBoardLog, TextLog

KINDS = {
    "text": lambda folder: TextLog(folder / "new" / "log.csv"),
    "TensorBoard": lambda folder: TensorBoardLog(folder / "new"),
}


@pytest.fixture(params=KINDS)
def new_log(request, tmp_path):
    """Return the log anew, as another process would."""
    return lambda: KINDS[request.param](tmp_path)


def write(log, first, last):
    log.open(first - 1)
    for step in range(first, last + 1):
        log.write("loss/step", 0.5 * step, step)
        if step % 2 == 0:
            log.write("a, b", 2.0**-step, step)
    log.close()


def test_what_is_written_is_read(new_log):
    write(new_log(), 1, 4)
    assert new_log().read() == {
        "loss/step": [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)],
        "a, b": [(2, 0.25), (4, 0.0625)],
    }


def test_going_on_drops_what_comes_again(new_log):
    write(new_log(), 1, 4)
    whole = new_log().read()
    write(new_log(), 4, 6)
    write(new_log(), 3, 4)
    assert new_log().read() == whole


def test_it_can_be_read_while_it_is_written(new_log):
    log = new_log()
    log.open(0)
    log.write("loss", 0.5, 1)
    log.flush()
    assert new_log().read() == {"loss": [(1, 0.5)]}
    log.close()


def test_a_table_is_plain_text_and_exact(tmp_path):
    log = TextLog(tmp_path / "log.csv")
    log.open(0)
    log.write("loss", 0.1 + 0.2, 1)
    log.close()
    assert (tmp_path / "log.csv").read_text().split() == ["step,tag,value", f"1,loss,{0.1 + 0.2}"]
    assert log.read() == {"loss": [(1, 0.1 + 0.2)]}
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("cut", [1, 3, 8])
def test_a_last_line_cut_short_is_left_out(tmp_path, cut):
    log = TextLog(tmp_path / "log.csv")
    write(log, 1, 3)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    assert [step for step, _ in log.read()["loss/step"]] == [1, 2]
    write(log, 3, 3)
    assert [step for step, _ in log.read()["loss/step"]] == [1, 2, 3]


def test_before_the_first_number_there_is_nothing(tmp_path):
    assert TextLog(tmp_path / "none.csv").read() == {}
    write(NoLog(), 1, 3)
    assert NoLog().read() == {}


def test_a_new_file_of_events_has_a_later_second_in_its_name(tmp_path):
    log, names = TensorBoardLog(tmp_path), "events.out.tfevents.*"
    write(log, 1, 1)
    write(log, 2, 2)
    one, other = sorted(int(path.name.split(".")[3]) for path in tmp_path.glob(names))
    assert one < other
