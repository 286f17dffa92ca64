"""The command `bigmodel`.

A command imports what it needs when it runs, so that `bigmodel --help` answers at once.
"""

from bigmodel_edu.cli.app import app

__all__ = ["app"]
