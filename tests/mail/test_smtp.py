"""A mail server, as settings name it."""

from mailer.mail.smtp import Server, SmtpUnavailable


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Server("mail.example.org", 587, "starttls", "user", "secret"))


def test_no_server_is_said_with_the_setting_to_check() -> None:
    error = SmtpUnavailable(server=Server("mail.example.org", 587), problem="it does not answer")
    assert "mail.example.org:587" in str(error)
    assert "MAILER_SMTP_URL" in str(error)
    assert error.exit_code == 3
