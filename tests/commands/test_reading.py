"""Recordings that a command was given, read ahead of the one in use."""

from dataclasses import replace

from fgclep.commands.reading import Recording, read_ahead


def test_recordings_are_read_ahead_in_their_order_and_no_further_than_asked():
    begun: list[str] = []

    def read(recording: Recording) -> Recording:
        begun.append(recording.name)
        return replace(recording, error="read")

    names = [f"r{number}" for number in range(20)]
    ahead = read_ahead(map(Recording, names), read, 4)
    first = next(ahead)
    assert (first.name, first.error) == ("r0", "read") and len(begun) <= 5
    assert [recording.name for recording in ahead] == names[1:]
