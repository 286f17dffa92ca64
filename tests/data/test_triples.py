"""Graphs are checked, numbered and split as documented, and bad files are named line by line."""

import hashlib

import numpy as np
import pytest

from bigmodel_edu.data import (
    DOWNLOADS,
    DataFile,
    DataFileError,
    Download,
    GraphError,
    KnowledgeGraph,
    graph_from_files,
    graph_from_triples,
    hold_out_entities,
    leaks,
    load_fb15k237,
    load_umls,
    load_wn18rr,
    read_triples,
    split_facts,
)
from bigmodel_edu.errors import HyperparameterError, UnknownName

TRAIN = "bern\tcapital_of\tswitzerland\nswitzerland\tnear\titaly\nrome\tcapital_of\titaly\n"
VALID = "italy\tnear\tswitzerland\n"
TEST = "rome\tnear\tbern\n"


def graph(train, valid=((0, 0, 2),), test=((2, 0, 0),), entities="abc", relations="r", **more):
    return KnowledgeGraph(
        "g", tuple(entities), tuple(relations), np.array(train), valid, test, "hand", **more
    )


@pytest.fixture
def files(tmp_path):
    """Three files of a small graph, to be overwritten by what a test is about."""
    paths = {part: tmp_path / f"{part}.txt" for part in ("train", "valid", "test")}
    for path, text in zip(paths.values(), (TRAIN, VALID, TEST), strict=True):
        path.write_bytes(text.encode())
    return paths


# --- a graph


def test_graph_of_files(files):
    g = graph_from_files(**files)
    assert g.entities == ("bern", "italy", "rome", "switzerland")
    assert g.relations == ("capital_of", "near")
    assert (g.num_entities, g.num_relations) == (4, 2)
    assert g.train.tolist() == [[0, 0, 3], [3, 1, 1], [2, 0, 1]]
    assert g.valid.tolist() == [[1, 1, 3]]
    assert g.test.tolist() == [[2, 1, 0]]
    assert {getattr(g, part).dtype for part in ("train", "valid", "test")} == {np.dtype("int64")}
    assert g.facts.tolist() == g.train.tolist() + g.valid.tolist() + g.test.tolist()
    assert g.name == files["train"].parent.name
    assert "4 entities, 2 relations, 3 + 1 + 1 facts" in repr(g)


def test_a_fact_is_two_questions(files):
    g = graph_from_files(**files)
    assert g.questions("train").tolist() == [
        *([0, 0, 3], [3, 1, 1], [2, 0, 1]),
        *([3, 2, 0], [1, 3, 3], [1, 2, 2]),
    ]
    assert len(g.questions("all")) == 2 * 5


def test_facts_in_words(files):
    g = graph_from_files(**files)
    assert g.describe(g.train[0]) == "bern capital of switzerland"
    assert g.describe(g.questions("train")[3]) == "switzerland capital of⁻¹ bern"
    assert g.neighbours("rome") == ["rome capital of italy", "rome near bern"]
    assert g.neighbours(g.entity("rome"), part="train") == ["rome capital of italy"]
    titled = graph([(0, 0, 1), (1, 0, 2)], titles=("A", "B", "C"))
    assert titled.describe((0, 0, 1)) == "A r B"


def test_unknown_names_suggest_the_nearest(files):
    g = graph_from_files(**files)
    assert g.relation("near") == 1
    with pytest.raises(UnknownName, match=r"no entity 'switzerlnd'\. Did you mean 'switzerland'"):
        g.entity("switzerlnd")
    with pytest.raises(UnknownName, match=r"no relation 'capitalof'\. Did you mean 'capital_of'"):
        g.relation("capitalof")
    with pytest.raises(UnknownName, match="Unknown part 'dev'"):
        g.questions("dev")


def test_named_facts_with_titles_and_kinds():
    g = graph_from_triples(
        "g",
        {
            "train": [("b", "r", "a"), ("a", "r", "c")],
            "valid": [("a", "r", "b")],
            "test": [("c", "r", "a")],
        },
        source="hand",
        titles={"a": "A", "b": "B", "c": "C"},
        kinds={"a": "x", "b": "y", "c": "x"},
    )
    assert g.titles == ("A", "B", "C")
    assert g.kinds == ("x", "y", "x")
    assert g.describe(g.test[0]) == "C r A"


