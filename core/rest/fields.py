"""One namespace for schema authors: marshmallow's field types and ours."""

from marshmallow.fields import *

from core.rest.schema import Address as Address
from core.rest.schema import File as File
from core.rest.schema import Instant as Instant
from core.rest.schema import Integer as Integer
from core.rest.schema import Money as Money
from core.rest.schema import Translated as Translated
from core.rest.schema import Units as Units
