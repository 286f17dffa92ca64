"""Knowledge graphs from files of triples: UMLS, WN18RR and FB15k-237, or a reader's own.

`bigmodel_edu.data.cldr_graph` builds a graph from what the reader has already.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from bigmodel_edu.errors import HyperparameterError

from .downloads import fetch
from .graph import PARTS, GraphError, KnowledgeGraph
from .registry import DOWNLOADS, DataFileError

Triple = tuple[str, str, str]
Unseen = Literal["keep", "drop", "error"]


def read_triples(path: str | Path) -> list[Triple]:
    """Read facts from a text file: a line is head, relation and tail, separated by tabs.

    Raises:
        DataFileError: the file cannot be read, is empty or has a line that is not a fact.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path} cannot be read ({error.strerror}): expected a text file of facts, one a line."
        ) from error
    lines = content.split(b"\n")
    if lines[-1] == b"":  # what follows the last line's end
        lines.pop()
    if not lines:
        raise DataFileError(
            f"{path} is empty, expected one fact a line: head, relation and tail, separated by "
            "tabs."
        )
    return [_triple(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def graph_from_files(
    train: str | Path,
    valid: str | Path,
    test: str | Path,
    name: str | None = None,
    source: str | None = None,
    unseen: Unseen = "error",
) -> KnowledgeGraph:
    """Read a knowledge graph from three files, see `read_triples`.

    Entities and relations are numbered in the order of their names.

    Args:
        unseen: what to do with entities and relations of valid and test that have no fact in
            train. "error" refuses them; "drop" leaves out the facts that name them; "keep" keeps
            them, as the published numbers for WN18RR and FB15k-237 do.

    Raises:
        DataFileError: a file cannot be read, or a line in it is not a fact.
        GraphError: a part is empty, a fact occurs twice, or there are `unseen` entities.
        HyperparameterError: `unseen` is none of the three.
    """
    if unseen not in ("keep", "drop", "error"):
        raise HyperparameterError(f"unseen must be 'keep', 'drop' or 'error', got {unseen!r}.")
    paths = {"train": Path(train), "valid": Path(valid), "test": Path(test)}
    triples = {part: read_triples(path) for part, path in paths.items()}
    if unseen == "error":
        _expect_seen(triples, paths)
    elif unseen == "drop":
        triples = _seen_only(triples, paths)
    return graph_from_triples(
        name or paths["train"].parent.name,
        triples,
        source=source or str(paths["train"].parent),
        allow_unseen=unseen == "keep",
    )


def graph_from_triples(
    name: str,
    triples: dict[str, list[Triple]],
    source: str,
    titles: dict[str, str] | None = None,
    kinds: dict[str, str] | None = None,
    allow_unseen: bool = False,
) -> KnowledgeGraph:
    """Make a graph of the named facts in "train", "valid" and "test"."""
    every = [triple for part in PARTS for triple in triples[part]]
    entities = tuple(sorted({h for h, _, _ in every} | {t for _, _, t in every}))
    relations = tuple(sorted({r for _, r, _ in every}))
    entity = {name: number for number, name in enumerate(entities)}
    relation = {name: number for number, name in enumerate(relations)}
    parts = {
        part: np.array(
            [(entity[h], relation[r], entity[t]) for h, r, t in triples[part]], dtype=np.int64
        )
        for part in PARTS
    }
    return KnowledgeGraph(
        name=name,
        entities=entities,
        relations=relations,
        **parts,
        source=source,
        titles=tuple(titles[e] for e in entities) if titles else (),
        kinds=tuple(kinds[e] for e in entities) if kinds else (),
        allow_unseen=allow_unseen,
    )


def load_umls(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load UMLS: 135 entities, 46 relations, 5,216 + 652 + 661 facts of biomedicine.

    Every entity of valid and test occurs in train, so `unseen` changes nothing.

    Source: the UMLS Semantic Network, as a graph in Kok and Domingos (2007), Statistical Predicate
    Invention; the split is the one that PyKEEN carries.
    """
    return _load("umls", unseen)


def load_wn18rr(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load WN18RR: 40,943 word senses, 11 relations, 86,835 + 3,034 + 3,134 facts of WordNet.

    WN18 had each relation and its inverse, so that most of its test facts stood in train, turned
    round; WN18RR has no such pair of relations any more. What was removed left 384 entities
    without a fact to train on; 210 facts of valid and 210 of test name one. Published numbers
    keep these facts, although no model that learns one embedding per entity can know them, and so
    does the default; "drop" leaves them out, which gives better numbers, not to be compared with
    those.

    Source: T. Dettmers, P. Minervini, P. Stenetorp and S. Riedel (2018), Convolutional 2D
    Knowledge Graph Embeddings, arXiv:1707.01476.
    """
    return _load("wn18rr", unseen)


def load_fb15k237(unseen: Unseen = "keep") -> KnowledgeGraph:
    """Load FB15k-237: 14,541 entities, 237 relations, 272,115 + 17,535 + 20,466 facts of Freebase.

    Of FB15k's relations, those that (nearly) repeat or invert another were removed. A few facts of
    valid and test name entities that train does not; as for WN18RR, the default keeps them.

    Source: K. Toutanova and D. Chen (2015), Observed versus Latent Features for Knowledge Base and
    Text Inference, Workshop on Continuous Vector Space Models and their Compositionality.
    """
    return _load("fb15k-237", unseen)


# --- reading


def _load(name: str, unseen: Unseen) -> KnowledgeGraph:
    train, valid, test = fetch(name)
    source = DOWNLOADS[name].source
    return graph_from_files(train, valid, test, name=name, source=source, unseen=unseen)


def _triple(line: bytes, place: str) -> Triple:
    try:
        text = line.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"{place}: expected UTF-8, got the byte 0x{line[error.start]:02x} in column "
            f"{error.start + 1}: save the file as UTF-8."
        ) from error
    fields = [field.strip() for field in text.split("\t")]
    if len(fields) != 3:
        raise DataFileError(
            f"{place}: expected 3 fields separated by tabs (head, relation, tail), got "
            f"{len(fields)} in {text[:60]!r}: correct the line or delete it."
        )
    if "" in fields:
        empty = ("head", "relation", "tail")[fields.index("")]
        raise DataFileError(
            f"{place}: expected a head, a relation and a tail, got an empty {empty} in "
            f"{text[:60]!r}: fill it in or delete the line."
        )
    return fields[0], fields[1], fields[2]


def _expect_seen(triples: dict[str, list[Triple]], paths: dict[str, Path]) -> None:
    entities, relations = _named(triples["train"])
    for part in ("valid", "test"):
        for number, (h, r, t) in enumerate(triples[part], 1):
            kind, name = next(
                (
                    (kind, name)
                    for kind, name, seen in (
                        ("entity", h, entities),
                        ("relation", r, relations),
                        ("entity", t, entities),
                    )
                    if name not in seen
                ),
                ("", ""),
            )
            if kind:
                raise GraphError(
                    f"{paths[part]}, line {number}: the {kind} {name!r} has no fact in "
                    f"{paths['train']}, so that nothing can be learned about it: move a fact of "
                    "it there, or read with unseen='drop' (leaves such facts out) or 'keep'."
                )


def _seen_only(triples: dict[str, list[Triple]], paths: dict[str, Path]) -> dict[str, list[Triple]]:
    entities, relations = _named(triples["train"])
    kept = {
        part: [(h, r, t) for h, r, t in rows if h in entities and r in relations and t in entities]
        for part, rows in triples.items()
    }
    for part, rows in kept.items():
        if not rows:
            raise GraphError(
                f"{paths[part]}: no fact is left, each names an entity or a relation without a "
                f"fact in {paths['train']}: read with unseen='keep', or split the facts anew."
            )
    return kept


def _named(triples: list[Triple]) -> tuple[set[str], set[str]]:
    entities = {h for h, _, _ in triples} | {t for _, _, t in triples}
    return entities, {r for _, r, _ in triples}
