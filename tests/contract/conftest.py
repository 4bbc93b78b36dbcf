from tests.core.doors import people, site, web

__all__ = ["people", "site", "web"]
