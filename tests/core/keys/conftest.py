"""What is shared with the tests of other parts of the core."""

from tests.core.workshop import shop as shop
