"""What may be taken of a moment: the time of day, the day of the week, the date, in a time zone.

A moment has none of these by itself: 16:00 in Amsterdam is 15:00 in London. So a condition that
asks for one names the zone, by its IANA name. Zones come from the system, or from the package
tzdata where the system has none, and are read when policies load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

TIME_OF_DAY: Final = "timeOfDay"
WEEKDAY: Final = "weekday"
DATE: Final = "date"
MOMENT_PARTS: Final = (TIME_OF_DAY, WEEKDAY, DATE)

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAY_LABELS: Final[Mapping[str, int | str]] = MappingProxyType({day: day for day in WEEKDAYS})

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_IN: Final = " in "


# A system keeps more files beside its zones, and one that says where it stands itself.
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})


class ZoneUnknown(ValueError):
    """There is no such time zone."""


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises ZoneUnknown."""
    # Only policies that name a zone pay for the import.
    from zoneinfo import ZoneInfo

    if name.startswith(("posix/", "right/")) or name in _NO_ZONES:
        raise ZoneUnknown(name)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise ZoneUnknown(name) from error


def known_zones() -> frozenset[str]:
    """Return every time zone of this machine."""
    from zoneinfo import available_timezones

    return frozenset(available_timezones()) - _NO_ZONES


def part_in(part: str, zone: str) -> str:
    """Return how a part of a moment in a zone is written where both stand in one text."""
    return f"{part}{_IN}{zone}"


def moment_part(part: str | None) -> Callable[[datetime], str] | None:
    """Return what takes that part of a moment; None when it is no part of one."""
    name, _, zone = (part or "").partition(_IN)
    if name not in MOMENT_PARTS:
        return None
    zone_info = zone_of(zone)

    def there(moment: datetime) -> datetime:
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.astimezone(zone_info)

    if name == WEEKDAY:
        return lambda moment: WEEKDAYS[there(moment).weekday()]
    if name == DATE:
        return lambda moment: there(moment).date().isoformat()
    # Whole seconds: nothing that a person writes is finer. As texts they are in the order of time.
    return lambda moment: there(moment).strftime("%H:%M:%S")


def time_from(text: object) -> str | None:
    """Return a time of day as moments have it; None for what is none."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    return text if len(text) == len("00:00:00") else f"{text}:00"


def date_from(text: object) -> str | None:
    """Return a date as moments have it; None for what is none."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None
