"""What the web edition adds to Jupyter Book.

- Notebooks are shown as they were executed: chapters by the tests, answers as they are stored. What
  nobody has executed yet is run now.
- A chapter has the number of the catalogue, though chapters before it may not be written yet.
- Maths is set by a MathJax that stands on the site itself: no public server is asked.
- ``{all-terms}`` gathers the glossaries of the chapters, each written once in its chapter.
- The Colab button opens the notebook that the site carries (Colab cannot open MyST Markdown),
  and every notebook that the site carries first installs the book's package where it is missing.
- The scripts of Thebe, which every page would load from a public server when asked, are left out.
"""

import copy
import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.util.docutils import SphinxDirective

from bigmodel_edu.catalogue import CHAPTERS, Chapter
from bigmodel_edu.labs.executed import kept_or_run
from bigmodel_edu.labs.notebooks import read_notebook

MATHJAX = "tex-chtml.js"
SITE_BRANCH = "gh-pages"  # where .github/workflows/book.yml publishes the site
INSTALL = """\
# Outside the book's own environment (in Google Colab, say) this installs its package.
import importlib.util

if importlib.util.find_spec("bigmodel_edu") is None:
    %pip install --quiet git+{repository}"""

GLOSSARY_ROW = re.compile(r"^\|(?P<english>[^|]+)\|(?P<chinese>[^|]+)\|(?P<meaning>.+)\|\s*$")
RULE = re.compile(r"^\|[\s:|-]+\|\s*$")


def show_executed(app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
    """Hand the outputs of every notebook to MyST-NB, by its cache, so that it runs none itself."""
    cache = get_cache(env.mystnb_config.execution_cache_path)
    for name in names:
        path = Path(env.doc2path(name))
        text = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is not None:
            notebook = with_outputs(reader.read(text), path)
            bundle = CacheBundleIn(notebook, str(path))
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def with_outputs(notebook: NotebookNode, path: Path) -> NotebookNode:
    """Return the notebook with its outputs: those stored beside it, or kept, or made now."""
    stored = path.with_suffix(".ipynb")
    executed = read_notebook(stored) if stored.exists() else None
    if executed is None or code_of(executed) != code_of(notebook):
        executed = kept_or_run(path).notebook
    shown = copy.deepcopy(notebook)
    for cell, run in zip(shown.cells, executed.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = run.outputs, run.execution_count
    return shown


def code_of(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def number_as_in_the_catalogue(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Give chapters, and all that is numbered in them, the chapter's number in the book.

    Sphinx counts the pages of the table of contents, and those of unwritten chapters are missing.
    """
    for chapter in CHAPTERS:
        name = f"chapters/{chapter.notebook}"
        if name in env.toc_secnumbers:
            numbers = env.toc_secnumbers[name]
            env.toc_secnumbers[name] = {at: _in(chapter, old) for at, old in numbers.items()}
            for numbered in (env.titles[name], *env.tocs[name].findall(nodes.reference)):
                numbered["secnumber"] = _in(chapter, numbered.get("secnumber"))
    return TocTreeCollector().assign_figure_numbers(env)  # those of exercises begin with it


def _in(chapter: Chapter, number: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The number of a section, its first part that of the chapter; deep sections have none."""
    return (chapter.number, *number[1:]) if number else number


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy MathJax into the site: one of its combined files, and what that file loads by name."""
    if error is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir, "_static", "mathjax")
    shutil.copytree(source, target, ignore=_other_combined_files, dirs_exist_ok=True)


def _other_combined_files(folder: str, names: list[str]) -> list[str]:
    if Path(folder).name != "mathjax":
        return []
    return [name for name in names if name.endswith(".js") and name != MATHJAX]


class AllTerms(SphinxDirective):
    """One table of the terms of every chapter, in alphabetical order, each with its chapter.

    A chapter's terms are the rows ``| English | 中文 | Meaning |`` of the table that follows its
    heading with the word "glossary" in it.
    """

    def run(self) -> list[nodes.Node]:
        rows = []
        for chapter in sorted(Path(self.env.srcdir, "chapters").glob("[0-9][0-9]_*.md")):
            self.env.note_dependency(str(chapter))
            name = f"chapters/{chapter.stem}"
            if name in self.env.found_docs:
                text = chapter.read_text(encoding="utf-8")
                rows += [
                    (*row, f"{{doc}}`{int(chapter.stem[:2])} </{name}>`") for row in terms(text)
                ]
        lines = ["| English | 中文 | Meaning | Chapter |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in sorted(rows, key=_alphabetical)]
        container = nodes.container(classes=["all-terms"])
        self.state.nested_parse(StringList(lines, self.get_source_info()[0]), 0, container)
        return [container]


def _alphabetical(row: tuple[str, ...]) -> str:
    return re.sub(r"[^a-z0-9]", "", row[0].lower())


def terms(chapter: str) -> list[tuple[str, str, str]]:
    """Return the rows (English, 中文, meaning) of the glossary in the text of a chapter."""
    heading = re.search(r"^#+ .*glossary.*$", chapter, flags=re.IGNORECASE | re.MULTILINE)
    section = chapter[heading.end() :].split("\n#", 1)[0] if heading else ""
    table = [line for line in section.splitlines() if line.startswith("|")]
    cells = [GLOSSARY_ROW.match(line) for line in table[1:] if not RULE.match(line)]
    return [tuple(text.strip() for text in row.groups()) for row in cells if row]


def open_built_notebook_in_colab(app: Sphinx, page: str, template: str, context: dict, doctree):
    """Point the Colab button of a page at the notebook that stands beside it on the site."""
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button["text"] == "Colab":
                base = button["url"].partition("/blob/")[0]
                button["url"] = f"{base}/blob/{SITE_BRANCH}/_sources/{page}.ipynb"


def leave_out_thebe(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Drop Thebe's scripts: the book starts a notebook elsewhere, not in the page."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script} {getattr(script, 'attributes', {}).get('body', '')}".lower()
    ]


def install_package_first(app: Sphinx, error: Exception | None) -> None:
    """Begin each notebook of the site with a cell that installs the package where it is missing."""
    if error is not None or app.builder.format != "html":
        return
    source = INSTALL.format(repository=app.config.html_theme_options["repository_url"])
    cell = {"cell_type": "code", "execution_count": None, "id": "install", "metadata": {}}
    cell |= {"outputs": [], "source": source}
    for path in Path(app.outdir, "_sources").rglob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if notebook["cells"][0].get("source") != source:
            notebook["cells"].insert(0, cell)
            path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the above with Sphinx."""
    app.add_directive("all-terms", AllTerms)
    app.connect("env-before-read-docs", show_executed)
    app.connect("env-get-updated", number_as_in_the_catalogue, priority=900)  # after Sphinx's own
    app.connect("html-page-context", open_built_notebook_in_colab, priority=900)
    app.connect("html-page-context", leave_out_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", install_package_first)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
