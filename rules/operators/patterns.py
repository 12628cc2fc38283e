"""Regular expressions of policies: RE2 only, compiled at load, matched over the whole text.

RE2 answers in time linear in the text; Python's own engine takes seconds on hostile input.
"""

from __future__ import annotations

from typing import Final

from re2 import _re2

MOST_PATTERN_CHARACTERS: Final = 500

# Whoever sends values could fill the memory otherwise.
_MOST_REMEMBERED: Final = 512
_LONGEST_REMEMBERED: Final = 320

_WHOLE: Final = _re2.RE2.Anchor.ANCHOR_BOTH
_NO_MATCH: Final = (-1, -1)

# RE2 folds these two to k and s under caseless matching; mail systems keep them apart.
_NEAR_ASCII: Final = {0x212A: 0xFFFD, 0x017F: 0xFFFD}


class PatternInvalid(ValueError):
    """The text is not a regular expression that RE2 accepts; the message says why.

    `is_too_long` tells that it was not even given to RE2.
    """

    def __init__(self, message: str, *, is_too_long: bool = False) -> None:
        super().__init__(message)
        self.is_too_long = is_too_long


class Pattern:
    """A compiled expression that answers whether it matches a whole text."""

    __slots__ = ("_known", "_match", "caseless", "text")

    def __init__(self, text: str, *, caseless: bool) -> None:
        if len(text) > MOST_PATTERN_CHARACTERS:
            raise PatternInvalid(
                f"it is longer than {MOST_PATTERN_CHARACTERS} characters", is_too_long=True
            )
        options = _re2.RE2.Options()
        options.never_capture = True
        options.log_errors = False
        options.case_sensitive = not caseless
        try:
            # The extension itself, because its wrapper costs five times the match.
            compiled = _re2.RE2(text.encode(), options)
        except UnicodeError:
            raise PatternInvalid("it is not Unicode text") from None
        if not compiled.ok():
            raise PatternInvalid(compiled.error().decode("utf-8", "replace"))
        self._match = compiled.Match
        self.text = text
        self._known: dict[str, bool] = {}
        self.caseless = caseless

    def fits(self, text: str) -> bool:
        """Tell whether the expression matches the whole text.

        Raises UnicodeError for text with lone surrogates.
        """
        known = self._known.get(text)
        return self._learn(text) if known is None else known

    def _learn(self, text: str) -> bool:
        plain = text
        if self.caseless and not text.isascii():
            plain = text.translate(_NEAR_ASCII)
        data = plain.encode()
        found: bool = self._match(_WHOLE, data, 0, len(data))[0] != _NO_MATCH
        # One change is judged several times, before and after it is committed.
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[text] = found
        return found