# --- what no graph may be


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_empty_part(part):
    parts = {"train": [(0, 0, 1), (1, 0, 2)], "valid": [(0, 0, 2)], "test": [(2, 0, 0)], part: []}
    with pytest.raises(GraphError, match=f"part '{part}' has no facts"):
        graph(**parts)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"test": [(2, 0, 0), (3, 0, 1)]}, r"entity 'd' occurs in 'test' \(\(d, r, b\)\)"),
        ({"valid": [(0, 0, 3)]}, r"entity 'd' occurs in 'valid' \(\(a, r, d\)\)"),
        ({"test": [(2, 1, 0)]}, r"relation 's' occurs in 'test' \(\(c, s, a\)\)"),
    ],
)
def test_unseen_in_train(parts, words):
    with pytest.raises(GraphError, match=words):
        graph([(0, 0, 1), (1, 0, 2)], entities="abcd", relations="rs", **parts)
    graph([(0, 0, 1), (1, 0, 2)], entities="abcd", relations="rs", **parts, allow_unseen=True)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"train": [(0, 0, 1), (1, 0, 2), (0, 0, 1)]}, r"\(a, r, b\) stands twice in 'train'"),
        ({"test": [(2, 0, 0), (2, 0, 0)]}, r"\(c, r, a\) stands twice in 'test'"),
        ({"test": [(1, 0, 2)]}, r"\(b, r, c\) stands in 'train' and again in 'test'"),
        ({"test": [(0, 0, 2)]}, r"\(a, r, c\) stands in 'valid' and again in 'test'"),
    ],
)
def test_a_fact_stands_once(parts, words):
    with pytest.raises(GraphError, match=words):
        graph(**{"train": [(0, 0, 1), (1, 0, 2)]} | parts)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"train": [(0, 0, 3)]}, r"has the fact \[0, 0, 3\], expected entities below 3"),
        ({"train": [(0, 1, 2)]}, "relations below 1"),
        ({"train": [(-1, 0, 2)]}, r"the fact \[-1, 0, 2\]"),
        ({"train": [(0, 0)]}, r"expected 'train' as integers of shape \(n, 3\)"),
        ({"train": [(0.0, 0.0, 1.0)]}, "got float64"),
        ({"entities": "aba"}, "'a' is twice"),
        ({"titles": ("A",)}, "expected one of titles for each of the 3 entities"),
    ],
)
def test_numbers_and_names_must_fit(more, words):
    with pytest.raises(GraphError, match=words):
        graph(**{"train": [(0, 0, 1), (1, 0, 2)]} | more)


# --- files


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"rome\tnear", r"got 2 in 'rome\\tnear'"),
        (b"rome\tnear\r", r"got 2 in 'rome\\tnear':"),
        (b"rome near bern", "got 1 in 'rome near bern'"),
        (b"rome\tnear\tbern\t0.5", "got 4"),
        (b"", "got 1 in ''"),
        (b"rome\t\tbern", "got an empty relation"),
        (b"rome\tnear\t ", "got an empty tail"),
        (b"rom\xe9\tnear\tbern", "expected UTF-8, got the byte 0xe9 in column 4"),
    ],
)
def test_malformed_line_is_named(files, line, words):
    files["test"].write_bytes(TEST.encode() + line + b"\nbern\tnear\trome\n")
    with pytest.raises(DataFileError, match=words) as caught:
        read_triples(files["test"])
    assert str(caught.value).startswith(f"{files['test']}, line 2: expected")


def test_endings_of_lines_and_spaces_do_not_matter(tmp_path):
    path = tmp_path / "facts.txt"
    path.write_bytes("bern \tnear\tZürich\r\nZürich\tnear\tbern".encode())
    assert read_triples(path) == [("bern", "near", "Zürich"), ("Zürich", "near", "bern")]


def test_empty_and_missing_files(tmp_path):
    path = tmp_path / "facts.txt"
    with pytest.raises(DataFileError, match=r"facts.txt cannot be read \(No such file"):
        read_triples(path)
    path.write_bytes(b"")
    with pytest.raises(DataFileError, match=r"facts\.txt is empty, expected one fact a line"):
        read_triples(path)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("paris\tnear\tbern", "entity 'paris'"),
        ("bern\tnear\tparis", "entity 'paris'"),
        ("rome\tborders\tbern", "relation 'borders'"),
    ],
)
def test_unseen_in_a_file(files, line, what):
    files["test"].write_text(TEST + line + "\n")
    with pytest.raises(GraphError) as caught:
        graph_from_files(**files)
    sentence = str(caught.value)
    assert sentence.startswith(
        f"{files['test']}, line 2: the {what} has no fact in {files['train']}"
    )
    assert "unseen='drop'" in sentence

    dropped = graph_from_files(**files, unseen="drop")
    assert (len(dropped.test), dropped.num_entities, dropped.num_relations) == (1, 4, 2)
    kept = graph_from_files(**files, unseen="keep")
    assert len(kept.test) == 2
    assert kept.num_entities + kept.num_relations == 7


