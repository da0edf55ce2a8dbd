"""Dialogues of a user with a system, as one text for a language model.

    turns = [{"speaker": "user", "text": "Hello!"}, {"speaker": "system", "text": "Good morning."}]
    dialogue_text(turns)                        # "<user> Hello!\\n<system> Good morning."
    prompt_of(turns[:1])                        # "<user> Hello!\\n<system>", which the system's next turn continues
    turns_of("<user> Hello!\\n<system> Good morning.") == turns

Each turn is one line, which begins with the mark of its speaker. A model that continues a prompt has finished the turn of
the system when it writes the mark of the user, which is therefore the stop string. No turn contains a mark: one in the text
of a user is written with a space, "< system>". Marks separate turns even where line breaks have become spaces.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attention_lab.data.corpus_files import (
    Folder,
    checked,
    field,
    first_of,
    matching,
    parsed,
    rows_of,
)
from attention_lab.data.parallel_files import Example, whole_text
from attention_lab.data.words import normalize

USER, SYSTEM = "user", "system"
MARKS: Mapping[str, str] = MappingProxyType({USER: "<user>", SYSTEM: "<system>"})

_MARK = re.compile("<(user|system)>")
_SPEAKERS = {"U": USER, "S": SYSTEM, "USER": USER, "SYSTEM": SYSTEM}
_STEMS = {"train": ("train", "train"), "validation": ("valid", "dev"), "test": ("test", "test")}


def turn_text(turn: Mapping[str, str]) -> str:
    """Returns the line of one turn: the mark of its speaker, a space and its normalized text, which has no mark."""
    return f"{MARKS[turn['speaker']]} {plain(turn['text'])}".rstrip()


def dialogue_text(turns: Iterable[Mapping[str, str]]) -> str:
    """Returns the turns as one text, one in each line."""
    return "\n".join(map(turn_text, turns))


def prompt_of(turns: Iterable[Mapping[str, str]]) -> str:
    """Returns the text after which the system speaks: the turns, and its mark."""
    return "\n".join([*map(turn_text, turns), MARKS[SYSTEM]])


def turns_of(text: str) -> list[dict[str, str]]:
    """Inverts `dialogue_text`. Text before the first mark belongs to no turn, and is left out."""
    parts = _MARK.split(text)[1:]
    return [
        {"speaker": speaker, "text": normalize(said)}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def plain(text: str) -> str:
    """Returns the text of a turn with single spaces, and a space in each mark, so that it is none."""
    return _MARK.sub(r"< \1>", normalize(text))


def sgd(split: str, *, path: Folder) -> tuple[Example, ...]:
    """Dialogues of a person with an assistant (Rastogi et al. 2020): {"text", "turns", "id"}, one for each dialogue.

    path: the folder of sgd_{train,valid,test}.jsonl, gzipped or not, or of {train,dev,test}/dialogues_*.json. In two
    dialogues of the test split the last turn, of the system, is empty. Raises ValueError with the place of a dialogue
    that does not have this format, or has no text.
    """
    compact, original = _STEMS[split]
    file = first_of(path, f"sgd_{compact}.jsonl", f"{original}/dialogues_*.json")
    if file.name.startswith("sgd_"):
        return tuple(rows_of(file, _dialogue))
    parts = matching(file.parent / "dialogues_*.json")
    return tuple(example for part in parts for example in _dialogues(part))


def _dialogues(path):
    """Yields the dialogues of one of the original files, which is a list."""
    text = whole_text(path)
    try:
        rows = checked(parsed(text), list, "the file")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    for number, row in enumerate(rows, 1):
        try:
            yield _dialogue(checked(row, dict, "the dialogue"))
        except ValueError as error:
            raise ValueError(f"{path}: dialogue {number}: {error}") from None


def _dialogue(row):
    turns = [_turn(checked(turn, dict, "a turn")) for turn in field(row, list, "turns")]
    if not any(turn["text"] for turn in turns):
        raise ValueError("the dialogue has no text")
    identity = field(row, str, "id", "dialogue_id")
    return {"text": dialogue_text(turns), "turns": turns, "id": identity}


def _turn(turn):
    letter = field(turn, str, "s", "speaker")
    if letter not in _SPEAKERS:
        raise ValueError(f"the speaker is {letter!r}, but must be {', '.join(_SPEAKERS)}")
    return {"speaker": _SPEAKERS[letter], "text": plain(field(turn, str, "u", "utterance"))}
