"""Files from the net: checked by their content, whole or not there, and whatever goes wrong is told in one line."""

import errno
import gzip
import hashlib
import http.server
import pathlib
import re
import threading

import pytest

from attention_lab.data import fetch as fetching
from attention_lab.data import originals
from attention_lab.data.fetch import File, digest, fetch, missing
from attention_lab.data.parallel_files import read_lines
from attention_lab.data.sources import DATASETS, load

TEXT = "Zwei Männer lachen.\nEin Hund läuft.\n".encode() * 40
SHA256 = hashlib.sha256(TEXT).hexdigest()
MULTI30K = pathlib.Path(__file__).parents[3] / "shared" / "data" / "multi30k"


@pytest.fixture
def net(tmp_path):
    """A folder with train.de.gz, and the file that it is, at file://."""
    there = tmp_path / "net"
    there.mkdir()
    (there / "train.de.gz").write_bytes(gzip.compress(TEXT))
    return there


def file_in(folder, sha256=SHA256):
    return File("train.de.gz", (folder / "train.de.gz").as_uri(), sha256)


def message_of(function, *args):
    with pytest.raises(ValueError) as caught:
        function(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def nothing_in(folder):
    return not folder.exists() or not list(folder.iterdir())


def test_a_file_is_downloaded_once(net, tmp_path):
    folder = tmp_path / "some" / "where"
    fetch([file_in(net)], folder)
    assert gzip.decompress((folder / "train.de.gz").read_bytes()) == TEXT
    assert [path.name for path in folder.iterdir()] == ["train.de.gz"]
    (net / "train.de.gz").unlink()
    fetch([file_in(net)], folder)


@pytest.mark.parametrize("level", [0, 1, 9, None])
def test_who_packed_it_does_not_matter_and_unpacked_does_as_well(level, tmp_path):
    name = "train.de" if level is None else "train.de.gz"
    (tmp_path / name).write_bytes(TEXT if level is None else gzip.compress(TEXT, level, mtime=7))
    assert digest(tmp_path / name) == SHA256
    assert missing([file_in(tmp_path / "nowhere")], tmp_path) == []


def test_what_the_user_has_is_never_replaced(net, tmp_path):
    mine = tmp_path / "mine" / "train.de.gz"
    mine.parent.mkdir()
    mine.write_bytes(b"something else")
    other = hashlib.sha256(b"something else").hexdigest()
    message = message_of(fetch, [file_in(net)], mine.parent)
    assert message.startswith(f"{mine}: the sha256 of its content is {other[:12]}..")
    assert f"{SHA256[:12]}.. was expected" in message and file_in(net).url in message
    assert mine.read_bytes() == b"something else"
    mine.write_bytes(gzip.compress(TEXT)[:-9])
    assert f"{mine} is a damaged gzip file" in message_of(fetch, [file_in(net)], mine.parent)


def test_a_download_of_another_content_is_reported_and_not_kept(net, tmp_path):
    message = message_of(fetch, [file_in(net, sha256="0" * 64)], tmp_path / "into")
    assert f"{SHA256[:12]}.., and {'0' * 12}.. was expected" in message
    assert f"put the expected train.de.gz into {tmp_path / 'into'}" in message
    (net / "train.de.gz").write_bytes(gzip.compress(TEXT)[:-9])
    assert "is a damaged gzip file; run the command again" in message_of(
        fetch, [file_in(net)], tmp_path / "into"
    )
    assert nothing_in(tmp_path / "into")


def test_where_there_is_nothing_the_way_without_a_net_is_reported(net, tmp_path):
    (net / "train.de.gz").unlink()
    message = message_of(fetch, [file_in(net)], tmp_path / "into")
    assert "cannot be reached: No such file or directory; without a network, put" in message
    refused = File("train.de.gz", "http://127.0.0.1:9/train.de.gz", SHA256)  # port 9 discards
    assert "cannot be reached: Connection refused" in message_of(
        fetch, [refused], tmp_path / "into"
    )
    assert nothing_in(tmp_path / "into")


class Server(http.server.BaseHTTPRequestHandler):
    """Of TEXT, all; under /half, half of what it promises; anything else is not found."""

    def do_GET(self):
        if "no" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT[: len(TEXT) // 2] if "half" in self.path else TEXT)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_http_reports_progress_and_what_is_not_there(address, tmp_path):
    seen = []

    class Bar:
        def __init__(self, total, name):
            seen.append((total, name))

        def __enter__(self):
            return seen.append

        def __exit__(self, *error):
            seen.append("end")

    fetch([File("train.de", f"{address}/train.de", SHA256)], tmp_path, Bar)
    assert seen[0] == (len(TEXT), "train.de") and seen[-1] == "end"
    assert sum(seen[1:-1]) == len(TEXT)
    message = message_of(fetch, [File("val.de", f"{address}/no/val.de", SHA256)], tmp_path)
    assert message == f"{address}/no/val.de: HTTP 404 Not Found; put val.de into {tmp_path} by hand"


def test_what_breaks_off_is_not_kept(address, tmp_path):
    message = message_of(fetch, [File("train.de", f"{address}/half", SHA256)], tmp_path)
    assert (
        f"was interrupted after {len(TEXT) // 2:,} of {len(TEXT):,} bytes; run the command again"
        in message
    )
    assert nothing_in(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_what_cannot_be_written_is_reported_and_leaves_nothing(number, net, tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, chunk):
            raise OSError(number, "it is full")

    opened = pathlib.Path.open
    monkeypatch.setattr(pathlib.Path, "open", lambda path, mode: Full(opened(path, mode)))
    message = message_of(fetch, [file_in(net)], tmp_path / "into")
    assert message == (
        f"{tmp_path / 'into' / 'train.de.gz'} cannot be written: it is full; choose a folder that is writable "
        "and has enough space"
    )
    assert nothing_in(tmp_path / "into")


def test_a_killed_download_is_not_taken_for_the_file(net, tmp_path, monkeypatch):
    """Where the process ends at once, nothing is cleaned up; the next one does not mind."""
    monkeypatch.setattr(pathlib.Path, "unlink", lambda path: None)
    monkeypatch.setattr(fetching, "_check", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fetch([file_in(net)], tmp_path / "into")
    (left,) = (tmp_path / "into").iterdir()
    assert left.name.endswith(".part")
    monkeypatch.undo()
    fetch([file_in(net)], tmp_path / "into")
    assert missing([file_in(net)], tmp_path / "into") == []


def test_multi30k_is_six_files_of_two_languages():
    names = {file.name for file in originals.multi30k("en", "fr")}
    stems = ("train", "val", "test_2016_flickr")
    assert names == {f"{stem}.{language}.gz" for stem in stems for language in ("en", "fr")}
    assert all(file.url.endswith(f"/raw/{file.name}") for file in originals.multi30k())
    assert "no language of multi30k 'it'; known are" in message_of(originals.multi30k, "it", "en")


@pytest.mark.skipif(not MULTI30K.exists(), reason="Multi30k is not beside the project")
def test_the_digests_are_those_of_multi30k_and_it_is_fetched_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(originals, "MULTI30K", MULTI30K.as_uri())
    fetch(originals.multi30k(), tmp_path)
    fetch(originals.multi30k("fr", "en"), tmp_path)
    lines = {path.name: len(read_lines(path)) for path in tmp_path.iterdir()}
    counts = {"train": 29000, "val": 1014, "test_2016_flickr": 1000}
    assert lines == {f"{s}.{a}.gz": n for s, n in counts.items() for a in ("de", "en", "fr")}
    assert len(load("multi30k", "test", path=tmp_path, source="fr")) == 1000


SHARED = MULTI30K.parent


@pytest.mark.skipif(not SHARED.exists(), reason="the corpora are not beside the project")
def test_shakespeare_is_fetched_and_read(tmp_path, monkeypatch):
    text = gzip.decompress((SHARED / "chat" / "tinyshakespeare.txt.gz").read_bytes())
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "input.txt").write_bytes(text)
    monkeypatch.setattr(originals, "SHAKESPEARE", (tmp_path / "there").as_uri())
    fetch(originals.shakespeare(), tmp_path / "here")
    (document,) = load("shakespeare", "train", path=tmp_path / "here")
    assert len(document["text"]) == 1_003_854


@pytest.mark.parametrize("kind", ["simple", "length", "addprim_jump", "template_right"])
def test_scan_is_two_files_of_a_kind_of_split(kind):
    files = originals.originals_of("scan", {"kind": kind, "path": "x"})
    assert [file.name for file in files] == [f"tasks_{p}_{kind}.txt" for p in ("train", "test")]
    assert all(file.url.endswith(f"_split/{file.name}") for file in files)
    assert "no kind of scan 'jump'; known are" in message_of(originals.scan, "jump")


def test_every_file_of_a_corpus_has_a_digest_of_its_own():
    files = [*originals.multi30k("cs", "de"), *originals.multi30k("en", "fr")]
    files += [*originals.shakespeare(), *originals.scitldr()]
    files += [file for kind in originals._SCAN for file in originals.scan(kind)]
    assert len(files) == 12 + 1 + 3 + 16
    assert len({file.sha256 for file in files}) == len({file.url for file in files}) == len(files)
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in files)
    assert all(file.url.startswith("https://") for file in files)


def test_the_name_of_a_corpus_has_the_options_that_choose_it():
    def name(dataset, **options):
        return "_".join([dataset, *originals.variant(DATASETS[dataset].read, options)])

    assert name("multi30k", source="en", target="fr") == "multi30k_en_fr"
    assert name("multi30k", source="de", path="x") == "multi30k"
    assert name("scan", kind="length", path="x") == "scan_length"
    assert name("babi", task=2, size="1k") == "babi_2_1k" and name("babi", task=2) == "babi_2"
    assert name("rosetta", size=30) == "rosetta" and name("shakespeare", path="x") == "shakespeare"