def test_nothing_left_to_test(files):
    files["test"].write_text("paris\tnear\tbern\n")
    with pytest.raises(GraphError, match=r"test\.txt: no fact is left"):
        graph_from_files(**files, unseen="drop")
    with pytest.raises(HyperparameterError, match="'keep', 'drop' or 'error', got 'ignore'"):
        graph_from_files(**files, unseen="ignore")


@pytest.mark.parametrize(
    ("name", "load"),
    [("umls", load_umls), ("wn18rr", load_wn18rr), ("fb15k-237", load_fb15k237)],
)
def test_downloads_are_read_from_the_mirror(name, load, files, tmp_path, monkeypatch):
    with files["test"].open("a") as stream:
        stream.write("paris\tnear\tbern\n")
    registered = DOWNLOADS[name]
    entries = []
    for file, path in zip(registered.files, files.values(), strict=True):
        assert file.path == f"kg/{name}/{path.name}"
        place = tmp_path / "mirror" / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes().replace(b"\n", b"\r\n")
        place.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(DataFile(file.path, len(content), digest, file.url))
    small = Download(name, "", tuple(entries), "", registered.source, "")
    monkeypatch.setitem(DOWNLOADS, name, small)
    monkeypatch.setenv("BIGMODEL_DATA_MIRROR", str(tmp_path / "mirror"))
    g = load()
    assert (g.name, g.source) == (name, registered.source)
    assert (len(g.train), len(g.valid), len(g.test)) == (3, 1, 2)
    assert "paris" in g.entities
    assert "paris" not in load(unseen="drop").entities


# --- splits


@pytest.fixture
def facts():
    """300 facts: 60 pairs of 23 entities, each linked in 5 ways, and one rare relation."""
    rng = np.random.default_rng(7)
    pairs = np.stack(np.triu_indices(23, 1), axis=1)
    pairs = rng.permutation(pairs)[:60]
    rows = [(h, r, t) if r % 2 else (t, r, h) for h, t in pairs for r in range(5)]
    return np.array([*rows, (0, 5, 22)])


@pytest.mark.parametrize("split", ["careful", "random"])
def test_split_is_whole_and_leaves_each_entity_and_relation_to_train(facts, split):
    parts = split_facts(facts, 23, 6, np.random.default_rng(0), split=split)
    assert sorted(map(tuple, np.concatenate(parts))) == sorted(map(tuple, facts))
    train, valid, test = parts
    assert set(train[:, [0, 2]].ravel()) == set(facts[:, [0, 2]].ravel())
    assert set(train[:, 1]) == set(range(6))
    assert len(test) == len(valid) == 30
    again = split_facts(facts, 23, 6, np.random.default_rng(0), split=split)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_careful_split_does_not_leak_and_random_does(facts):
    train, valid, test = split_facts(facts, 23, 6, np.random.default_rng(0))
    assert len(leaks(train, test)) == len(leaks(train, valid)) == len(leaks(valid, test)) == 0
    train, _, test = split_facts(facts, 23, 6, np.random.default_rng(0), split="random")
    assert len(leaks(train, test)) > 0.9 * len(test)


def test_leaks_see_both_directions_and_any_relation():
    train = np.array([(0, 0, 1), (2, 1, 3)])
    test = np.array([(0, 1, 1), (3, 0, 2), (0, 0, 2), (1, 0, 1)])
    assert leaks(train, test).tolist() == [[0, 1, 1], [3, 0, 2]]


def test_what_is_rare_stays_in_train():
    """Entity 3 and relation 1 have one fact each: it may not be drawn."""
    facts = np.array([(0, 0, 1), (1, 0, 2), (2, 0, 0), (0, 1, 2), (0, 0, 3)])
    for seed in range(20):
        train, valid, test = split_facts(
            facts, 4, 2, np.random.default_rng(seed), "random", test_fraction=0.6
        )
        assert {(0, 1, 2), (0, 0, 3)} <= set(map(tuple, train))
        assert len(valid) <= 1
        assert 1 <= len(test) <= 3


def test_bad_splits(facts):
    with pytest.raises(UnknownName, match="'careful' or 'random'"):
        split_facts(facts, 23, 6, np.random.default_rng(0), split="easy")
    with pytest.raises(HyperparameterError, match="leave some facts to train on"):
        split_facts(facts, 23, 6, np.random.default_rng(0), test_fraction=1.0)


# --- new entities


