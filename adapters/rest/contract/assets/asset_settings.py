"""Which settings of an asset are secret, and where each kind goes.

Secret is what `secrets` of a request names, what the app's author declared so, what was secret
before, and what says so by its name or its whole text. Only settings themselves can be secret:
inside of lists, objects and texts what looks so is refused, since it would be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from pydantic import SecretStr

from prefect_phantom.adapters.errors import BadField, BadSecret, SecretSetting
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.security.secret_names import is_secret_setting, secret_within

LONGEST_SECRET = 65536
"""Characters of a secret; a private key has a few thousand."""
LARGEST_LIMIT = 1000


@dataclass(slots=True)
class Wanted:
    """What a request says of settings, secrets and limit, sorted by where it goes."""

    settings: dict[str, object] | None = None
    """All that may be shown; None when nothing is said of them."""
    secrets: dict[str, SecretStr] = field(default_factory=dict)
    """New values. What is not named stays."""
    cleared: list[str] = field(default_factory=list)
    """The secrets that are cleared."""
    limits: bool = False
    """Whether anything is said of the limit."""
    action_limit: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is said at all."""
        return self.settings is not None or bool(self.secrets or self.cleared) or self.limits

    def put(self, name: str, path: str, value: object) -> None:
        """Take a secret; null and an empty text clear one. Raises `BadSecret` with its `path`."""
        if value is None or value == "":
            self.cleared.append(name)
        elif not isinstance(value, str) or len(value) > LONGEST_SECRET:
            raise BadSecret(path, f"a text of at most {LONGEST_SECRET} characters, or null")
        else:
            self.secrets[name] = SecretStr(value)


def read_wanted(fields: Fields) -> Wanted:
    """What the body says, before it is known which settings the app declares secret.

    Raises `BadField` and `BadSecret`.
    """
    wanted = Wanted(settings=fields.mapping("configuration"))
    given = fields.body.get("secrets")
    if given is not None and not isinstance(given, dict):
        raise BadSecret("secrets", "an object")
    for name, value in (given or {}).items():
        if name in (wanted.settings or {}):
            raise BadSecret(f"secrets.{name}", f"left out beside configuration.{name}")
        wanted.put(name, f"secrets.{name}", value)
    _move_secrets(wanted, is_secret_setting)
    if "action_limit" in fields.body:
        wanted.limits, wanted.action_limit = True, _limit(fields)
    return wanted


def move_declared(wanted: Wanted, names: Collection[str]) -> None:
    """Take the settings of these names for secrets, too.

    Raises `BadSecret`, and `SecretSetting` for what looks secret in what is left to be shown.
    """
    _move_secrets(wanted, lambda name, _: name in names)
    if place := secret_within(wanted.settings, "configuration"):
        raise SecretSetting(place)


def _move_secrets(wanted: Wanted, is_secret: Callable[[str, object], bool]) -> None:
    if wanted.settings is None:
        return
    for name in [name for name, value in wanted.settings.items() if is_secret(name, value)]:
        wanted.put(name, f"configuration.{name}", wanted.settings.pop(name))


def _limit(fields: Fields) -> int | None:
    value = fields.body["action_limit"]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_LIMIT:
        raise BadField("action_limit", value, f"an integer from 1 to {LARGEST_LIMIT}, or null")
    return value
