"""Images are drawn anew, so that what came with them (place, camera, comments, hidden files) stays behind."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageOps, ImageSequence

from core.files.errors import ImageBroken, ImageTooLarge

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP"}
QUALITY: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 88, "optimize": True},
    "WEBP": {"quality": 88},
    "PNG": {"optimize": True},
}


def redraw(source: IO[bytes], media_type: str, target: Path, *, most_pixels: int) -> None:
    """Write the image of ``source`` to ``target``, without anything but its pixels, upright, frames and their times.

    Raises ImageTooLarge before a pixel is unpacked when all frames have more than ``most_pixels``, ImageBroken for
    what is no whole image of that type.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(source, formats=[FORMATS[media_type]]) as image:
                _check(image, most_pixels)
                _save(image, FORMATS[media_type], target)
    except (ImageTooLarge, Image.DecompressionBombError):
        raise ImageTooLarge(most=f"{most_pixels / 1e6:g}") from None
    except Exception:  # a decoder that is fed by strangers raises anything
        raise ImageBroken() from None


def squares(source: IO[bytes], media_type: str, folder: Path, *, sides: Sequence[int], contain: bool) -> list[Path]:
    """Write the first frame of an image that was redrawn as square WebP files into ``folder``, one for each side.

    The middle is cut out, or with ``contain`` all of it stands on a transparent ground. Raises ImageBroken.
    """
    try:
        with Image.open(source, formats=[FORMATS[media_type]]) as image:
            whole = ImageOps.exif_transpose(image).convert("RGBA")
        made = []
        for side in sides:
            fitted = ImageOps.pad(whole, (side, side)) if contain else ImageOps.fit(whole, (side, side))
            path = folder / f"{side}.webp"
            fitted.save(path, "WEBP", **QUALITY["WEBP"])
            made.append(path)
        return made
    except Exception:  # a decoder that is fed by strangers raises anything
        raise ImageBroken() from None


def _check(image: Any, most_pixels: int) -> None:
    """Counting frames reads their headers only; the pixels of each count, for each is unpacked."""
    pixels = image.width * image.height
    if pixels > most_pixels:
        raise ImageTooLarge(most=most_pixels)
    if getattr(image, "is_animated", False) and pixels * image.n_frames > most_pixels:
        raise ImageTooLarge(most=most_pixels)


def _save(image: Any, format: str, target: Path) -> None:
    frames: list[Any] = []
    times: list[int] = []
    for frame in ImageSequence.Iterator(image):
        upright = ImageOps.exif_transpose(frame.copy()) if not frames else frame.copy()
        times.append(int(frame.info.get("duration", 0) or 0))
        upright.info = {"transparency": frame.info["transparency"]} if "transparency" in frame.info else {}
        if format == "JPEG" and upright.mode not in ("L", "RGB"):
            upright = upright.convert("RGB")
        frames.append(upright)
        if format in ("JPEG", "PNG"):
            break
    options: dict[str, Any] = dict(QUALITY.get(format, {}))
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
    frames[0].save(target, format, **options)
