"""Files that are sent: whole, of their kind, within their limits, one's own; and nothing of those that were not."""

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from app.catalog.uploads import tidy
from tests.support.service import Service, problem, running

OCTETS = {"Content-Type": "application/octet-stream"}
TABLE = b"age,kind\n41,a\n52,b\n"


@pytest.fixture
def taking(fresh_database: str, redis_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service with a data folder of its own, which takes small files."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    with running(fresh_database, redis_url, upload_dir=folder, data_roots=(folder,), upload_bytes=50_000) as service:
        yield service


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def send(service: Service, name: str, content: bytes, **headers: str) -> Any:
    return service.client.put(f"/uploads/{name}", content=content, headers={**OCTETS, **headers})


def files(service: Service) -> list[Path]:
    folder = service.settings.upload_dir
    assert folder is not None
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_there_as_it_was_sent_and_a_dataset_is_read_from_it(taking: Service) -> None:
    content = archive(x=np.zeros((4, 2)), y=np.array([0, 1, 0, 1]))
    answer = send(taking, "mine.npz", content)
    assert answer.status_code == 201, answer.text
    sent = answer.json()
    assert (sent["kind"], sent["bytes"]) == ("npz", len(content))
    assert taking.settings.upload_dir is not None
    assert (taking.settings.upload_dir / sent["path"]).read_bytes() == content
    assert taking.client.get("/uploads").json() == {"items": [sent], "next_cursor": None, "most_bytes": 50_000}
    split = {"loader": "npz", "params": {"path": sent["path"]}}
    made = taking.client.post("/datasets", json={"name": "mine", "train": split, "test": split})
    assert made.status_code == 201, made.text
    problem(taking.client.delete("/uploads/mine.npz"), 409, "upload_in_use")
    assert taking.client.delete("/datasets/mine").status_code == 204
    assert taking.client.delete("/uploads/mine.npz").status_code == 204
    assert files(taking) == []
    problem(taking.client.delete("/uploads/mine.npz"), 404, "upload_not_found")


def test_the_same_file_again_is_the_one_that_is_there_and_another_is_refused(taking: Service) -> None:
    first = send(taking, "a.csv", TABLE).json()
    again = send(taking, "a.csv", TABLE)
    assert (again.status_code, again.json()) == (200, first)
    problem(send(taking, "a.csv", TABLE + b"63,a\n"), 409, "upload_exists")
    assert [path.read_bytes() for path in files(taking)] == [TABLE]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.npz", TABLE, id="text called npz"),
        pytest.param("a.npz", b"PK\x03\x04 and nothing of a zip", id="a torn zip"),
        pytest.param("a.npz", archive(x=np.zeros(3))[:-30], id="an archive without its end"),
        pytest.param("a.csv", archive(x=np.zeros(3)), id="an archive called csv"),
        pytest.param("a.csv", b"a,b\n" + bytes(range(200)) * 3, id="binary with zeros"),
        pytest.param("a.csv", bytes(range(1, 200)) * 3 + b"\n1\n", id="binary"),
        pytest.param("a.csv", b"only,names\n", id="no values"),
        pytest.param("a.csv", b"", id="empty"),
        pytest.param("a.parquet", b"PAR1" + b"x" * 50, id="parquet without its end"),
        pytest.param("a.parquet", b"PAR1", id="too short"),
    ],
)
def test_what_is_not_of_its_kind_is_refused_and_leaves_nothing(taking: Service, name: str, content: bytes) -> None:
    told = problem(send(taking, name, content), 422, "wrong_kind")
    assert name in told["detail"]
    assert files(taking) == []
    assert taking.client.get("/uploads").json()["items"] == []


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_table_is_taken_in_any_encoding_that_its_loader_finds(taking: Service, encoding: str) -> None:
    content = "größe,kind\n1,a\n2,é\n".encode(encoding)
    assert send(taking, "a.csv", content).status_code == 201
    assert [path.read_bytes() for path in files(taking)] == [content]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("a.csv", b"<!DOCTYPE html>\n<html>\n<body>", "it is a web page", id="page"),
        pytest.param("a.csv", b"PK\x03\x04..[Content_Types].xml", "Excel workbook (.xlsx); export", id="workbook"),
        pytest.param("a.csv", b"PAR1" + b"x" * 50, "it is a Parquet file; call it .parquet", id="parquet"),
        pytest.param("a.csv", b"\x1f\x8b\x08\x00", "packed by gzip; unpack it", id="gzip"),
        pytest.param("a.csv", b"", "it is empty", id="empty"),
    ],
)
def test_a_file_that_is_another_is_told_in_its_loader_s_words(
    taking: Service, name: str, content: bytes, said: str
) -> None:
    assert said in problem(send(taking, name, content), 422, "wrong_kind")["detail"]


