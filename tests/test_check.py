"""`make check` runs the tests of what has changed."""

from pathlib import Path

import pytest

from tests.support.changed import ALWAYS, PROJECT, paths_for


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("mailer/people/lists.py", "tests/people/test_lists.py"),
        ("mailer/store/models/ledger.py", "tests/store"),  # which has no test of its own
        ("mailer/web/templates/joining/sign_up.html", "tests/web/public/test_joining.py"),
        ("mailer/links.py", "tests/test_links.py"),
        ("workers/jobs.py", "tests/workers"),
        ("migrations/versions/0001_initial.py", "tests/test_migrations.py"),
        ("templates/emails/layouts/mail.mjml", "tests/mail/test_render.py"),
        ("tests/mail/test_merge.py", "tests/mail/test_merge.py"),
    ],
)
def test_a_changed_file_leads_to_its_tests(changed: str, test: str) -> None:
    assert paths_for([changed]) == sorted({*ALWAYS, test})
    assert (PROJECT / test).exists()


@pytest.mark.parametrize(
    "changed", ["README.md", "tests/browser/test_using.py", "tests/support/factories.py", "tests/mail/test_gone.py"]
)
def test_what_has_no_quick_test_leads_to_those_that_always_run(changed: str) -> None:
    assert paths_for([changed]) == sorted(ALWAYS)


def test_every_package_leads_somewhere() -> None:
    for package in sorted(folder.parent for folder in Path(PROJECT, "mailer").glob("*/__init__.py")):
        assert len(paths_for([f"mailer/{package.name}/newcomer.py"])) > len(ALWAYS), package
