"""One notice as an e-mail, and the way to the mail server (SMTP, RFC 5321)."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from uuid import UUID

from guildhall import Member, Translator, _, now

from .queries import Notice

TIMEOUT_SECONDS = 10
FOOTER = _("You receive this because you are a member. All your notices: {url}")


class MailUnusable(Exception):
    """This mail can never be delivered; the message says why."""


class Misconfigured(Exception):
    """smtp_url or mail_from cannot be used. Never quotes the URL: it holds a password."""


@dataclass(frozen=True)
class Server:
    """Where mail is handed over. ``implicit_tls`` is smtps; otherwise STARTTLS where it is offered."""

    host: str
    port: int
    implicit_tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_url(cls, url: str) -> Server:
        """Read ``smtp://user:password@host:port`` or ``smtps://…``. Raises Misconfigured."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Misconfigured("smtp_url must read smtp://user:password@host:port") from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise Misconfigured("smtp_url must read smtp://user:password@host:port or smtps://…")
        secure = parts.scheme == "smtps"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.hostname, port or (465 if secure else 587), secure, user, password)

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, where nobody listens in."""
        with contextlib.suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"


def sender(configured: str, name: str = "") -> Address:
    """Who mail comes from: ``Name <address>``, perhaps under another name. Raises Misconfigured."""
    own_name, address = parseaddr(configured)
    try:
        return Address(name or own_name, addr_spec=address)
    except (ValueError, IndexError, MessageError):
        raise Misconfigured("mail_from must read Name <address@example.org>") from None


def compose(notice: Notice, member: Member, *, sender: Address, site: str, say: Translator) -> EmailMessage:
    """The notice as a message of plain text. ``site`` is the address people use, without a trailing slash; ``say``
    speaks the member's language, as the notice does.

    The Message-ID follows from the notice's id, so that a mail sent twice after a crash is known as one.
    Raises MailUnusable for an address that cannot stand in a header.
    """
    message = addressed(member, sender=sender, subject=notice.subject, number=notice.id, say=say)
    footer = say(FOOTER).replace("{url}", f"{site}/admin/notifications/mine")
    parts = (notice.body, notice.url and site + notice.url, footer)
    message.set_content("\n\n".join(part for part in parts if part))
    message["Content-Language"] = say.language
    return message


def addressed(member: Member, *, sender: Address, subject: str, number: UUID, say: Translator) -> EmailMessage:
    """A message to a member without its text; ``number`` makes the Message-ID. Raises MailUnusable."""
    message = EmailMessage()
    try:
        message["To"] = Address(" ".join(member.display_name.split()), addr_spec=member.email or "")
    except (ValueError, IndexError, MessageError) as problem:
        raise MailUnusable(f"The address cannot be used: {problem}") from None
    message["From"] = sender
    message["Subject"] = " ".join(subject.split())
    message["Message-ID"] = f"<{number}@{sender.domain}>"
    message["Date"] = now()
    message["Auto-Submitted"] = "auto-generated"
    return message


def send(server: Server, message: EmailMessage) -> None:
    """Hand ``message`` over. Each step may take ten seconds.

    Raises MailUnusable when the server refuses this mail for good (5xx). Any other failure, a refused sign-in
    included, is of the server and not of the mail: it raises what smtplib raises, and may be tried again.
    """
    origin, recipient = (message[head].addresses[0] for head in ("From", "To"))
    smtp = _connect(server, origin.domain)
    try:
        _sign_in(smtp, server)
        try:
            smtp.send_message(message, origin.addr_spec, [recipient.addr_spec])
        except smtplib.SMTPNotSupportedError as problem:
            raise MailUnusable(str(problem)) from None
        except smtplib.SMTPRecipientsRefused as problem:
            _give_up(*problem.recipients[recipient.addr_spec])
            raise
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as problem:
            _give_up(problem.smtp_code, problem.smtp_error)
            raise
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtp.quit()  # the mail is accepted by now, whatever happens to the good-bye
    finally:
        smtp.close()


def _connect(server: Server, own_name: str) -> smtplib.SMTP:
    if server.implicit_tls:
        tls = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=TIMEOUT_SECONDS, context=tls)
    return smtplib.SMTP(server.host, server.port, own_name, timeout=TIMEOUT_SECONDS)


def _sign_in(smtp: smtplib.SMTP, server: Server) -> None:
    smtp.ehlo_or_helo_if_needed()
    if not server.implicit_tls and smtp.has_extn("starttls"):
        smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo()
    elif not server.implicit_tls and server.user and not server.local:
        raise smtplib.SMTPNotSupportedError("The server offers no TLS, and a password is not sent without it.")
    if server.user:
        smtp.login(server.user, server.password)


def _give_up(code: int, answer: bytes | str) -> None:
    if 500 <= code < 600:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        raise MailUnusable(f"{code} {text}") from None
