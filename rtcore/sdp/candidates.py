"""Candidates of the other end, by the generation of ICE that they belong to."""

from collections.abc import Set
from dataclasses import dataclass, field

from rtcore.errors import OperationError

from .model import Description
from .parser import MAX_CANDIDATES

__all__ = ["Generation", "RemoteCandidates"]


@dataclass(slots=True)
class Generation:
    """`taken` of the candidates have been handed on."""

    texts: list[str] = field(default_factory=list)
    ended: bool = False
    taken: int = 0
    end_taken: bool = False


class RemoteCandidates:
    """By the other end's ufrag: those within descriptions, and those that came one by one."""

    def __init__(self) -> None:
        self._generations: dict[str, Generation] = {}

    def generation(self, ufrag: str) -> Generation | None:
        return self._generations.get(ufrag)

    def collect(self, description: Description, ufrag: str) -> None:
        """Those within a description, of its transport."""
        if not ufrag:
            return
        generation = self._generations.setdefault(ufrag, Generation())
        known = set(generation.texts)
        for media in description.media:
            if description.transport_of(media).ice_ufrag == ufrag:
                for text in media.candidates:
                    if text not in known and len(known) < MAX_CANDIDATES:
                        generation.texts.append(text)
                        known.add(text)
                generation.ended = generation.ended or media.end_of_candidates

    def add(self, generation: Generation, text: str) -> None:
        """Empty: there are no more."""
        if not text:
            generation.ended = True
        elif text not in generation.texts:
            if len(generation.texts) >= MAX_CANDIDATES:
                raise OperationError(f"more than {MAX_CANDIDATES} remote candidates")
            generation.texts.append(text)

    def take(self, ufrag: str) -> tuple[list[str], bool]:
        """Those not taken yet, and whether their end is to be told now."""
        generation = self._generations.get(ufrag)
        if generation is None:
            return [], False
        texts = generation.texts[generation.taken :]
        generation.taken = len(generation.texts)
        ended = generation.ended and not generation.end_taken
        generation.end_taken = generation.ended
        return texts, ended

    def keep(self, ufrags: Set[str]) -> None:
        """Forgets all other generations: no description names them any more."""
        for other in self._generations.keys() - ufrags:
            del self._generations[other]
