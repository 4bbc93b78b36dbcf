"""One namespace for schema authors: marshmallow's field types and ours."""

from marshmallow.fields import *  # noqa: F403

from core.rest.schema import Instant, Money, Units  # noqa: F401
