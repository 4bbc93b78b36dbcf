"""The laboratory that the tests of automations share."""

from tests.core.automations.laboratory import _laboratory as _laboratory
from tests.core.automations.laboratory import lab as lab
from tests.core.workshop import plain_logs as plain_logs
