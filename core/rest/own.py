"""The core's own routes, of which each module brings a part."""

from core.rest import api_keys, files, me, registration
from core.rest.auth import rest

__all__ = ["api_keys", "files", "me", "registration", "rest"]
