"""The public face for pages and REST: what a plugin's ``rest.py`` and ``admin.py`` import."""

from core.admin.pages import PageBlueprint, flash, redirect, render, tried
from core.gateway.lasting import lasting
from core.gateway.request import is_api
from core.rest import fields
from core.rest.blueprint import RestBlueprint
from core.rest.body import read_json
from core.rest.paging import Page, PageQuery, paginate
from core.rest.schema import Schema

__all__ = [
    "Page",
    "PageBlueprint",
    "PageQuery",
    "RestBlueprint",
    "Schema",
    "fields",
    "flash",
    "is_api",
    "lasting",
    "paginate",
    "read_json",
    "redirect",
    "render",
    "tried",
]
