"""Sentences are clean, each is there once, and what documents one function stays together."""

import functools
import re
from collections import defaultdict

import numpy as np
import pytest

from bigmodel_edu.data import Docstring, Documentation, load_documentation_sentences, sentences
from bigmodel_edu.data.sentences import split_sentences
from bigmodel_edu.errors import HyperparameterError, UnknownName


@pytest.fixture
def real(real_documentation):
    return load_once()


@functools.cache
def load_once():
    return load_documentation_sentences()


def test_arrays_are_as_documented(real):
    assert real.labels.dtype == real.groups.dtype == real.train.dtype == np.int64
    assert len(real.sentences) == len(real.labels) == len(real.groups) > 2000
    assert real.subjects == ("statistics", "linear algebra")
    texts, labels = real.part("validation")
    assert texts[3] == real.sentences[real.validation[3]]
    np.testing.assert_array_equal(labels, real.labels[real.validation])
    assert set(real.characters) == set("".join(real.part("train")[0]))


def test_known_sentences(real):
    label = dict(zip(real.sentences, real.labels.tolist(), strict=True))
    assert label["Compute the eigenvalues of a complex Hermitian or real symmetric matrix."] == 1
    assert label["Solves the discrete Lyapunov equation using a bilinear transformation."] == 1
    statistics = [sentence for sentence in label if label[sentence] == 0]
    assert sum("random variable" in sentence for sentence in statistics) > 20


def test_sentences_are_clean(real):
    for sentence in real.sentences:
        assert 30 <= len(sentence) <= 200
        assert sentence[0].isupper()
        assert sentence[-1] in ".?!"
        assert sentence.isascii()
        assert not re.search(r">>>|``|:func:|^\S+ : |linalg|scipy|\\", sentence), sentence


def test_each_sentence_is_there_once(real):
    keys = [re.sub("[^a-z]+", " ", sentence.lower()) for sentence in real.sentences]
    assert len(set(keys)) == len(keys)


def test_classes_are_about_equal(real):
    statistics, algebra = np.bincount(real.labels)
    assert abs(statistics - algebra) <= 0.02 * algebra


def test_no_function_is_in_two_parts(real):
    rows = np.concatenate((real.train, real.validation, real.test))
    assert sorted(rows) == list(range(len(real.sentences)))
    train, validation, test = (
        set(real.groups[part].tolist()) for part in (real.train, real.validation, real.test)
    )
    assert not train & (validation | test)
    assert not validation & test
    assert len(real.test) / len(rows) == pytest.approx(0.15, abs=0.03)


def test_split_follows_from_its_seed(real):
    same, other = load_documentation_sentences(), load_documentation_sentences(seed=1)
    assert same.sentences == real.sentences
    np.testing.assert_array_equal(same.test, real.test)
    assert other.sentences != real.sentences


def small(*rows):
    return Documentation(tuple(Docstring(*row) for row in rows), {"scipy": "1", "numpy": "2"})


@pytest.fixture
def made(monkeypatch):
    """Sentences of a documentation made by hand, by name of the group."""

    def load(*rows):
        monkeypatch.setattr(sentences, "load_documentation", lambda: small(*rows))
        data = load_documentation_sentences(test_fraction=0, validation_fraction=0)
        found = defaultdict(list)
        for sentence, label, group in zip(data.sentences, data.labels, data.groups, strict=True):
            found[int(label)].append((sentence, int(group)))
        return found

    return load


A = "An eigenvector belongs to an eigenvalue."
B = "The median is a robust measure of location."
C = "The rank of a matrix counts its pivots."


def test_methods_and_namesakes_are_one_group(made):
    found = made(
        ("scipy.linalg._a", "svd", A),
        ("numpy.linalg._b", "svd.method", C),
        ("scipy.stats._c", "zscore", B),
        ("scipy.stats._c", "other", B.replace("median", "mode")),
        ("scipy.optimize", "f", "A sentence that is of neither subject here."),
    )
    assert [sentence for sentence, _ in found[1]] == [A, C]
    assert len({group for _, group in found[1]}) == 1
    assert sum(map(len, found.values())) == 4
    assert len({group for _, group in found[0]}) == 2


def test_larger_class_is_drawn_down_by_whole_functions(made):
    found = made(
        ("scipy.linalg", "f", A),
        ("scipy.stats", "one", B),
        ("scipy.stats", "two", B.replace("median", "mode")),
    )
    assert len(found[0]) == len(found[1]) == 1


def test_sentence_of_both_subjects_is_left_out(made):
    shared = "Default is 1, as it always was before."
    found = made(
        ("scipy.linalg", "f", f"{A} {shared}"),
        ("scipy.stats", "g", f"{B} {shared.replace('1', '2')}"),
    )
    assert [sentence for sentence, _ in found[0]] == [B]
    assert [sentence for sentence, _ in found[1]] == [A]


@pytest.mark.parametrize(
    "bad",
    [
        "Too short to be of use.",
        "A much too long sentence" + " that goes on and on" * 10 + ".",
        "This sentence ends with a colon and a list:",
        "this sentence begins in the middle of another.",
        "See the module scipy.stats for many more functions.",
        "With np.linalg.norm one computes the length of it.",
        "The parameter \\alpha is the level of significance.",
        "The template %(name)s is filled in when it is used.",
        "Größe is a German word that this sentence contains.",
        "Numbers 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14.",
    ],
)
def test_unclean_sentences_are_left_out(made, bad):
    found = made(("scipy.linalg", "f", f"{A}\n\n{bad}"), ("scipy.stats", "g", B))
    assert [sentence for sentence, _ in found[1]] == [A]


@pytest.mark.parametrize(
    ("paragraph", "parts"),
    [
        ("One. Two? Three! Four", ["One.", "Two?", "Three!", "Four"]),
        ("See e.g. Golub or i.e. This. So.", ["See e.g. Golub or i.e. This.", "So."]),
        ("After Golub et al. The method of 1.5 is x.y.", None),
        (
            "A matrix A. It is square (see above). Done.",
            ["A matrix A.", "It is square (see above).", "Done."],
        ),
    ],
)
def test_split_sentences(paragraph, parts):
    assert split_sentences(paragraph) == (parts or [paragraph])


def test_bad_arguments_are_refused(real):
    with pytest.raises(HyperparameterError, match="leave some sentences"):
        load_documentation_sentences(test_fraction=1.0)
    with pytest.raises(UnknownName, match="Unknown part 'dev'"):
        real.part("dev")


def test_description_names_sizes_source_and_licence(real):
    text = real.describe()
    for words in (f"{len(real.train):,} to train", "SciPy 1.", "NumPy 2.", "BSD-3-Clause"):
        assert words in text
