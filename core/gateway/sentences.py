"""Sentences of the libraries that check input, told in the asker's language.

marshmallow and pydantic speak English and fill in their values themselves, so a filled sentence is recognised by its
form, translated and filled again. Our own sentences are translated as they stand. Codes and field names stay.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from flask_babel import gettext

from core.i18n import _

KNOWN = (
    _("Missing data for required field."),
    _("Field may not be null."),
    _("Unknown field."),
    _("Invalid value."),
    _("Invalid input type."),
    _("Invalid JSON body."),
    _("Not a valid string."),
    _("Not a valid utf-8 string."),
    _("Not a valid integer."),
    _("Not a valid number."),
    _("Not a valid boolean."),
    _("Not a valid UUID."),
    _("Not a valid list."),
    _("Not a valid mapping type."),
    _("Not a valid date."),
    _("Not a valid datetime."),
    _("Not a valid aware datetime."),
    _("Not a valid email address."),
    _("Not a valid URL."),
    _("Special numeric values (nan or infinity) are not permitted."),
    _("Number too large."),
    _("Not a valid {value}."),
    _("Must be one of: {choices}."),
    _("Must be equal to {other}."),
    _("Must be greater than or equal to {min}."),
    _("Must be greater than {min}."),
    _("Must be less than or equal to {max}."),
    _("Must be less than {max}."),
    _("Must be greater than or equal to {min} and less than or equal to {max}."),
    _("Shorter than minimum length {min}."),
    _("Longer than maximum length {max}."),
    _("Length must be between {min} and {max}."),
    _("Length must be {equal}."),
    _("String does not match expected pattern."),
    _("Input should be a valid integer, unable to parse string as an integer"),
    _("Input should be a valid integer"),
    _("Input should be a valid number, unable to parse string as a number"),
    _("Input should be a valid boolean, unable to interpret input"),
    _("Input should be a valid boolean"),
    _("Input should be a valid string"),
    _("Input should be greater than or equal to {min}"),
    _("Input should be greater than {min}"),
    _("Input should be less than or equal to {max}"),
    _("Input should be less than {max}"),
    _("Input should be {choices}"),
    _("String should have at least {min} characters"),
    _("String should have at most {max} characters"),
    _("There is no such event: {name}. Its plugin may not be installed."),
    _("There is no such action: {name}. Its plugin may not be installed."),
    _("The plugin of the event {name} is turned off."),
    _("The plugin of the action {name} is turned off."),
)
PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


@cache
def _forms() -> list[tuple[re.Pattern[str], str]]:
    """The sentences with values, most words first, so that the general ones come last."""
    filled = sorted((text for text in KNOWN if "{" in text), key=len, reverse=True)
    return [(re.compile(PLACEHOLDER.sub(r"(?P<\1>.+)", re.escape(text)), re.DOTALL), text) for text in filled]


def told(sentence: str) -> str:
    """A sentence in the asker's language; one that is not known stays as it is."""
    if not sentence:
        return sentence
    translation: str = gettext(sentence)
    if translation != sentence or sentence in KNOWN or len(sentence) > 500:
        return translation
    for form, text in _forms():
        if found := form.fullmatch(sentence):
            return str(gettext(text)).format(**found.groupdict())
    return sentence


def told_details(details: Any) -> Any:
    """Details of a refusal with its sentences translated: lists of sentences by field, at any depth."""
    if isinstance(details, dict):
        return {key: told_details(value) for key, value in details.items()}
    if isinstance(details, (list, tuple)):
        return [told(item) if isinstance(item, str) else told_details(item) for item in details]
    return details
