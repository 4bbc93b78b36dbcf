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
