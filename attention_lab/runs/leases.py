"""Leases: each piece of work in a shared folder belongs to one process, and is taken over if that process dies.

    with take(folder / "lease") as lease:
        if lease: ...
            lease.check()       # before each write

A lease is a file that only one process can create (O_EXCL). Its owner updates the file's modification time
periodically (a heartbeat). Another process may take the lease over if the owner ran on this host and has ended, or
if it ran elsewhere and its last heartbeat is older than LIMIT seconds. An owner that was suspended for that long
learns of it from `check`.

A host is identified by the boot of its kernel and its PID namespace, since containers may have the same host name
and the same process ids.
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

from attention_lab.training.checkpoint import removed_if_empty
from attention_lab.training.interrupt import Stopped

BEAT, LIMIT = (
    15.0,
    90.0,
)  # seconds between heartbeats, and after which a silent owner counts as dead


class Lease:
    """The result of `take`; true if this process acquired the lease."""

    def __init__(self, path: Path, token: str | None) -> None:
        """token: the content that this process wrote to the file; None if another process has the lease."""
        self.path, self.token = path, token

    def __bool__(self) -> bool:
        return self.token is not None

    def check(self) -> None:
        """Raises Stopped if another process has taken over the lease, and hence the folder."""
        if self and not _contains(self.path, self.token):
            raise Stopped(
                f"{_owner(self.path)} has taken over {self.path.parent}, since this process did not respond for "
                f"{LIMIT:.0f} s; it writes nothing more there",
                status=1,
            )


@contextmanager
def take(path: Path, beat: float = BEAT, limit: float = LIMIT) -> Iterator[Lease]:
    """Tries to acquire a lease. If that succeeds, it is kept alive within the context, and released at its end.

    beat: seconds between heartbeats. limit: seconds without a heartbeat after which an owner on another host counts
    as dead.
    """
    pid = os.getpid()
    owner = {
        "host": socket.gethostname(),
        "system": _system(),
        "pid": pid,
        "started": _started(pid),
    }
    token = json.dumps({**owner, "token": uuid.uuid4().hex})
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (_create(path, token) or _take_over(path, token, limit)):
        yield Lease(path, None)
        return
    released = threading.Event()
    heartbeat = threading.Thread(
        target=_keep_alive, args=(path, token, beat, released), daemon=True
    )
    heartbeat.start()
    try:
        yield Lease(path, token)
    finally:
        released.set()
        heartbeat.join()
        if _read(path) == token:
            path.unlink(missing_ok=True)


@contextmanager
def exclusive(folder: Path) -> Iterator[Lease]:
    """Acquires the lease of a folder for exclusive use. Raises ValueError if another process has it.

    Folders that were created for the lease, and are empty at the end, are removed.
    """
    path = folder / "lease"
    with removed_if_empty(folder):
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


def _keep_alive(path, token, beat, released):
    # The heartbeat ends if another process took over; this one then learns of it from `check`.
    while not released.wait(beat) and _contains(path, token):
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
    """Replaces a dead owner's lease. If several processes try, the one that creates the claim file succeeds."""
    dead = _read(path)
    if dead is None or not _is_dead(path, dead, limit):
        return False
    claim = path.with_name(f"{path.name}.{uuid.uuid5(uuid.NAMESPACE_OID, dead).hex}")
    if not _create(claim, token):
        if _age(claim) > limit:  # the claiming process died too
            claim.unlink(missing_ok=True)
        return False
    acquired = _read(path) == dead  # false if it was taken over, and released, in the meantime
    if acquired:
        path.write_text(token, encoding="utf-8")
    claim.unlink(missing_ok=True)
    return acquired


def _is_dead(path, owner, limit):
    try:
        record = json.loads(owner)
    except json.JSONDecodeError:
        record = {}  # the file was created, but not yet written
    if record.get("system") is not None and record["system"] == _system():
        # A suspended process is not dead, and the id of a dead one may have been reused.
        return _started(record["pid"]) is None or _started(record["pid"]) != record.get("started")
    return _age(path) > limit


def _system():
    """Returns the boot id of the kernel and the PID namespace, or None if there is no /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None


def _started(pid):
    """Returns the start time of a process of this host in clock ticks; None if it does not exist, or there is no /proc."""
    try:
        state, *rest = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return None if state == "Z" else rest[18]  # a zombie: dead, but not yet reaped by its parent


def _age(path):
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _contains(path, token):
    try:
        return _read(path) == token
    except OSError:  # a temporary failure of the disk does not prove a takeover
        return True


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
