"""The web site that the tests of the core's doors share."""

from tests.core.doors import people as people
from tests.core.doors import site as site
from tests.core.doors import switch as switch
from tests.core.doors import web as web
