"""The catalogue finds everything once, and helps with names."""

from types import SimpleNamespace

import pytest

from bigmodel_edu import catalogue
from bigmodel_edu.catalogue import CHAPTERS, Chapter
from bigmodel_edu.errors import UnknownName


def test_ten_chapters_in_order():
    assert [chapter.number for chapter in CHAPTERS] == list(range(1, 11))
    assert len({chapter.slug for chapter in CHAPTERS}) == 10


def test_file_names():
    assert CHAPTERS[0].notebook == "01_neural_nets"
    assert CHAPTERS[9].notebook == "10_chatbots"


def test_only_chapters_with_a_package_are_written():
    assert CHAPTERS[0] in catalogue.written_chapters()
    assert not Chapter(11, "alchemy", "Alchemy").is_written


def test_components_have_their_own_names():
    for name, component in catalogue.components().items():
        assert component.name == name
        assert component.chapter in {chapter.slug for chapter in catalogue.written_chapters()}
        assert catalogue.component(name) is component


def test_components_come_in_the_books_order():
    order = [chapter.slug for chapter in CHAPTERS]
    places = [order.index(c.chapter) for c in catalogue.components().values()]
    assert places == sorted(places)


def test_components_of_a_chapter_and_of_a_name():
    softmax = catalogue.component("neural_nets.softmax")
    assert catalogue.components_of("neural_nets.softmax") == [softmax]
    assert softmax in catalogue.components_of("neural_nets")
    assert {c.chapter for c in catalogue.components_of("neural_nets")} == {"neural_nets"}


@pytest.mark.parametrize("look_up", [catalogue.component, catalogue.components_of])
@pytest.mark.parametrize("name", ["neural_nets.sotfmax", "softmax", "nueral_nets.softmax"])
def test_an_unknown_component_suggests_the_nearest(look_up, name):
    with pytest.raises(UnknownName) as caught:
        look_up(name)
    message = str(caught.value)
    assert message.startswith(f"there is no component named {name!r}.")
    assert "Did you mean 'neural_nets.softmax'?" in message
    assert "neural_nets.batch_norm" in message  # and all the others


@pytest.fixture
def chapter_with(monkeypatch):
    """Let the catalogue find one chapter, whose components have the given names."""

    def chapter_with(*names):
        module = SimpleNamespace(COMPONENTS=tuple(SimpleNamespace(name=name) for name in names))
        monkeypatch.setattr(catalogue, "written_chapters", lambda: (Chapter(1, "one", "One"),))
        monkeypatch.setattr(catalogue, "import_module", lambda name: module)
        return catalogue._gather("components", "COMPONENTS")

    return chapter_with


def test_names_begin_with_their_chapter(chapter_with):
    assert list(chapter_with("one.a", "one.b")) == ["one.a", "one.b"]
    with pytest.raises(ValueError, match=r"'two\.a' in one/components is not a new name"):
        chapter_with("one.a", "two.a")


def test_names_are_used_once(chapter_with):
    with pytest.raises(ValueError, match=r"'one\.a' in one/components is not a new name"):
        chapter_with("one.a", "one.a")


def test_an_empty_catalogue_says_so(monkeypatch):
    monkeypatch.setattr(catalogue, "components", dict)
    with pytest.raises(UnknownName, match=r"The components are: \(none yet\)"):
        catalogue.component("neural_nets.softmax")


def test_an_exercise_of_a_notebook_is_found_by_name_once_it_was_checked():
    from bigmodel_edu.labs import Exercise, check, hint
    from bigmodel_edu.labs.lookup import exercise_named

    own = Exercise(
        name="start.own",
        title="Own",
        points=1,
        reference=lambda x: x,
        cases=lambda rng: [],
        hints=("Think.",),
    )
    check(own, None)
    assert exercise_named("start.own") is own
    assert hint("start.own").text == "Think."
    assert "start.own" not in catalogue.exercises()
