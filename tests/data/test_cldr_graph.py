"""The graph says what CLDR's tables say, and its careful split gives no answers away."""

import os
import subprocess
import sys

import numpy as np
import pytest
from babel import Locale
from babel.core import get_global

from bigmodel_edu.data import (
    CLDR_RELATIONS,
    cldr_names_of,
    hold_out_entities,
    leaks,
    load_cldr_graph,
)
from bigmodel_edu.errors import HyperparameterError, UnknownName


@pytest.fixture(scope="module")
def graph():
    return load_cldr_graph()


@pytest.fixture(scope="module")
def named(graph):
    return {(graph.entities[h], graph.relations[r], graph.entities[t]) for h, r, t in graph.facts}


def tails(named, head, relation):
    return {t.partition(":")[2] for h, r, t in named if (h, r) == (head, relation)}


@pytest.mark.parametrize(
    ("head", "relation", "codes"),
    [
        ("territory:CH", "official_language", {"de", "fr", "it"}),
        ("territory:CH", "regional_language", {"rm"}),
        ("territory:CH", "speaks", {"de", "fr", "it", "rm"}),
        ("territory:CH", "in_time_zone", {"Europe/Zurich"}),
        ("territory:JP", "uses_currency", {"JPY"}),
        ("territory:JP", "likely_language", {"ja"}),
        ("territory:DE", "uses_currency", {"EUR"}),
        ("territory:DE", "used_currency", {"DEM"}),
        ("territory:US", "week_starts_on", {"sun"}),
        ("territory:FR", "week_starts_on", {"mon"}),
        ("territory:MX", "follows_conventions_of", {"419"}),
        ("language:sr", "written_in", {"Cyrl", "Latn"}),
        ("language:el", "written_in", {"Grek"}),
        ("language:fi", "likely_territory", {"FI"}),
        ("script:Deva", "typical_language", {"hi"}),
        ("script:Deva", "typical_territory", {"IN"}),
        ("zone:Asia/Kolkata", "in_zone_area", {"Asia"}),
        ("zone:Asia/Kolkata", "keeps_time", {"India"}),
    ],
)
def test_known_facts(named, head, relation, codes):
    assert codes <= tails(named, head, relation)
    if relation in ("uses_currency", "likely_language", "week_starts_on"):
        assert tails(named, head, relation) == codes


def test_what_is_not_so(named):
    assert ("territory:DE", "uses_currency", "currency:DEM") not in named
    assert ("territory:JP", "follows_conventions_of", "region:419") not in named
    assert ("territory:CH", "uses_currency", "currency:CHW") not in named, "no legal tender"


def test_facts_of_tables_are_all_here(graph, named):
    english = Locale("en")
    spoken = {
        (f"territory:{territory}", f"language:{tag.partition('_')[0]}")
        for territory, languages in get_global("territory_languages").items()
        for tag in languages
        if territory in english.territories
        and tag.partition("_")[0] in english.languages.keys() - {"und"}
    }
    assert {(h, t) for h, r, t in named if r == "speaks"} == spoken
    zones = {
        f"zone:{zone}" for zone in get_global("zone_territories") if not zone.startswith("Etc/")
    }
    assert {t for _, r, t in named if r == "in_time_zone"} == zones
    for relation in ("official_language", "regional_language"):
        assert {(h, t) for h, r, t in named if r == relation} <= spoken
    assert len(graph.facts) > 5000
    assert graph.source.startswith("Unicode CLDR")


def test_every_relation_links_what_it_says(graph, named):
    assert set(graph.relations) == set(CLDR_RELATIONS)
    for head, relation, tail in named:
        head_kind, tail_kinds, _ = CLDR_RELATIONS[relation]
        assert head.partition(":")[0] == head_kind
        assert tail.partition(":")[0] in tail_kinds.split(" or ")


def test_entities_have_english_titles_and_kinds(graph):
    assert all(graph.titles)
    assert graph.kinds == tuple(name.partition(":")[0] for name in graph.entities)
    title = dict(zip(graph.entities, graph.titles, strict=True))
    assert title["territory:CH"] == "Switzerland"
    assert title["currency:CHF"] == "Swiss Franc"
    assert title["zone:Asia/Kolkata"] == "Kolkata"
    assert title["zone:America/New_York"] == "New York"
    assert title["time:Europe_Central"] == "Central European Time"
    assert title["day:sun"] == "Sunday"
    for noise in ("territory:ZZ", "territory:XA", "territory:SU", "script:Zzzz", "language:und"):
        assert noise not in title
    assert "Switzerland official language French" in graph.neighbours("territory:CH")


