"""Files in S3 or what speaks like it; needs the extra ``aws`` (boto3). Credentials are found as AWS' own tools do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar

import structlog

from core.files.errors import StorageSilent
from core.files.storage import KEY

IN_MEMORY = 1024 * 1024
T = TypeVar("T")
log = structlog.get_logger("files")


class S3Storage:
    """A bucket, which must exist and be closed to the public; ``prefix`` sets a part of it aside."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None, region: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint, self._region = endpoint, region

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
        except ModuleNotFoundError:
            log.error("files lie in S3: install guildhall[aws]")
            raise StorageSilent() from None
        from botocore.config import Config

        settings = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3})
        return boto3.client("s3", endpoint_url=self._endpoint, region_name=self._region, config=settings)

    def put(self, key: str, source: Path) -> None:
        self._asked(lambda: self._client.upload_file(str(source), self._bucket, self._name(key)))

    def open(self, key: str, start: int = 0, stop: int | None = None) -> IO[bytes]:
        def fetch() -> IO[bytes]:
            kept: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller closes it)
            if start or stop is not None:
                last = "" if stop is None else str(stop - 1)
                asked = {"Bucket": self._bucket, "Key": self._name(key), "Range": f"bytes={start}-{last}"}
                shutil.copyfileobj(self._client.get_object(**asked)["Body"], kept)
            else:
                self._client.download_fileobj(self._bucket, self._name(key), kept)
            kept.seek(0)
            return kept

        return self._asked(fetch)

    def delete(self, key: str) -> None:
        self._asked(lambda: self._client.delete_object(Bucket=self._bucket, Key=self._name(key)))

    def keys(self, before: datetime) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in self._asked(lambda: list(pages)):
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(self._prefix)
                if item["LastModified"] < before and KEY.fullmatch(key):
                    yield key

    def _name(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError("this is no key of a file")
        return self._prefix + key

    def _asked(self, ask: Callable[[], T]) -> T:
        client = self._client
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        assert client is not None
        try:
            return ask()
        except ClientError as problem:
            code = str(problem.response.get("Error", {}).get("Code", ""))
            if code in ("404", "NoSuchKey"):
                raise FileNotFoundError from None
            log.error("the file storage refused", code=code, bucket=self._bucket)
            raise StorageSilent() from None
        except (BotoCoreError, Boto3Error) as problem:
            log.error("the file storage does not answer", problem=type(problem).__name__, bucket=self._bucket)
            raise StorageSilent() from None
