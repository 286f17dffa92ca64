"""`python -m bigmodel_edu.cli` is `bigmodel`."""

from bigmodel_edu.cli import app

app()
