"""The book's data: real data that its dependencies carry, and public sets to download.

`describe()` lists everything. Importing this package loads only NumPy; scikit-learn, Babel, pooch,
unearth and Pillow come in when a loader first needs them.
"""

from .archives import Archive, open_archive
from .cldr_dates import DATE_LANGUAGES, CldrDates, DatePairs, load_cldr_dates
from .cldr_graph import RELATIONS as CLDR_RELATIONS
from .cldr_graph import cldr_names_of, load_cldr_graph
from .cldr_names import NAME_LANGUAGES, CldrNames, load_cldr_names
from .digits import Digits, load_digits
from .documentation import Docstring, Documentation, load_documentation
from .downloads import data_folder, fetch, human_size, status
from .emoji import Emoji, load_emoji
from .fashion_mnist import CLASS_NAMES as FASHION_MNIST_CLASS_NAMES
from .fashion_mnist import FashionMNIST, load_fashion_mnist, read_idx
from .graph import GraphError, KnowledgeGraph, questions_of
from .graph_splits import NewEntities, hold_out_entities, leaks, split_facts
from .overview import INCLUDED, Included, describe
from .registry import DOWNLOADS, DataFile, DataFileError, Download, PackageArchive
from .sentences import DocumentationSentences, load_documentation_sentences
from .sotu import Address, StateOfTheUnion, load_sotu
from .text import load_tiny_shakespeare
from .triples import (
    graph_from_files,
    graph_from_triples,
    load_fb15k237,
    load_umls,
    load_wn18rr,
    read_triples,
)
from .validation import NonFiniteError, validate_examples
from .writing import Writing, load_python_topics, load_writing

__all__ = [
    "CLDR_RELATIONS",
    "DATE_LANGUAGES",
    "DOWNLOADS",
    "FASHION_MNIST_CLASS_NAMES",
    "INCLUDED",
    "NAME_LANGUAGES",
    "Address",
    "Archive",
    "CldrDates",
    "CldrNames",
    "DataFile",
    "DataFileError",
    "DatePairs",
    "Digits",
    "Docstring",
    "Documentation",
    "DocumentationSentences",
    "Download",
    "Emoji",
    "FashionMNIST",
    "GraphError",
    "Included",
    "KnowledgeGraph",
    "NewEntities",
    "NonFiniteError",
    "PackageArchive",
    "StateOfTheUnion",
    "Writing",
    "cldr_names_of",
    "data_folder",
    "describe",
    "fetch",
    "graph_from_files",
    "graph_from_triples",
    "hold_out_entities",
    "human_size",
    "leaks",
    "load_cldr_dates",
    "load_cldr_graph",
    "load_cldr_names",
    "load_digits",
    "load_documentation",
    "load_documentation_sentences",
    "load_emoji",
    "load_fashion_mnist",
    "load_fb15k237",
    "load_python_topics",
    "load_sotu",
    "load_tiny_shakespeare",
    "load_umls",
    "load_wn18rr",
    "load_writing",
    "open_archive",
    "questions_of",
    "read_idx",
    "read_triples",
    "split_facts",
    "status",
    "validate_examples",
]
