"""Files are complete or as they were before."""

import pathlib

import pytest

from attention_lab import files


def test_a_file_is_replaced_and_its_folders_are_made(tmp_path):
    path = tmp_path / "new" / "report.md"
    files.replace(path, "é \udcff")
    assert path.read_bytes() == "é \\udcff".encode()
    files.replace(path, b"\xff\x00")
    assert path.read_bytes() == b"\xff\x00" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_what_cannot_be_written_leaves_what_was_there_and_no_draft(tmp_path, monkeypatch, step):
    path = tmp_path / "results.jsonl"
    files.replace(path, "before")
    write = pathlib.Path.write_bytes

    def full(self, *given):
        if step == "write_bytes":
            write(self, b"ha")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        files.replace(path, "after")
    with pytest.raises(
        ValueError, match=r"results\.jsonl cannot be written: No space left on device"
    ):
        files.save(path, "after")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
