"""Tar archives, unpacked as a whole or not at all, and nowhere but where they are told to."""

import os
import pathlib
import tarfile
import tempfile
import zlib
from lzma import LZMAError

_REASONS: dict[type, str] = {
    tarfile.AbsolutePathError: "its path is absolute",
    tarfile.AbsoluteLinkError: "it links to an absolute path",
    tarfile.LinkOutsideDestinationError: "it links to what is outside",
    tarfile.SpecialFileError: "it is neither file, folder nor link",
}


def unpack(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpacks a tar archive, plain or compressed by gzip, bzip2 or xz, as the new folder.

    Members get the permissions of ordinary files. It is unpacked beside the folder and then renamed, so that the
    folder is whole or not there at all. Raises ValueError where the folder is there, the archive cannot be read,
    something cannot be written, or a member could come to lie or to lead outside: an absolute path, one with
    "..", a link to either, a device.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    if not hasattr(tarfile, "data_filter"):
        raise ValueError(f"{archive} can be unpacked safely by Python 3.11.4 and later; update it")
    if os.path.lexists(folder):
        raise ValueError(f"{folder} is there already; {archive} is unpacked as a new folder")
    try:
        with tarfile.open(archive, errorlevel=2) as opened:  # every error is raised
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=f".{folder.name}.", dir=folder.parent
            ) as beside:
                whole = pathlib.Path(beside, "whole")  # with the permissions of any folder
                whole.mkdir()
                opened.extractall(whole, filter=_inside)
                while opened.fileobj.read(2**20):  # gzip's checksum stands behind the last member
                    pass
                whole.rename(folder)
    except tarfile.FilterError as error:
        name, reason = error.tarinfo.name, _REASONS.get(type(error), "it would lie outside")
        raise ValueError(
            f"{archive}: its member {name!r} is refused, since {reason}; nothing was unpacked"
        ) from None
    except (tarfile.TarError, OSError, EOFError, zlib.error, LZMAError, KeyError) as error:
        if said := getattr(error, "strerror", None):  # by the system, and not by a decompressor
            raise ValueError(
                f"{archive} cannot be unpacked as {folder}: {said}; nothing was unpacked"
            ) from None
        raise ValueError(f"{archive} is damaged or no tar archive; fetch it again") from None


def _inside(member, place):
    """The member as `tarfile.data_filter` lets it through, which drops a leading / and allows inner "..".

    Without any "..", in names and links, nothing leads outside even where that filter resolves a path wrongly.
    """
    if member.name.startswith("/"):
        raise tarfile.AbsolutePathError(member)
    if ".." in pathlib.PurePosixPath(member.name).parts:
        raise tarfile.OutsideDestinationError(member, place)
    if ".." in pathlib.PurePosixPath(member.linkname).parts:  # empty where it is no link
        raise tarfile.LinkOutsideDestinationError(member, place)
    return tarfile.data_filter(member, place)
