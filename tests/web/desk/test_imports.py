"""Supporters are imported by upload: sealed as they come, looked at before, worked off by a worker, and taken back."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from mailer.organisers import desk_sessions
from mailer.spreadsheets import upload_work, uploads
from mailer.spreadsheets.uploads import Store
from mailer.store.db import session_scope, utcnow
from mailer.store.models import (
    AuditEntry,
    DeskSession,
    Import,
    ImportAddition,
    ImportState,
    Role,
    Subscriber,
    Subscription,
)
from mailer.web import uploading
from tests.support.desk import Organiser, come_in, words
from tests.support.factories import make_list, make_subscriber
from tests.support.workbooks import write_xlsx

FILE = "email,name,country\nana@example.org,Ana,GB\nbea@example.org,=1+1,Nowhereland\nno address,Cem,\n"
TERMS = {"list": "urgent-actions", "consent": "I want urgent actions by e-mail."}


@pytest.fixture
def backend() -> str:
    return "sqlite"  # what is done to people in a database is tested with the domain


@pytest.fixture
def rosa(app: Flask, session: Session) -> Organiser:
    make_list(session)
    session.commit()
    return come_in(app, Role.PUBLISHER)


@contextmanager
def stored(app: Flask) -> Iterator[Session]:
    with session_scope(app.extensions["site"].engine) as session:
        yield session


def store(app: Flask) -> Store:
    settings = app.extensions["site"].settings
    return Store.of(settings.data_dir, settings.keyring)


def files(app: Flask) -> list[Path]:
    folder = store(app).folder
    return sorted(folder.iterdir()) if folder.is_dir() else []


def send(who: Organiser, content: bytes | str = FILE, name: str = "people.csv", **more: Any) -> Any:
    data = content.encode() if isinstance(content, str) else content
    form = {"form_token": desk_sessions.form_token(who.secret), "file": FileStorage(io.BytesIO(data), name), **more}
    # By hand: the client puts what is large into a temporary file, and leaves that open.
    boundary, body = encode_multipart(form)
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    return who.client.post("/desk/supporters/imports", base_url="https://act.example.org", data=body, headers=headers)


def upload(who: Organiser, content: bytes | str = FILE, name: str = "people.csv") -> str:
    """The path of the page of an import that was just uploaded."""
    answer = send(who, content, name)
    assert answer.status_code == 303, words(answer)
    return str(answer.location).removeprefix("/desk")


def work(app: Flask) -> None:
    """What a worker does when it looks for work."""
    engine = app.extensions["site"].engine
    with stored(app) as session:
        waiting = uploads.with_work(session)
    for import_id in waiting:
        upload_work.work(engine, store(app), import_id, lambda: False)


def bring_in(app: Flask, who: Organiser, content: bytes | str = FILE, **terms: str) -> str:
    path = upload(who, content)
    assert who.press(f"{path}/terms", **{**TERMS, **terms}).status_code == 303
    work(app)
    assert who.press(f"{path}/confirm").status_code == 303
    work(app)
    return path


def people(app: Flask) -> dict[str, str | None]:
    with stored(app) as session:
        return {each.email: each.country for each in session.scalars(select(Subscriber))}


def test_a_file_is_uploaded_looked_at_imported_and_gone(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa)
    [sealed] = files(app)
    assert b"example.org" not in sealed.read_bytes() and sealed.stat().st_mode & 0o077 == 0
    assert "Waits for its list" in words(rosa.get(path)) and people(app) == {}
    assert rosa.press(f"{path}/terms", **TERMS).status_code == 303
    assert "Being looked at" in words(rosa.get(path))
    work(app)
    page = words(rosa.get(path))
    assert "Waits for your yes" in page and "Lines in the file 3 People whom nobody knew 2" in page
    assert "line 4: there is no" in page.lower() or "line 4" in page
    assert people(app) == {}, "nothing was written yet"
    assert rosa.press(f"{path}/confirm").status_code == 303
    work(app)
    page = words(rosa.get(path))
    assert "Imported" in page and "Lines read 3 People whom nobody knew 2" in page
    assert people(app) == {"ana@example.org": "GB", "bea@example.org": None}
    assert sealed not in files(app), "what was uploaded is gone"


def test_what_was_not_taken_is_downloaded_by_whoever_uploaded_it_after_a_fresh_proof(
    app: Flask, rosa: Organiser
) -> None:
    path = bring_in(app, rosa)
    [sealed] = files(app)
    assert b"Nowhereland" not in sealed.read_bytes()
    answer = rosa.press(f"{path}/rejects")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert [row[0] for row in rows] == ["email", "bea@example.org", "no address"]
    assert rows[1][1] == "'=1+1" and "Nowhereland" in rows[1][-1]
    other = come_in(app, Role.PUBLISHER, email="paul@example.org")
    assert other.get(path).status_code == 200
    assert other.press(f"{path}/rejects").status_code == 404
    with stored(app) as session:
        session.execute(update(DeskSession).values(proven_at=utcnow() - timedelta(hours=1)))
    assert rosa.press(f"{path}/rejects").location.startswith("/desk/prove?to=")


def test_a_workbook_is_imported_too(app: Flask, rosa: Organiser, tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"People": [["Courriel", "Pays"], ["ana@example.org", "France"]]})
    bring_in(app, rosa, path.read_bytes())
    assert people(app) == {"ana@example.org": "FR"}


def test_what_an_import_added_is_taken_back_after_a_fresh_proof(app: Flask, rosa: Organiser, session: Session) -> None:
    make_subscriber(session, email="ana@example.org")
    session.commit()
    path = bring_in(app, rosa)
    assert "2 people whom it added go again" in words(rosa.get(path))
    with stored(app) as now:
        now.execute(update(DeskSession).values(proven_at=utcnow() - timedelta(hours=1)))
    assert rosa.press(f"{path}/take-back").location.startswith("/desk/prove?to=")
    with stored(app) as now:
        now.execute(update(DeskSession).values(proven_at=utcnow()))
    assert rosa.press(f"{path}/take-back").status_code == 303
    work(app)
    assert "It was taken back. Nobody whom it added stayed." in words(rosa.get(path))
    assert people(app).keys() == {"ana@example.org"}, "who was known before stays, and is on no list"
    with stored(app) as now:
        assert now.scalars(select(Subscription)).all() == []
    bring_in(app, rosa)
    assert len(people(app)) == 2, "they can be imported again"


def test_a_week_later_it_is_too_late_to_take_it_back_and_nothing_of_it_is_kept(app: Flask, rosa: Organiser) -> None:
    path = bring_in(app, rosa)
    with stored(app) as session:
        session.execute(update(Import).values(finished_at=utcnow() - uploads.KEPT))
    assert rosa.press(f"{path}/take-back").status_code == 422
    for _ in range(2):
        with stored(app) as session:
            session.execute(update(Import).values(finished_at=utcnow() - uploads.KEPT - timedelta(hours=1)))
            uploads.forget_old(session)
    with stored(app) as session:
        assert session.scalar(select(func.count()).select_from(Import)) == 0
        assert session.scalar(select(func.count()).select_from(ImportAddition)) == 0
        uploads.clear(session, store(app), at=utcnow() + timedelta(hours=3))
    assert files(app) == [] and len(people(app)) == 2


def test_what_its_owner_does_not_want_is_deleted_at_once(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa)
    assert rosa.press(f"{path}/drop").status_code == 303
    assert files(app) == [] and "Not imported" in words(rosa.get(path))
    assert rosa.press(f"{path}/terms", **TERMS).status_code == 422
    assert rosa.press(f"{path}/confirm").status_code == 422


def test_without_the_words_that_people_agreed_to_nothing_is_looked_at(rosa: Organiser) -> None:
    path = upload(rosa)
    answer = rosa.press(f"{path}/terms", list="urgent-actions", consent=" ", ignored="status")
    assert answer.status_code == 422 and 'id="consent-problem"' in answer.text
    assert re.search(r"<textarea id=\"ignored\"[^>]*>\nstatus</textarea>", answer.text), "what was typed stays"
    overwrites = r"<input id=\"update\"[^>]* checked"
    assert not re.search(overwrites, rosa.get(path).text) and not re.search(overwrites, answer.text)
    again = rosa.press(f"{path}/terms", list="urgent-actions", consent="", update="yes", **{"terms-typed": "yes"})
    assert re.search(overwrites, again.text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name\nAna\n", "there is no column &#34;email&#34;"),
        (b"PK\x03\x04 no workbook", "no .xlsx or .ods file"),
        (b"email,status\na@example.org,some-odd-word\n", "It may say who left"),
        (b"email\n\xff\n", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why_and_imports_nobody(
    app: Flask, rosa: Organiser, content: bytes, reason: str
) -> None:
    path = upload(rosa, content)
    rosa.press(f"{path}/terms", **TERMS)
    work(app)
    page = rosa.get(path)
    assert "Cannot be taken" in words(page) and reason in page.text.replace("&quot;", "&#34;")
    assert people(app) == {}
    assert rosa.press(f"{path}/drop").status_code == 303 and files(app) == []


def test_a_column_that_does_not_say_who_left_can_be_named(app: Flask, rosa: Organiser) -> None:
    bring_in(app, rosa, "email,status\na@example.org,some-odd-word\n", ignored="status")
    assert len(people(app)) == 1


def test_only_lines_with_a_value_are_imported_and_the_page_says_which(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa)
    assert rosa.press(f"{path}/terms", **TERMS, **{"only-column": "Country ", "only-value": " gb"}).status_code == 303
    work(app)
    page = rosa.get(path)
    said = words(page)
    assert "Only lines where Country is gb ." in said and "another value than was asked for: not imported 2" in said
    assert re.search(r'<input id="only-column"[^>]* value="Country"', page.text), "it may be changed"
    assert rosa.press(f"{path}/confirm").status_code == 303
    work(app)
    assert people(app) == {"ana@example.org": "GB"}
    assert "Only lines where Country is gb ." in words(rosa.get(path))


def test_lines_with_nothing_in_a_column_can_be_chosen_and_by_default_all_are(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa, "email,left on\nana@example.org,\nbea@example.org,2020-01-01\n")
    rosa.press(f"{path}/terms", **TERMS, **{"only-column": "Left on"})
    work(app)
    assert "Only lines where nothing stands in Left on ." in words(rosa.get(path))
    rosa.press(f"{path}/terms", **TERMS)
    work(app)
    assert "Only lines" not in words(rosa.get(path))


def test_a_column_that_is_not_there_and_a_value_without_one_are_told(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa)
    answer = rosa.press(f"{path}/terms", **TERMS, **{"only-value": "GB"})
    assert answer.status_code == 422 and "Name the column in which this value stands." in words(answer)
    assert re.search(r'<input id="only-value"[^>]* value="GB"', answer.text), "what was typed stays"
    rosa.press(f"{path}/terms", **TERMS, **{"only-column": "land", "only-value": "GB"})
    work(app)
    page = words(rosa.get(path))
    assert 'people.csv has no column "land". It has: email, name, country.' in page and people(app) == {}
    rosa.press(f"{path}/terms", **TERMS, **{"only-column": "country", "only-value": "GB"})
    work(app)
    assert "Waits for your yes" in words(rosa.get(path)), "it is put right there"


def test_a_second_press_imports_nothing_twice(app: Flask, rosa: Organiser) -> None:
    path = bring_in(app, rosa)
    assert rosa.press(f"{path}/confirm").status_code == 422
    with stored(app) as session:
        actions = session.scalars(select(AuditEntry.action)).all()
    assert actions.count("subscribers.import") == 1


def test_nothing_of_a_file_is_read_of_whoever_may_not_upload(app: Flask, rosa: Organiser) -> None:
    for role in (Role.ADMIN, Role.WRITER, Role.ANALYST):
        assert send(come_in(app, role, email=f"{role.value}@example.org")).status_code == 404
    stranger = Organiser(app.test_client(), 0, "x" * 43)
    asked = send(stranger)
    assert asked.status_code == 403 and "Sign in" in words(asked)
    form = {"form_token": desk_sessions.form_token(rosa.secret), "file": (io.BytesIO(b"email\n"), "a.csv")}
    assert rosa.send("/supporters/imports", form, site="cross-site").status_code == 403
    assert files(app) == []


def test_a_form_that_is_not_taken_leaves_no_file_behind(app: Flask, rosa: Organiser) -> None:
    assert send(rosa, form_token="0" * 64).status_code == 303
    assert send(rosa, b"").status_code == 422
    assert rosa.press("/supporters/imports").status_code == 422
    assert files(app) == []


def test_a_file_over_the_limit_is_refused_unread_and_other_forms_take_no_file(
    app: Flask, rosa: Organiser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 1000)
    monkeypatch.setattr(uploading, "_AROUND_BYTES", 1000)
    answer = send(rosa, "email\n" + "a@example.org\n" * 1000)
    assert answer.location == "/desk/supporters/imports?problem=size"
    assert "larger than" in words(rosa.get("/supporters/imports?problem=size"))
    data = {"form_token": desk_sessions.form_token(rosa.secret), "address": (io.BytesIO(b"x"), "a.csv")}
    assert rosa.send("/supporters/find", data).status_code == 400
    assert files(app) == []


def test_a_file_larger_than_a_form_may_be_comes_in_whole(app: Flask, rosa: Organiser) -> None:
    content = "email\n" + "".join(f"person{number}@example.org\n" for number in range(30_000))
    assert len(content) > 600_000
    path = upload(rosa, content)
    assert rosa.press(f"{path}/terms", **TERMS).status_code == 303
    work(app)
    assert "People whom nobody knew 30,000" in words(rosa.get(path))


def test_the_page_moves_by_itself_and_shows_itself_anew_once_that_is_over(app: Flask, rosa: Organiser) -> None:
    path = upload(rosa)
    rosa.press(f"{path}/terms", **TERMS)
    assert "HX-Refresh" not in rosa.get(f"{path}/moving?seen=looking").headers
    work(app)
    assert rosa.get(f"{path}/moving?seen=looking").headers["HX-Refresh"] == "true"


def test_what_is_done_stands_in_the_audit_log_without_an_address(app: Flask, rosa: Organiser) -> None:
    path = bring_in(app, rosa)
    rosa.press(f"{path}/rejects")
    rosa.press(f"{path}/take-back")
    log = words(come_in(app, Role.ADMIN, email="ada@example.org").get("/log"))
    for done in ("Uploaded a file of supporters", "Imported supporters", "Downloaded the lines", "Took back what"):
        assert done in log
    assert "example.org" not in log.replace("ada@example.org", "").replace("rosa@example.org", "")
    with stored(app) as session:
        assert session.scalars(select(Import)).one().state is ImportState.TAKING_BACK


def test_what_stands_in_the_lines_is_shown_to_whoever_uploaded_them_only(app: Flask, rosa: Organiser) -> None:
    path = bring_in(app, rosa)
    other = come_in(app, Role.PUBLISHER, email="otto@example.org")
    assert "Nowhereland" in rosa.get(path).text
    page = other.get(path)
    assert "Nowhereland" not in page.text and "no address" not in page.text
    assert "What stands in its lines is shown to whoever uploaded the file." in words(page)


def test_nobody_fills_the_disk_with_files_that_wait(app: Flask, rosa: Organiser) -> None:
    paths = [upload(rosa, name=f"part{number}.csv") for number in range(uploads.MOST_FILES)]
    answer = send(rosa)
    assert answer.status_code == 422 and "You have 5 files here already." in words(answer)
    assert len(files(app)) == uploads.MOST_FILES, "and what came is gone"
    assert rosa.press(f"{paths[0]}/drop").status_code == 303
    upload(rosa)