@pytest.fixture
def whole(facts):
    train, valid, test = split_facts(facts, 23, 6, np.random.default_rng(0))
    names = tuple(f"e{i:02}" for i in range(23))
    kinds = tuple("odd" if i % 2 else "even" for i in range(23))
    relations = tuple(f"r{i}" for i in range(6))
    return KnowledgeGraph("g", names, relations, train, valid, test, "", names, kinds)


def named(facts, entities, graph):
    return {(entities[h], graph.relations[r], entities[t]) for h, r, t in facts}


def test_held_out_entities_and_their_facts(whole):
    new = hold_out_entities(whole, np.random.default_rng(1), share=0.2, known=2)
    assert 1 <= len(new.names) <= 5
    assert not set(new.names) & set(new.graph.entities)
    assert new.left_out == ()
    entities = new.graph.entities + new.names
    assert sorted(entities) == sorted(whole.entities)
    facts = [
        named(rows, entities, whole)
        for rows in (new.graph.train, new.graph.valid, new.graph.test, new.known, new.asked)
    ]
    assert set.union(*facts) == named(whole.facts, whole.entities, whole)
    assert sum(map(len, facts)) == len(whole.facts)
    assert facts[0] < named(whole.train, whole.entities, whole)
    for i in range(len(new.names)):
        number = new.graph.num_entities + i
        assert (new.known[:, [0, 2]] == number).any(axis=1).sum() == 2
        assert (new.asked[:, [0, 2]] == number).any(axis=1).sum() >= 1
    both = np.concatenate((new.known, new.asked))[:, [0, 2]] >= new.graph.num_entities
    assert (both.sum(axis=1) == 1).all(), "a fact links one new entity to what is known"
    assert set(new.graph.train[:, [0, 2]].ravel()) == set(range(new.graph.num_entities))


def test_held_out_kinds_and_names(whole):
    new = hold_out_entities(whole, np.random.default_rng(1), kinds=("odd",))
    assert set(new.kinds) == {"odd"}
    new = hold_out_entities(whole, np.random.default_rng(1), names=["e03", "e05"])
    assert new.names == new.titles == ("e03", "e05")
    with pytest.raises(UnknownName, match=r"no entities of the kind 'od'\. Did you mean 'odd'"):
        hold_out_entities(whole, np.random.default_rng(1), kinds="od")
    with pytest.raises(UnknownName, match="no entity 'e99'"):
        hold_out_entities(whole, np.random.default_rng(1), names=["e99"])


def test_whoever_depends_on_a_new_entity_is_left_out():
    """Entity d is linked with c only."""
    train = [(0, 0, 1), (1, 0, 0), (1, 0, 2), (2, 0, 3), (0, 0, 4), (4, 0, 1)]
    g = graph(train, [(3, 0, 3), (0, 0, 0)], [(2, 0, 2), (1, 0, 1)], "abcde")
    new = hold_out_entities(g, np.random.default_rng(0), names=["c"], known=1)
    assert new.graph.entities == ("a", "b", "e")
    assert (new.names, new.left_out) == (("c",), ("d",))
    assert new.known.tolist() == [[1, 0, 3]]
    assert len(new.asked) == 0
    for seed in range(10):  # drawn are only such as nobody depends on
        drawn = hold_out_entities(g, np.random.default_rng(seed), share=0.2, known=1)
        assert drawn.names in (("a",), ("b",), ("e",))
        assert drawn.left_out == ()
        assert len(drawn.asked) >= 1


def test_unseen_entities_stay_unless_held_out():
    """Entities c and d have no fact to train on."""
    more = {"entities": "abcd", "allow_unseen": True}
    g = graph([(0, 0, 1), (1, 0, 0)], [(0, 0, 2), (1, 0, 3)], [(1, 0, 1), (1, 0, 2)], **more)
    new = hold_out_entities(g, np.random.default_rng(0), names=["c"], known=1)
    assert new.graph.entities == ("a", "b", "d")
    assert (new.names, new.left_out) == (("c",), ())
    assert new.graph.valid.tolist() == [[1, 0, 2]]
    assert sorted([*new.known.tolist(), *new.asked.tolist()]) == [[0, 0, 3], [1, 0, 3]]


@pytest.mark.parametrize("more", [{"share": 0.0}, {"share": 1.0}, {"known": -1}])
def test_bad_hold_out(whole, more):
    with pytest.raises(HyperparameterError, match="share between 0 and 1"):
        hold_out_entities(whole, np.random.default_rng(0), **more)


def test_nobody_has_so_many_facts(whole):
    with pytest.raises(HyperparameterError, match="No entity can be held out"):
        hold_out_entities(whole, np.random.default_rng(0), known=1000)
