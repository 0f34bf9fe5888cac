"""The command ``openapi``: what the HTTP API takes and gives, without a server or a database."""

from __future__ import annotations

import json

import click

from ..http.api.openapi import document
from ..http.api.resources import ROUTES
from ..http.api.routing import Table


@click.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP API, as a server gives it at /openapi.json."""
    click.echo(json.dumps(document(Table(ROUTES)), indent=2))
