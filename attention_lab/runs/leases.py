"""Leases: of processes that share a folder, one has each piece of work, and a dead one's is taken over.

    with take(folder / "lease") as mine:
        if mine: ...

A lease is a file that only one process can create (O_EXCL). Its owner touches it while it lives. Where the
owner was on this host and is gone, or is elsewhere and has not done so for LIMIT seconds, another may take it over.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attention_lab.training.checkpoint import emptied

BEAT, LIMIT = 15.0, 90.0  # seconds


@contextmanager
def take(path: Path, beat: float = BEAT, limit: float = LIMIT) -> Iterator[bool]:
    """Whether the lease was to be had; if so, it is kept alive within, and given back after."""
    me = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    token = json.dumps({**me, "token": uuid.uuid4().hex})
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (_create(path, token) or _take_over(path, token, limit)):
        yield False
        return
    over = threading.Event()
    heart = threading.Thread(target=_live, args=(path, token, beat, over), daemon=True)
    heart.start()
    try:
        yield True
    finally:
        over.set()
        heart.join()
        if _read(path) == token:
            path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process has the folder within. Raises ValueError where one has.

    Folders that were made for this, and in which nothing was left, are removed.
    """
    path = folder / "lease"
    with emptied(folder):
        with take(path) as mine:
            if mine:
                yield
                return
        raise ValueError(
            f"{folder} is in use by {_owner(path)}; wait for it, or choose another: --workdir"
        )


def _owner(path):
    try:
        told = json.loads(_read(path) or "{}")
    except json.JSONDecodeError:
        told = {}
    return f"process {told.get('pid', '?')} on {told.get('host', '?')}"


def _live(path, token, beat, over):
    # Where it is another's, this host stood still for too long.
    while not over.wait(beat) and _read(path) == token:
        with suppress(OSError):
            os.utime(path)


def _create(path, token):
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(token)
    return True


def _take_over(path, token, limit):
    """Replaces a dead owner's lease. Of several that try, the one that creates the claim may."""
    dead = _read(path)
    if dead is None or not _is_dead(path, dead, limit):
        return False
    claim = path.with_name(f"{path.name}.{uuid.uuid5(uuid.NAMESPACE_OID, dead).hex}")
    if not _create(claim, token):
        if _age(claim) > limit:  # who claimed it died too
            claim.unlink(missing_ok=True)
        return False
    mine = _read(path) == dead  # not taken over, and given back, in between
    if mine:
        path.write_text(token, encoding="utf-8")
    claim.unlink(missing_ok=True)
    return mine


def _is_dead(path, owner, limit):
    try:
        told = json.loads(owner)
    except json.JSONDecodeError:
        told = {}  # created, but not yet written
    if told.get("host") == socket.gethostname() and Path("/proc/self").exists():
        # A process that stands still is not gone, and another may have got the number of one that is.
        return _started(told["pid"]) is None or _started(told["pid"]) != told.get("started")
    return _age(path) > limit


def _started(pid):
    """When a process of this host began, as the system counts; None where there is none, or no /proc."""
    try:
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return None if state == "Z" else rest[18]  # killed, but its parent has not looked yet


def _age(path):
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
