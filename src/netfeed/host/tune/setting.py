"""One row of the table: what a setting is for, what each profile wants of it, where it stands, and who says so."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.want import Want
from netfeed.host.tune.where import Where

NO_RISK: Final = "none known"


class Profile(StrEnum):
    """What a host is for."""

    FEED = "feed"
    QUOTE = "quote"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting. A profile that wants None leaves it alone: then the row is there to be explained.

    `helped`: the reading that shows whether it helped. `boot`: what to add to the kernel command line ({cpus} and
    {others} are the feed's processors and the rest); such a row is only read. `hand`: what to do where netfeed does not
    write it.
    """

    name: str
    why: str
    where: Where
    form: Form = Form.NUMBER
    feed: Want | None = None
    quote: Want | None = None
    capture: Want | None = None
    risk: str = NO_RISK
    helped: str
    source: str
    boot: str = ""
    hand: str = ""
    absent: str = "not in this kernel"
    """Why it may not be there."""

    def wanted(self, profile: Profile) -> Want | None:
        """Give what a profile wants."""
        return {Profile.FEED: self.feed, Profile.QUOTE: self.quote, Profile.CAPTURE: self.capture}[profile]

    @property
    def written(self) -> bool:
        """Say whether `netfeed tune apply` may write it."""
        return not self.boot and not self.hand

    def named(self, interface: str | None) -> str:
        """Give its name with the interface filled in."""
        return self.name.replace("IF", interface) if interface and self.where.per_interface else self.name
