"""Local descriptions that a program has edited between `createOffer()` and `setLocalDescription()`."""

from rtcore.sdp import parse, write

__all__ = ["with_candidates"]


def with_candidates(edited: str, local: str) -> str:
    """The edited text with the candidates that `local` has gathered by now."""
    description, gathered = parse(edited), parse(local)
    for media in description.media:
        known = gathered.section(media.mid)
        if known is not None and not media.rejected:
            media.port, media.connection = known.port, known.connection
            media.candidates, media.end_of_candidates = known.candidates, known.end_of_candidates
    return write(description)
