"""Flask-AppBuilder's role tables, imported so that they are part of the metadata."""

from flask_appbuilder.security.sqla import models

TABLES = sorted(table for table in models.Permission.metadata.tables if table.startswith("ab_"))
