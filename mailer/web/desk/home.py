"""Home: what needs me now."""

from flask import render_template


def see() -> str:
    """What needs whoever looks."""
    return render_template("desk/home/see.html")
