"""The payload types of a section, and how what is worked out from them is kept.

The same few lists of codecs come with every connection: a browser of one version always says the same. So
they are immutable, compared by content, and shared; what they mean is worked out once and remembered.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar, cast

__all__ = ["Codec", "CodecTable", "parameters_of", "remembered"]

REMEMBERED = 64
"""Results that each function keeps. The other end chooses its lists, so their number and size are bounded."""
USUAL_SIZE = 16 * 1024
"""Characters of a list that is remembered; browsers need 2 to 6 thousand. Longer ones are worked out anew."""

P = ParamSpec("P")
R = TypeVar("R")


def parameters_of(text: str) -> dict[str, str]:
    """`"a=1;b"` as `{"a": "1", "b": ""}`, names in lower case; the last of equal names counts."""
    found: dict[str, str] = {}
    for item in text.split(";"):
        name, _, value = item.partition("=")
        if name.strip():
            found[name.strip().lower()] = value.strip()
    return found


@dataclass(slots=True, frozen=True)
class Codec:
    """One payload type: a=rtpmap, a=fmtp and a=rtcp-fb together. `name` is empty where there is no rtpmap
    (the static payload types of RFC 3551)."""

    payload_type: int
    name: str = ""
    clock_rate: int = 0
    channels: int | None = None
    parameters: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def parameter_map(self) -> dict[str, str]:
        """`"a=1;b"` as `{"a": "1", "b": ""}`, names in lower case."""
        return parameters_of(self.parameters)


class CodecTable(Mapping[int, Codec]):
    """`Codec` by payload type, in the order of the m-line, and the feedback of all of them (a=rtcp-fb:*).

    To change a section's codecs, give it another table: `CodecTable([...])`.
    """

    __slots__ = ("_codecs", "_hash", "feedback_for_all", "usual")

    def __init__(self, codecs: Iterable[Codec] = (), feedback_for_all: Iterable[str] = ()) -> None:
        self._codecs = {codec.payload_type: codec for codec in codecs}
        self.feedback_for_all = tuple(feedback_for_all)
        self._hash = hash((tuple(self._codecs.values()), self.feedback_for_all))
        texts = [*self.feedback_for_all]
        for codec in self._codecs.values():
            texts += (codec.name, codec.parameters, *codec.feedback)
        self.usual = sum(map(len, texts)) <= USUAL_SIZE

    def __getitem__(self, payload_type: int) -> Codec:
        return self._codecs[payload_type]

    def __iter__(self) -> Iterator[int]:
        return iter(self._codecs)

    def __len__(self) -> int:
        return len(self._codecs)

    def values(self) -> ValuesView[Codec]:
        return self._codecs.values()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodecTable):
            return NotImplemented
        return self is other or (
            self._hash == other._hash
            and self.feedback_for_all == other.feedback_for_all
            and [*self.values()] == [*other.values()]
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"CodecTable({[*self.values()]!r}, {self.feedback_for_all!r})"


def remembered(function: Callable[P, R]) -> Callable[P, R]:
    """For functions of tables and other immutable values, with results that nobody changes: those of the last
    `REMEMBERED` calls are kept, unless a table is of unusual size."""
    kept = cast(Callable[P, R], lru_cache(REMEMBERED)(function))

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        usual = all(value.usual for value in args if isinstance(value, CodecTable))
        return (kept if usual else function)(*args, **kwargs)

    return call