def test_careful_split_gives_nothing_away_and_a_random_one_does(graph):
    assert len(leaks(graph.train, graph.test)) == 0
    assert len(leaks(graph.train, graph.valid)) == 0
    assert len(leaks(graph.valid, graph.test)) == 0
    naive = load_cldr_graph(split="random")
    assert len(leaks(naive.train, naive.test)) > 0.25 * len(naive.test)
    assert sorted(map(tuple, naive.facts)) == sorted(map(tuple, graph.facts))
    for g in (graph, naive):
        assert len(g.valid) / len(g.facts) == pytest.approx(0.1, abs=0.005)
        assert len(g.test) / len(g.facts) == pytest.approx(0.1, abs=0.005)
        assert set(g.test[:, 1]) == set(range(g.num_relations))


def test_no_relation_repeats_or_inverts_another(graph):
    pairs = [
        {(h, t) for h, _, t in graph.facts[graph.facts[:, 1] == r].tolist()}
        for r in range(graph.num_relations)
    ]
    for i, first in enumerate(pairs):
        for j, second in enumerate(pairs):
            turned = {(t, h) for h, t in second}
            if i != j:
                assert len(first & second) / len(first | second) < 0.6
                assert len(first & turned) / len(first | turned) < 0.6


def test_split_follows_from_its_seed_alone(graph):
    other = load_cldr_graph(seed=1)
    assert not np.array_equal(other.test[:50], graph.test[:50])
    code = (
        "from bigmodel_edu.data import load_cldr_graph; g = load_cldr_graph();"
        "print(g.entities[::50], g.titles[::50], g.train[::50].tolist(), g.test[:9].tolist())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=dict(os.environ, PYTHONHASHSEED="1234"),
        capture_output=True,
        text=True,
        check=True,
    )
    g = graph
    expected = g.entities[::50], g.titles[::50], g.train[::50].tolist(), g.test[:9].tolist()
    assert result.stdout.strip() == " ".join(map(str, expected))


def test_bad_split(graph):
    with pytest.raises(UnknownName, match="'careful' or 'random'"):
        load_cldr_graph(split="naive")
    with pytest.raises(HyperparameterError, match="leave some facts"):
        load_cldr_graph(test_fraction=0.95)


def test_names_in_several_languages(graph):
    names = cldr_names_of(graph, ("en", "de", "ja"))
    assert list(names) == list(graph.entities)
    assert names["territory:CH"] == {"en": "Switzerland", "de": "Schweiz", "ja": "スイス"}
    assert names["language:de"]["de"] == "Deutsch"
    assert names["script:Cyrl"]["de"] == "Kyrillisch"
    assert names["currency:JPY"]["de"] == "Japanischer Yen"
    assert names["zone:Europe/Zurich"]["de"] == "Zürich"
    assert names["zone:Asia/Kolkata"]["de"] == "Kalkutta"
    assert names["day:mon"]["de"] == "Montag"
    assert all(
        names[entity]["en"] == title
        for entity, title in zip(graph.entities, graph.titles, strict=True)
    )
    assert cldr_names_of(["territory:FR"], ["it"]) == {"territory:FR": {"it": "Francia"}}
    with pytest.raises(UnknownName, match="no language 'xx'"):
        cldr_names_of(graph, ("xx",))


def test_territories_can_be_held_out(graph):
    new = hold_out_entities(graph, np.random.default_rng(0), kinds=("territory",))
    assert set(new.kinds) == {"territory"}
    assert len(new.names) == round(0.1 * graph.kinds.count("territory"))
    assert len(new.known) == 3 * len(new.names)
    assert new.left_out == ()


@pytest.mark.parametrize("name", ["Switzerland", "planet:mars"])
def test_names_of_what_is_no_entity_of_this_graph(name):
    with pytest.raises(UnknownName, match=f"{name}' is no entity of the CLDR graph, expected a ki"):
        cldr_names_of(["territory:CH", name])
