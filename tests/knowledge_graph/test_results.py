"""The tables of the chapter, made of a graph small enough to be worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from bigmodel_edu.data import graph_from_triples
from bigmodel_edu.errors import BookError
from bigmodel_edu.knowledge_graph import reference
from bigmodel_edu.knowledge_graph.experiments import results
from bigmodel_edu.knowledge_graph.experiments.training import (
    MODELS,
    Configuration,
    torch_scores,
    train,
)
from bigmodel_edu.knowledge_graph.reference import FactIndex
from bigmodel_edu.training.batches import EpochBatches

GRAPH = graph_from_triples(
    "towns",
    {
        "train": [
            ("ann", "lives_in", "rome"),
            ("bob", "lives_in", "rome"),
            ("cid", "lives_in", "oslo"),
            ("ann", "works_in", "rome"),
            ("bob", "works_in", "rome"),
            ("cid", "works_in", "oslo"),
            ("dee", "works_in", "rome"),
            ("eve", "lives_in", "oslo"),
        ],
        "valid": [("eve", "works_in", "oslo")],
        "test": [("dee", "lives_in", "rome")],
    },
    source="made up",
)
QUICK = {
    "TransE": Configuration("TransE", dim=3, epochs=2, batch_size=5),
    "ComplEx": Configuration("ComplEx", dim=2, epochs=2, batch_size=5),
}

app = typer.Typer()
app.command()(results.main)


def invoke(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.fixture(autouse=True)
def wide_console(monkeypatch):
    monkeypatch.setattr(results, "Console", lambda: Console(width=100))


# Baselines and evaluation


def test_baselines_by_hand():
    found = results.baselines(GRAPH)
    assert list(found) == ["popularity", "rules"]
    question = np.array([GRAPH.entity("dee")]), np.array([GRAPH.relation("lives_in")])
    oslo, rome = GRAPH.entity("oslo"), GRAPH.entity("rome")
    popular = found["popularity"](*question)[0]
    assert (popular[rome], popular[oslo], popular.sum()) == (
        2,
        2,
        4,
    )  # the test fact is not counted
    ruled = found["rules"](*question)[0]
    assert ruled.argmax() == rome  # where she works: a rule with three facts for it
    assert ruled[rome] > ruled[oslo]


def test_an_evaluation_leaves_the_other_right_answers_out():
    found = results.judged(results.baselines(GRAPH)["popularity"], GRAPH)
    np.testing.assert_array_equal(found.questions, GRAPH.questions("test"))
    # (dee, lives in, ?): Rome and Oslo tie; (?, lives in, rome): ann and bob are right as well,
    # cid and eve live somewhere too, then dee and both towns tie
    np.testing.assert_array_equal(found.ranks.realistic, [1.5, 4.0])
    np.testing.assert_array_equal(found.ranks.candidates, [7, 5])
    valid = results.judged(results.baselines(GRAPH)["rules"], GRAPH, "valid")
    np.testing.assert_array_equal(valid.questions, GRAPH.questions("valid"))


def test_the_facts_of_the_other_parts_are_known_too():
    """She lives in Oslo as well, by a fact of validation: Oslo is no rival of Rome."""
    both = np.array([[GRAPH.entity("dee"), GRAPH.relation("lives_in"), GRAPH.entity("oslo")]])
    found = results.judged(results.baselines(GRAPH)["popularity"], replace(GRAPH, valid=both))
    np.testing.assert_array_equal(found.ranks.realistic, [1.0, 4.0])
    np.testing.assert_array_equal(found.ranks.candidates, [6, 5])


def test_the_rules_know_where_she_lives():
    rules = results.judged(results.baselines(GRAPH)["rules"], GRAPH)
    popularity = results.judged(results.baselines(GRAPH)["popularity"], GRAPH)
    assert rules.metrics().mrr > popularity.metrics().mrr
    assert rules.ranks.realistic[0] == 1


# Tables


def test_a_table_of_a_public_graph():
    found = results.public_table(GRAPH, QUICK)
    assert list(found) == ["TransE", "ComplEx"]
    model = train(QUICK["TransE"], GRAPH, progress=False).model
    index = FactIndex(GRAPH.facts, GRAPH.num_entities, GRAPH.num_relations)
    expected = reference.evaluate(torch_scores(model), GRAPH.questions("test"), index)
    (evaluation,) = found["TransE"]
    assert evaluation.metrics() == expected.metrics()


def test_what_was_interrupted_goes_on(tmp_path, monkeypatch):
    whole = results.public_table(GRAPH, QUICK, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["towns-ComplEx", "towns-TransE"]
    monkeypatch.delattr(EpochBatches, "__getitem__")  # no step is taken
    again = results.public_table(GRAPH, QUICK, tmp_path)
    for name, (evaluation,) in again.items():
        assert evaluation.metrics() == whole[name][0].metrics()


@pytest.fixture
def small_cldr(monkeypatch):
    """A graph with its own split for each seed, and quick models."""
    seeds = []

    def load(seed):
        seeds.append(seed)
        order = np.random.default_rng(seed).permutation(len(GRAPH.train))
        return replace(GRAPH, train=GRAPH.train[order])

    monkeypatch.setattr(results, "load_cldr_graph", load)
    monkeypatch.setattr(results, "CLDR_SETTINGS", QUICK)
    return seeds


def test_the_table_of_several_seeds(small_cldr, monkeypatch):
    trained = []

    def noting(configuration, *arguments):
        trained.append((configuration.model, configuration.seed))
        return train(configuration, *arguments, progress=False)

    monkeypatch.setattr(results, "train", noting)
    found = results.cldr_table(seeds=(3, 5))
    assert small_cldr == [3, 5]
    assert trained == [(model, seed) for seed in (3, 5) for model in QUICK]
    assert list(found) == ["popularity", "rules", *QUICK]
    assert all(len(evaluations) == 2 for evaluations in found.values())


def test_the_table_of_several_seeds_has_a_folder_for_each(small_cldr, tmp_path, monkeypatch):
    whole = results.cldr_table((0, 1), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"towns-{model}-{seed}" for model in sorted(QUICK) for seed in (0, 1)
    ]
    monkeypatch.delattr(EpochBatches, "__getitem__")  # no step is taken
    again = results.cldr_table((0, 1), tmp_path)
    assert [e.metrics() for e in again["TransE"]] == [e.metrics() for e in whole["TransE"]]


def test_spread_by_hand():
    assert results.spread([0.12345]) == "0.123"
    assert results.spread([0.1, 0.2, 0.6]) == "0.300 ± 0.265"


def test_what_is_shown(capsys):
    index = FactIndex(GRAPH.facts, GRAPH.num_entities, GRAPH.num_relations)

    def ranked(first):
        """An evaluation whose two answers have the ranks 1 and 4, or both 1."""
        right = np.array([GRAPH.entity("rome"), GRAPH.entity("dee")])

        def score(sources, relations):
            scores = -np.arange(2 * GRAPH.num_entities, dtype=float).reshape(2, -1)
            scores[[0, 1], right] = (99.0, 99.0) if first else (99.0, -99.0)
            return scores

        return reference.evaluate(score, GRAPH.questions("test"), index)

    one, other = ranked(True), ranked(False)
    results.show("towns", {"sure": [one], "both": [one, other]}, seconds=90)
    printed = capsys.readouterr().out
    assert "towns, 1.5 minutes" in printed
    rows = {
        cells[0]: cells[1:]
        for line in printed.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│┃").split("│")]) == 4
    }
    assert rows["sure"] == ["1.000", "1.000", "1.000"]
    last = other.metrics()
    assert last.hits_at_1 == 0.5
    assert rows["both"][0].startswith(f"{(1 + last.mrr) / 2:.3f} ± ")
    assert rows["both"][1] == "0.750 ± 0.354"
    assert rows["both"][2] == "1.000 ± 0.000"


@pytest.mark.parametrize("table", ["CLDR_SETTINGS", "UMLS_SETTINGS", "WN18RR_SETTINGS"])
def test_settings_are_of_the_model_that_they_are_called_by(table):
    settings = getattr(results, table)
    assert all(configuration.model == name for name, configuration in settings.items())
    if table != "WN18RR_SETTINGS":
        assert set(settings) == set(MODELS)


# The command


def test_the_help_names_graphs_and_options():
    result = invoke("--help")
    assert result.exit_code == 0
    for word in ("cldr|umls|wn18rr", "--folder", "--threads", "Train and judge the models"):
        assert word in result.output


def test_an_unknown_graph_is_refused_with_those_there_are():
    result = invoke("freebase")
    assert result.exit_code == 2
    assert "'freebase' is not one of 'cldr', 'umls', 'wn18rr'" in result.output


@pytest.mark.parametrize("graph", ["umls", "wn18rr"])
def test_the_command_trains_a_public_graph_and_resumes(tmp_path, monkeypatch, graph):
    monkeypatch.setattr(results, f"load_{graph}", lambda: replace(GRAPH, name=graph))
    monkeypatch.setattr(results, f"{graph.upper()}_SETTINGS", QUICK)
    result = invoke(graph, "--folder", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert f"{graph}, 0.0 minutes" in result.output
    assert "TransE" in result.output
    assert (tmp_path / f"{graph}-TransE").is_dir()


def test_the_command_gives_its_folder_to_the_cldr_table_too(tmp_path, small_cldr):
    result = invoke("cldr", "--folder", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert " ± " in result.output
    assert small_cldr == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 3 * len(QUICK)


def test_a_missing_download_is_an_error_of_the_book(monkeypatch):
    def missing():
        raise BookError("umls is not here, expected its files; run `bigmodel data fetch umls`.")

    monkeypatch.setattr(results, "load_umls", missing)
    result = invoke("umls")
    assert isinstance(result.exception, BookError)
    assert "bigmodel data fetch umls" in str(result.exception)
