"""Times as somebody at the desk reads them: in their zone, which is named."""

from datetime import datetime

from babel.dates import format_datetime
from markupsafe import Markup

from mailer.locale import languages, zones
from mailer.web import language
from mailer.web.desk.visit import visit


def written(moment: datetime) -> Markup:
    """A moment in the viewer's zone, with the zone's name, for a page: as a `time` element that machines read, too.

    :param moment: aware.
    """
    zone, locale = visit().zone, languages.locale(language.current())
    local = moment.astimezone(zone)
    words = f"{format_datetime(local, 'medium', locale=locale)} ({zones.name_of(str(zone), moment, locale)})"
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), words)
