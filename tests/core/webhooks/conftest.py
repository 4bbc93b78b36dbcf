from tests.core.workshop import people, plain_logs, shop, site, web, workshop

__all__ = ["people", "plain_logs", "shop", "site", "web", "workshop"]
