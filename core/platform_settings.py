"""Settings of the platform itself that an admin may change while Guildhall runs. Boot settings are in config.py."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from core.actor import Actor
from core.i18n import _
from core.settings import Settings

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
MOST = 10_000_000
FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
PROFILE = ("bio", "location", "website", "avatar")


@lru_cache(maxsize=8)
def networks(given: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks separated by spaces. Raises ValueError for what is none, or has bits beyond its prefix."""
    return tuple(ip_network(one) for one in given.split())


def _names(given: str) -> list[str]:
    names = list(dict.fromkeys(given.replace(",", " ").split()))
    if wrong := [name for name in names if not FIELD.fullmatch(name)]:
        raise ValueError(f"give short names of small letters, digits and _, not {' '.join(wrong)}")
    if len(names) > 20:
        raise ValueError("give at most 20 fields")
    return names


def _within(ip: str, given: str) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks(given))


class PlatformSettings(Settings):
    rate_limits: bool = Field(True, description=_("Limit how many requests may be made of the API."))
    rate_window_minutes: int = Field(15, ge=1, le=1440, description=_("How long requests are counted together."))
    rate_anonymous: int = Field(
        100, ge=1, le=MOST, description=_("Requests by an address that has not signed in, in each window.")
    )
    rate_profile: Literal["standard", "seeds"] = Field(
        "standard", description=_("Which figure counts for signed-in members: the standard one, or the strict one.")
    )
    rate_member: int = Field(
        1000, ge=1, le=MOST, description=_("Requests by a signed-in member in each window, with the profile standard.")
    )
    rate_member_seeds: int = Field(
        50, ge=1, le=MOST, description=_("Requests by a signed-in member in each window, with the profile seeds.")
    )
    rate_payment: int = Field(
        10, ge=1, le=MOST, description=_("Requests by a member on payment routes in each window.")
    )
    registration: bool = Field(False, description=_("Let people register by themselves; they confirm their e-mail."))
    wallet_registration: bool = Field(
        True,
        description=_(
            "Let a wallet alone be enough to register, without an e-mail address; only where people may register by "
            "themselves."
        ),
    )
    mail_codes: bool = Field(
        True, description=_("Let people sign in with a code that is mailed to them, where a mail server is configured.")
    )
    sms_codes: bool = Field(
        True,
        description=_(
            "Let members use codes by text message, as a second factor and to confirm who they are, where a plugin "
            "sends them."
        ),
    )
    sms_sign_in: bool = Field(
        False,
        description=_(
            "Let a code by text message sign in without a password. Off by default: a number can be taken over at the "
            "phone company."
        ),
    )
    sms_per_day: int = Field(
        10,
        ge=1,
        le=1000,
        description=_(
            "How many text messages a member may be sent within a day; those to sign in without a password are counted "
            "by themselves."
        ),
    )
    require_admin_two_factor: Literal["auto", "yes", "no"] = Field(
        "auto",
        description=_(
            "Admins sign in with a second factor, and can do nothing before they have set it up. "
            "With auto it is so everywhere but where the demo runs."
        ),
    )
    admin_second_factors: Literal["totp", "totp_sms", "totp_mail", "totp_sms_mail"] = Field(
        "totp",
        description=_(
            "Which second factors are enough for admins: codes of an app (totp), of text messages, of mails. The app "
            "alone by default: who reads an admin's mail can reset the password too, so that a mailed code is no "
            "second proof, and a phone number can be taken over at the phone company."
        ),
    )
    admin_addresses: str = Field(
        "",
        description=_(
            "Networks that admins may come from, such as 203.0.113.0/24 2001:db8::/32, separated by spaces. It holds "
            "for their pages, their clients and their API keys. Empty: from everywhere."
        ),
    )
    impersonation_minutes: int = Field(
        30, ge=1, le=480, description=_("How long an admin may act as another member before it ends by itself.")
    )
    profile_fields: str = Field(
        "",
        description=_(
            "Further fields of the profile, by short names such as github pronouns, separated by spaces. "
            "Each takes one line of text."
        ),
    )
    profile_required: str = Field(
        "bio location",
        description=_(
            "Fields of the profile that make it complete, separated by spaces: bio, location, website, avatar, "
            "and the further fields."
        ),
    )
    cors_origins: str = Field(
        "",
        description=_(
            "Other web sites whose pages may call the API in a member's name, such as https://app.example.org; "
            "several are separated by spaces. Empty allows none."
        ),
    )
    delivery_days: int = Field(
        14, ge=0, le=36500, description=_("Days that finished deliveries are kept. 0 keeps them for ever.")
    )
    quarantine_after: int = Field(
        50,
        ge=0,
        le=MOST,
        description=_(
            "A plugin is taken out of service when so many of its deliveries failed, and fewer were made, within the "
            "minutes below. 0 never does."
        ),
    )
    quarantine_minutes: int = Field(
        10, ge=1, le=1440, description=_("The minutes in which failures are counted before a plugin is quarantined.")
    )
    job_days: int = Field(
        30,
        ge=0,
        le=36500,
        description=_("Days that jobs which ended are kept; failed ones stay. 0 keeps all for ever."),
    )
    idempotency_days: int = Field(
        30,
        ge=1,
        le=3650,
        description=_(
            "Days that the answer to a request with an Idempotency-Key is kept. The same request sent again later is "
            "carried out again."
        ),
    )
    session_days: int = Field(
        90,
        ge=0,
        le=3650,
        description=_("Days that sessions are kept once their time is over, with their tokens. 0 keeps them for ever."),
    )
    file_megabytes: int = Field(8, ge=1, le=2000, description=_("The largest file that is taken, in megabytes."))
    image_megabytes: int = Field(8, ge=1, le=50, description=_("The largest image that is taken, in megabytes."))
    document_megabytes: int = Field(
        8,
        ge=1,
        le=10,
        description=_("The largest PDF that is taken, in megabytes. It is written anew, for which it is read whole."),
    )
    text_megabytes: int = Field(
        8, ge=1, le=2000, description=_("The largest text or table (CSV) that is taken, in megabytes.")
    )
    media_megabytes: int = Field(
        8, ge=1, le=2000, description=_("The largest sound or film that is taken, in megabytes.")
    )
    image_megapixels: int = Field(
        40, ge=1, le=200, description=_("The most pixels of an image, all its frames together, in millions.")
    )
    files_per_day: int = Field(100, ge=1, le=MOST, description=_("How many files a member may send within a day."))
    file_link_minutes: int = Field(15, ge=1, le=1440, description=_("How long a link to a file is good."))
    loose_file_hours: int = Field(
        24, ge=1, le=8760, description=_("How long a file is kept that was sent and then used for nothing.")
    )
    export_days: int = Field(7, ge=1, le=90, description=_("Days that a copy of a member's data can be fetched."))
    deleted_record_days: int = Field(
        90,
        ge=0,
        le=3650,
        description=_(
            "Days that deleted records can be restored, where their kind keeps them and says nothing else. 0: for ever."
        ),
    )
    erasure_grace_days: int = Field(
        14, ge=0, le=90, description=_("Days in which members may withdraw the wish to be erased.")
    )
    signal_days: int = Field(
        90,
        ge=0,
        le=3650,
        description=_(
            "Days that keyed hashes of a member's browser, address and wallets are kept, to tell when many accounts "
            "are one person's. 0 keeps none."
        ),
    )
    automation_chain: int = Field(
        5,
        ge=0,
        le=50,
        description=_(
            "How many runs of automations may lead to one another, each by an event of the one before. One more is "
            "refused as a loop, and so is an automation that leads to itself."
        ),
    )
    automation_run_days: int = Field(
        90, ge=0, le=36500, description=_("Days that runs of automations are kept. 0 keeps them for ever.")
    )
    report_seconds: int = Field(
        20, ge=1, le=600, description=_("A report that takes longer is stopped; who asked for it is told.")
    )
    report_attachment_kilobytes: int = Field(
        2000,
        ge=0,
        le=20_000,
        description=_("A scheduled report of up to so many kilobytes is attached to its e-mail; else it has a link."),
    )
    report_copy_days: int = Field(
        30, ge=1, le=3650, description=_("Days that the files of scheduled reports can be fetched.")
    )
    graphql_depth: int = Field(12, ge=2, le=50, description=_("GraphQL: how deep a query may go."))
    graphql_fields: int = Field(
        500, ge=10, le=5000, description=_("GraphQL: how many fields a query may name, aliases and fragments counted.")
    )
    graphql_page: int = Field(100, ge=1, le=200, description=_("GraphQL: the most rows of a page."))
    graphql_cost: int = Field(
        5000,
        ge=100,
        le=1_000_000,
        description=_("GraphQL: how many records a query may read, as estimated before it is carried out."),
    )
    graphql_seconds: int = Field(
        5, ge=1, le=60, description=_("GraphQL: how many seconds one statement of a query may take.")
    )
    stream_minutes: int = Field(
        5, ge=1, le=60, description=_("Minutes after which a stream of events is closed, for its client to resume.")
    )
    streams: int = Field(
        4,
        ge=0,
        le=64,
        description=_(
            "How many streams of events a web process keeps open, at most half of its threads. 0 keeps none."
        ),
    )
    streams_each: int = Field(2, ge=1, le=64, description=_("How many of them one member may have."))
    event_days: int = Field(
        0,
        ge=0,
        le=36500,
        description=_("Days that events are kept once every delivery is made. 0 keeps them for ever."),
    )

    @field_validator("admin_addresses")
    @classmethod
    def _networks(cls, given: str) -> str:
        try:
            return " ".join(dict.fromkeys(str(network) for network in networks(given.replace(",", " "))))
        except ValueError as problem:
            raise ValueError(f"give networks like 203.0.113.0/24: {problem}") from None

    @field_validator("profile_fields")
    @classmethod
    def _further(cls, given: str) -> str:
        names = _names(given)
        if taken := [name for name in names if name in (*PROFILE, "display_name", "preferred_chain", "profile")]:
            raise ValueError(f"these fields are there already: {' '.join(taken)}")
        return " ".join(names)

    @field_validator("profile_required")
    @classmethod
    def _required(cls, given: str, info: ValidationInfo) -> str:
        names = _names(given)
        known = {*PROFILE, *info.data.get("profile_fields", "").split()}
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"the profile has no such field: {' '.join(unknown)}")
        return " ".join(names)

    def problems_for(self, actor: Actor) -> dict[str, list[str]]:
        if actor.ip is not None and not self.admits(actor.ip):
            return {"admin_addresses": [_("This would lock you out: your own address is not among them.")]}
        return {}

    def admits(self, ip: str | None) -> bool:
        """Whether an admin may come from this address."""
        return not self.admin_addresses or _within(ip or "", self.admin_addresses)

    @field_validator("cors_origins")
    @classmethod
    def _exact(cls, given: str) -> str:
        origins = [one.lower().rstrip("/") for one in given.replace(",", " ").split()]
        if wrong := [one for one in origins if not ORIGIN.fullmatch(one)]:
            raise ValueError(f"give exact origins like https://app.example.org, not {' '.join(wrong)}")
        return " ".join(dict.fromkeys(origins))

    def megabytes_of(self, media_type: str) -> int:
        """The limit of the kind of file that this media type is."""
        media, text = self.media_megabytes, self.text_megabytes
        kinds = {"image": self.image_megabytes, "audio": media, "video": media, "text": text}
        return kinds.get(media_type.partition("/")[0], self.document_megabytes)

    @property
    def origins(self) -> frozenset[str]:
        """The allowed origins, each as a browser sends it."""
        return frozenset(self.cors_origins.split())
