"""Leases: of processes that share a folder, one has each piece of work, and a dead one's is taken over.

    with take(folder / "lease") as lease:
        if lease: ...
            lease.check()       # before something is written

A lease is a file that only one process can create (O_EXCL). Its owner touches it while it lives. Where the
owner was on this host and is gone, or is elsewhere and has not done so for LIMIT seconds, another may take it over.
An owner that stood still for so long finds that out by `check`.

This host is this kernel and its numbering of processes: two containers may have one name and count from 1 alike.
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
from attention_lab.training.interrupt import Stopped

BEAT, LIMIT = 15.0, 90.0  # seconds


class Lease:
    """What `take` gives: true where the lease was to be had."""

    def __init__(self, path: Path, token: str | None) -> None:
        """token: what this process has written there; None where another one has the lease."""
        self.path, self.token = path, token

    def __bool__(self) -> bool:
        return self.token is not None

    def check(self) -> None:
        """Raises Stopped where another process has taken the lease over, and with it the folder."""
        if self and not _is(self.path, self.token):
            raise Stopped(
                f"{_owner(self.path)} has taken over {self.path.parent}, since nothing was heard of this one for "
                f"{LIMIT:.0f} s; nothing more is written there",
                status=1,
            )


@contextmanager
def take(path: Path, beat: float = BEAT, limit: float = LIMIT) -> Iterator[Lease]:
    """The lease, true where it was to be had; if so, it is kept alive within, and given back after."""
    pid = os.getpid()
    me = {"host": socket.gethostname(), "system": _system(), "pid": pid, "started": _started(pid)}
    token = json.dumps({**me, "token": uuid.uuid4().hex})
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (_create(path, token) or _take_over(path, token, limit)):
        yield Lease(path, None)
        return
    over = threading.Event()
    heart = threading.Thread(target=_live, args=(path, token, beat, over), daemon=True)
    heart.start()
    try:
        yield Lease(path, token)
    finally:
        over.set()
        heart.join()
        if _read(path) == token:
            path.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[Lease]:
    """The lease of a folder that no other process has within. Raises ValueError where one has.

    Folders that were made for this, and in which nothing was left, are removed.
    """
    path = folder / "lease"
    with emptied(folder):
        with take(path) as lease:
            if lease:
                yield lease
                return
        raise ValueError(
            f"{folder} is in use by {_owner(path)}; wait for it, or choose another: --workdir"
        )


def _owner(path):
    try:
        record = json.loads(_read(path) or "{}")
    except json.JSONDecodeError:
        record = {}
    return f"process {record.get('pid', '?')} on {record.get('host', '?')}"


def _live(path, token, beat, over):
    # Where it is another's, this host stood still for too long; its owner learns of it by `check`.
    while not over.wait(beat) and _is(path, token):
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
    acquired = _read(path) == dead  # not taken over, and given back, in between
    if acquired:
        path.write_text(token, encoding="utf-8")
    claim.unlink(missing_ok=True)
    return acquired


def _is_dead(path, owner, limit):
    try:
        record = json.loads(owner)
    except json.JSONDecodeError:
        record = {}  # created, but not yet written
    if record.get("system") is not None and record["system"] == _system():
        # A process that stands still is not gone, and another may have got the number of one that is.
        return _started(record["pid"]) is None or _started(record["pid"]) != record.get("started")
    return _age(path) > limit


def _system():
    """This start of the kernel and its namespace of processes; None where there is no /proc that tells them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None


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


def _is(path, token):
    try:
        return _read(path) == token
    except OSError:  # a disk that does not answer now is no proof
        return True


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
