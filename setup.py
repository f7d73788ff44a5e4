"""Keeps the program from being installed without its templates, migrations and catalogues."""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class _NoWheel(bdist_wheel):
    def run(self) -> None:
        raise SystemExit(
            "Tocsin runs from its own folder, where its templates and migrations are. "
            "Install it there with `make setup`, or with `pip install -e .`"
        )


setup(cmdclass={"bdist_wheel": _NoWheel})
