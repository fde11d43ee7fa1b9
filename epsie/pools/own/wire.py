"""Messages over a socket: a length, then so many bytes."""

from __future__ import annotations

import socket

_LENGTH = 8


def send(to: socket.socket, body: bytes) -> None:
    """Send a message; returns when all of it has left."""
    if len(body) < 65536:
        to.sendall(len(body).to_bytes(_LENGTH, "big") + body)
        return
    to.sendall(len(body).to_bytes(_LENGTH, "big"))
    to.sendall(body)


def receive(source: socket.socket) -> bytearray:
    """The next message.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    return _exactly(source, int.from_bytes(_exactly(source, _LENGTH), "big"))


def _exactly(source: socket.socket, size: int) -> bytearray:
    body = bytearray(size)
    view, at = memoryview(body), 0
    while at < size:
        try:
            got = source.recv_into(view[at:])
        except ConnectionError:
            got = 0
        if not got:
            raise EOFError("the other side is gone")
        at += got
    return body
