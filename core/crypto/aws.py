"""Wrapping keys in AWS KMS; needs the extra ``aws`` (boto3). Region and credentials are found as AWS' own tools do."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from core.crypto.errors import KeyServiceSilent, KeyWrong


class KmsKey:
    """A symmetric KMS key, by id, alias or ARN. Only its use is asked for; the key never leaves KMS."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = f"aws-kms:{name}"

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
        except ModuleNotFoundError:
            raise KeyServiceSilent(service="AWS KMS", reason="install guildhall[aws].") from None
        from botocore.config import Config

        settings = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 3})
        return self._asked(lambda: boto3.client("kms", config=settings))

    def wrap(self, key: bytes, context: str) -> bytes:
        about = {"guildhall": context}
        answer = self._asked(lambda: self._client.encrypt(KeyId=self.name, Plaintext=key, EncryptionContext=about))
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        about = {"guildhall": context}
        answer = self._asked(
            lambda: self._client.decrypt(KeyId=self.name, CiphertextBlob=wrapped, EncryptionContext=about)
        )
        return bytes(answer["Plaintext"])

    def _asked(self, ask: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return ask()
        except ClientError as problem:
            code = problem.response.get("Error", {}).get("Code", "")
            if code in ("InvalidCiphertextException", "IncorrectKeyException"):
                raise KeyWrong(key=self.id) from None
            raise KeyServiceSilent(service="AWS KMS", reason=f"{code}.") from None
        except BotoCoreError as problem:
            raise KeyServiceSilent(service="AWS KMS", reason=f"{type(problem).__name__}.") from None
