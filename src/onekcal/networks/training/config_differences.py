"""Whether two configurations are the same, and where they differ."""

from __future__ import annotations

from pathlib import Path

from onekcal.errors import ConfigError

MOST = 12
"""Most differences that a message lists."""
Content = dict[str, object]
"""A configuration, as JSON holds it."""


def refuse_differences(path: Path, then: Content, now: Content) -> None:
    """Refuse to go on with another configuration.

    Parameters
    ----------
    path
        The checkpoint or folder, for the message.
    then, now
        The configuration that the training began with, and the present one.

    Raises
    ------
    ConfigError
        Lists what differs.
    """
    lines = differences(then, now)
    if lines:
        more = f"\n  … and {len(lines) - MOST} more" if len(lines) > MOST else ""
        raise ConfigError(
            f"{path} belongs to another configuration, so it cannot be resumed:\n  "
            + "\n  ".join(lines[:MOST])
            + more
            + "\nresume with the configuration it began with, or start again with --overwrite"
        )


def differences(then: Content, now: Content) -> list[str]:
    """Return lines such as "fit.rate: 0.001 then, 0.002 now".

    Parameters
    ----------
    then, now
        Two configurations.
    """
    before, after = _flat(then), _flat(now)
    return [
        f"{key}: {before.get(key, 'absent')} then, {after.get(key, 'absent')} now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _flat(content: object, prefix: str = "") -> dict[str, object]:
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else None
    )
    if items is None or not content:
        return {prefix.rstrip("."): content}
    return {
        name: value for key, part in items for name, value in _flat(part, f"{prefix}{key}.").items()
    }
