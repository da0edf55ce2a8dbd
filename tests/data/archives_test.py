"""Archives: what is good is unpacked whole, what would lead outside is refused, and then nothing is left."""

import io
import os
import tarfile

import pytest

from attention_lab.data.archives import unpack


def packed(path, *members, mode="w"):
    """An archive of members: (name, bytes), or (name, type, linkname)."""
    with tarfile.open(path, mode) as archive:
        for name, *what in members:
            member = tarfile.TarInfo(name)
            if isinstance(what[0], bytes) and len(what) == 1:
                member.size, content = len(what[0]), io.BytesIO(what[0])
            else:
                (member.type, member.linkname), content = what, None
            archive.addfile(member, content)
    return path


def told(archive, folder):
    with pytest.raises(ValueError) as caught:
        unpack(archive, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_is_unpacked_as_a_new_folder(mode, tmp_path):
    good = [("a/train.de", b"eins\n"), ("b", b"two"), ("a/link", tarfile.SYMTYPE, "train.de")]
    archive = packed(tmp_path / "good.tar", *good, mode=mode)
    folder = tmp_path / "new" / "folder"
    unpack(archive, folder)
    assert (folder / "a" / "train.de").read_bytes() == (folder / "a" / "link").read_bytes()
    assert (folder / "b").read_bytes() == b"two"
    assert os.listdir(folder.parent) == ["folder"]
    (tmp_path / "any").mkdir()
    assert folder.stat().st_mode == (tmp_path / "any").stat().st_mode
    assert "is there already" in told(archive, folder)


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (("/outside", b"x"), "its path is absolute"),
        (("../outside", b"x"), "it would lie outside"),
        (("a/../../outside", b"x"), "it would lie outside"),
        (("a/..", tarfile.DIRTYPE, ""), "it would lie outside"),
        (("link", tarfile.SYMTYPE, "/etc/passwd"), "it links to an absolute path"),
        (("link", tarfile.SYMTYPE, "../outside"), "it links to what is outside"),
        (("a/link", tarfile.LNKTYPE, "../outside"), "it links to what is outside"),
        (("pipe", tarfile.FIFOTYPE, ""), "it is neither file, folder nor link"),
        (("null", tarfile.CHRTYPE, ""), "it is neither file, folder nor link"),
        (("two\nlines", tarfile.BLKTYPE, ""), "it is neither file, folder nor link"),
    ],
)
def test_what_leads_outside_is_refused_and_nothing_is_left(member, why, tmp_path):
    archive = packed(tmp_path / "bad.tar", ("good", b"x"), member)
    before = sorted(tmp_path.rglob("*"))
    said = told(archive, tmp_path / "folder")
    assert (
        said == f"{archive}: its member {member[0]!r} is refused, since {why}; nothing was unpacked"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_no_way_out_for_a_later_member(tmp_path):
    steps = ("out", tarfile.SYMTYPE, str(tmp_path)), ("out/outside", b"x")
    assert "'out' is refused" in told(packed(tmp_path / "bad.tar", *steps), tmp_path / "folder")
    assert os.listdir(tmp_path) == ["bad.tar"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_damaged_archive_is_told_and_nothing_is_left(mode, tmp_path):
    whole = packed(tmp_path / "whole.tar", ("a", os.urandom(40000)), mode=mode).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged = [whole[: len(whole) // 2], whole[:3], b"no archive" * 99, b""]
    damaged += [bytes(flipped)] if mode != "w" else []  # tar itself has no checksum of content
    for data in damaged:
        (tmp_path / "whole.tar").write_bytes(data)
        said = told(tmp_path / "whole.tar", tmp_path / "folder")
        assert said.endswith("whole.tar is damaged or no tar archive; fetch it again")
    assert os.listdir(tmp_path) == ["whole.tar"]


def test_what_cannot_be_read_or_written_is_told(tmp_path):
    said = told(tmp_path / "none.tar", tmp_path / "folder")
    assert "none.tar cannot be unpacked as" in said and "No such file or directory" in said
    archive = packed(tmp_path / "good.tar", ("a", b"x"))
    said = told(archive, archive / "folder")
    assert "good.tar/folder: " in said and said.endswith("; nothing was unpacked")


def test_a_python_that_cannot_do_it_safely_does_not_do_it(tmp_path, monkeypatch):
    archive = packed(tmp_path / "good.tar", ("a", b"x"))
    monkeypatch.delattr(tarfile, "data_filter")
    assert "Python 3.11.4 and later" in told(archive, tmp_path / "folder")
