"""What a visitor sees in the second before the application is loaded."""

from pathlib import Path

PAGE = (Path(__file__).parent.parent / "admin" / "templates" / "guildhall" / "starting.html").read_bytes()
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: " + str(len(PAGE)).encode() + b"\r\n\r\n" + PAGE
)
