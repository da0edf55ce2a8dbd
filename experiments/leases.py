"""Leases: of processes that share a folder, one has each piece of work, and a dead one's is taken over.

    with take(folder / "lease") as mine:
        if mine: ...

A lease is a file that only one process can create (O_EXCL). Its owner touches it while it lives; where that
has not happened for LIMIT seconds, or the owner was on this host and is gone, another may take it over.
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

BEAT, LIMIT = 15.0, 90.0  # seconds


@contextmanager
def take(path: Path, beat: float = BEAT, limit: float = LIMIT) -> Iterator[bool]:
    """Whether the lease was to be had; if so, it is kept alive within, and given back after."""
    token = json.dumps(
        {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (_create(path, token) or _take_over(path, token, limit)):
        yield False
        return
    over = threading.Event()
    heart = threading.Thread(target=_live, args=(path, beat, over), daemon=True)
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

    A folder that was made for this, and in which nothing was left, is removed.
    """
    path = folder / "lease"
    try:
        with take(path) as mine:
            if mine:
                yield
                return
        raise ValueError(
            f"{folder} is in use by {_owner(path)}; wait for it, or choose another: --workdir"
        )
    finally:
        with suppress(OSError):  # not empty
            folder.rmdir()


def _owner(path):
    try:
        told = json.loads(_read(path) or "{}")
    except json.JSONDecodeError:
        told = {}
    return f"process {told.get('pid', '?')} on {told.get('host', '?')}"


def _live(path, beat, over):
    while not over.wait(beat):
        try:
            os.utime(path)
        except OSError:
            return  # taken over, since this process stood still for too long


def _create(path, token):
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(file, "w") as opened:
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
        path.write_text(token)
    claim.unlink(missing_ok=True)
    return mine


def _is_dead(path, owner, limit):
    try:
        told = json.loads(owner)
    except json.JSONDecodeError:
        told = {}  # created, but not yet written
    here = told.get("host") == socket.gethostname() and Path("/proc").is_dir()
    return _age(path) > limit or (here and not Path(f"/proc/{told['pid']}").exists())


def _age(path):
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
