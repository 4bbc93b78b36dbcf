"""Settings an admin may change while Guildhall runs."""

from __future__ import annotations

from pydantic import Field

from guildhall import Settings, _


class NotificationSettings(Settings):
    """How notices leave Guildhall."""

    mail: bool = Field(True, description=_("Send notices by e-mail too, where a mail server is configured."))
    sender_name: str = Field(
        "",
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description=_("Name that e-mail comes from; empty takes the one of the configured sender address."),
    )
