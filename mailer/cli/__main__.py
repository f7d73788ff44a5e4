"""`python -m mailer.cli` is `mailer`."""

from mailer.cli import main

main(prog_name="mailer")