@pytest.mark.parametrize("name", ["..%2fa.csv", ".a.csv", "a.exe", "a", "a.csv.pkl", "x" * 120 + ".csv", "a%00.csv"])
def test_a_name_is_one_name_that_says_what_the_file_is(taking: Service, name: str) -> None:
    assert send(taking, name, TABLE).status_code in (404, 422)
    assert files(taking) == []


def test_a_name_that_is_none_is_told_what_would_be_one(taking: Service) -> None:
    told = problem(send(taking, "a b.xlsx", TABLE), 422)["errors"][0]["detail"]
    assert "ends in .npz, .csv, .tsv, .txt or .parquet (a workbook is exported as CSV first)" in told
    assert "^[" not in told


def test_too_large_a_file_is_refused_before_it_is_read_and_while_it_comes(taking: Service) -> None:
    large = TABLE + b"1,a\n" * 20_000
    problem(send(taking, "a.csv", large), 413, "upload_too_large")

    def parts() -> Iterator[bytes]:
        for at in range(0, len(large), 1000):
            yield large[at : at + 1000]

    answer = taking.client.put("/uploads/a.csv", content=parts(), headers=OCTETS)
    problem(answer, 413, "upload_too_large")
    assert files(taking) == []


def test_a_form_cannot_send_one_and_elsewhere_none_is_taken(taking: Service, standing: Service) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json", ""):
        problem(taking.client.put("/uploads/a.csv", content=TABLE, headers={"Content-Type": kind}), 415)
    assert files(taking) == []
    problem(send(standing, "a.csv", TABLE), 404, "no_uploads")
    assert standing.client.get("/uploads").json()["most_bytes"] is None


def test_a_project_s_quota_counts_bytes(taking: Service) -> None:
    limits = {"quotas": {"upload_bytes": len(TABLE) + 5}}
    assert taking.client.patch("/projects/default", json=limits).status_code == 200
    assert send(taking, "a.csv", TABLE).status_code == 201
    taking.client.app.state.door.forget()  # type: ignore[attr-defined]
    problem(send(taking, "b.csv", TABLE), 429, "quota_exceeded")
    assert [path.name for path in files(taking)] == ["a.csv"]
    assert taking.client.get("/projects/default").json()["usage"]["upload_bytes"] == len(TABLE)


def test_a_project_with_files_is_not_removed(taking: Service) -> None:
    assert taking.client.post("/projects", json={"name": "lab"}).status_code == 201
    there = {"Sufficiency-Project": "lab"}
    assert send(taking, "a.csv", TABLE, **there).status_code == 201
    assert "1 upload" in problem(taking.client.delete("/projects/lab"), 409, "project_not_empty")["detail"]
    assert taking.client.get("/uploads").json()["items"] == [], "it is the other project's"
    assert taking.client.delete("/uploads/a.csv", headers=there).status_code == 204
    assert taking.client.delete("/projects/lab").status_code == 204


def test_what_another_project_has_sent_is_not_read(taking: Service) -> None:
    assert taking.settings.upload_dir is not None
    foreign = UUID("019ab0c4-5555-7cc2-9d2e-0f6a1b2c3d4e")
    (taking.settings.upload_dir / str(foreign)).mkdir()
    for path in (f"{foreign}/theirs.npz", f"x/../{foreign}/theirs.npz", str(taking.settings.upload_dir / str(foreign))):
        split = {"loader": "npz", "params": {"path": path}}
        refused = problem(taking.client.post("/datasets", json={"name": "t", "train": split, "test": split}), 422)
        assert "no file that was sent to this project" in refused["detail"]


WRITER = """
import sys, time
from pathlib import Path
from app.catalog.upload_files import Incoming
from uuid import UUID
incoming = Incoming(Path(sys.argv[1]))
incoming.write(b"age,kind\\n41,a\\n" * 1000)
incoming._file.flush()
if sys.argv[2] == "moved":
    incoming.keep(UUID("019ab0c4-5555-7cc2-9d2e-0f6a1b2c3d4e"), "a.csv")
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("where", ["coming", "moved"])
def test_a_process_that_is_killed_leaves_no_half_file(taking: Service, where: str) -> None:
    folder = taking.settings.upload_dir
    assert folder is not None
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), where], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        assert len(files(taking)) == 1
        tidy(taking.database, folder)
        assert len(files(taking)) == (1 if where == "coming" else 0), (
            "what is coming in stays; what is old and unknown goes"
        )
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close() if writer.stdout else None
    tidy(taking.database, folder)
    assert files(taking) == []
    assert taking.client.get("/uploads").json()["items"] == []


def test_what_has_just_come_to_its_place_is_left_alone(taking: Service) -> None:
    folder = taking.settings.upload_dir
    assert folder is not None
    fresh = UUID(int=(int(time.time() * 1000) << 80) | (7 << 76) | 5)
    (folder / str(fresh)).mkdir()
    (folder / str(fresh) / "a.csv").write_bytes(TABLE)
    assert tidy(taking.database, folder) == 0
    assert len(files(taking)) == 1
