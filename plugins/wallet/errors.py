"""The wallet's refusals."""

from __future__ import annotations

from guildhall import Conflict, Forbidden, Invalid, NotFound, _


class InsufficientFunds(Conflict):
    code = "INSUFFICIENT_FUNDS"
    sentence = _("The account has {available} available, but {needed} is needed.")


class WalletFrozen(Conflict):
    code = "WALLET_FROZEN"
    sentence = _("This wallet is frozen: it can receive, but {needed} cannot leave it. Ask an admin to unfreeze it.")


class WalletClosed(Conflict):
    code = "WALLET_CLOSED"
    sentence = _("A closed wallet can neither pay nor receive, so {needed} cannot be moved.")


class WalletNotEmpty(Conflict):
    code = "WALLET_NOT_EMPTY"
    sentence = _("Only an empty wallet can be closed; this one still holds {balance}.")


class HouseAccount(Conflict):
    code = "HOUSE_ACCOUNT"
    sentence = _("An account of the house can be frozen, but not closed.")


class AssetMismatch(Invalid):
    code = "ASSET_MISMATCH"
    sentence = _("Both accounts must hold {asset}: the source holds {source}, the destination {destination}.")


class UnknownAsset(Invalid):
    code = "UNKNOWN_ASSET"
    sentence = _("There is no asset called {asset}.")


class AmountNotPositive(Invalid):
    code = "AMOUNT_NOT_POSITIVE"
    sentence = _("The amount must be above zero and below 10 to the power of 38; this is {amount}.")


class SameAccount(Invalid):
    code = "SAME_ACCOUNT"
    sentence = _("Source and destination are the same account.")


class ReferenceTaken(Conflict):
    code = "REFERENCE_TAKEN"
    sentence = _("The reference {reference} already belongs to another transfer.")


class AlreadyReversed(Conflict):
    code = "ALREADY_REVERSED"
    sentence = _("This transfer has already been reversed.")


class AlreadyRefunded(Conflict):
    code = "ALREADY_REFUNDED"
    sentence = _("Parts of this transfer have been refunded, so it can no longer be reversed. Refund the rest instead.")


class RefundExceeds(Conflict):
    code = "REFUND_EXCEEDS"
    sentence = _("Only {available} of this transfer can still be refunded; {needed} was asked for.")


class LimitExceeded(Conflict):
    code = "LIMIT_EXCEEDED"
    sentence = _("The daily limit leaves {available} for today, but {needed} is needed. Try tomorrow, or ask an admin.")


class HoldExpired(Conflict):
    code = "HOLD_EXPIRED"
    sentence = _("This hold has expired and its amount is free again. Make a new hold.")


class HoldResolved(Conflict):
    code = "HOLD_RESOLVED"
    sentence = _("This hold was already {state}; it cannot be used again.")


class HoldShort(Conflict):
    code = "HOLD_SHORT"
    sentence = _("The hold reserves {available}; {needed} cannot be captured from it.")


class UnknownHold(NotFound):
    code = "UNKNOWN_HOLD"
    sentence = _("There is no such hold.")


class ExpiryRefused(Invalid):
    code = "EXPIRY_REFUSED"
    sentence = _("A hold ends between one second and 366 days from now.")


class Unbalanced(Invalid):
    code = "UNBALANCED"
    sentence = _("The legs of transfer {place} must sum to zero in {asset}.")


class LegsRefused(Invalid):
    code = "LEGS_REFUSED"
    sentence = _("Give 1 to 1,000 transfers of 2 to 100 legs each, every account once in a transfer.")


class UnknownTransfer(NotFound):
    code = "UNKNOWN_TRANSFER"
    sentence = _("There is no such transfer.")


class LimitRefused(Invalid):
    code = "LIMIT_REFUSED"
    sentence = _("A limit is zero or more; leave it empty for none.")


class SameAsset(Invalid):
    code = "SAME_ASSET"
    sentence = _("A conversion takes two different assets.")


class LabelRefused(Invalid):
    code = "LABEL_REFUSED"
    sentence = _("A wallet's name is one line of at most {most} characters.")


class NotRefundable(Conflict):
    code = "NOT_REFUNDABLE"
    sentence = _("Only a transfer between two accounts that is not itself a refund or a reversal can be refunded.")


class UnknownAccount(NotFound):
    code = "UNKNOWN_ACCOUNT"
    sentence = _("There is no such account.")


class UnknownMember(NotFound):
    code = "UNKNOWN_MEMBER"
    sentence = _("There is no such member.")


class ReasonRefused(Invalid):
    code = "REASON_REFUSED"
    sentence = _("Say why, in at most 400 characters: it stays in the ledger for good.")


class NoWallet(Forbidden):
    code = "NO_WALLET"
    sentence = _("Only a member has a wallet. Sign in as one.")


class AmountUnreadable(Invalid):
    code = "AMOUNT_UNREADABLE"
    sentence = _("Write the amount as a number with at most {scale} decimals and a point before them.")


class StatementTooLong(Invalid):
    code = "STATEMENT_TOO_LONG"
    sentence = _("This period has {lines} lines, and a PDF holds at most {most}. Ask for a shorter one, or take CSV.")


class PeriodRefused(Invalid):
    code = "PERIOD_REFUSED"
    sentence = _("Give a first and a last day, as 2026-01-31, at most 366 days apart.")
