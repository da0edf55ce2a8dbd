"""Questions about stories: bAbI, with the sentences that know the answer.

babi("train", path="data/babi", task=1)[0]
# {"source": "Mary moved to the bathroom. John went to the hallway. Where is Mary?", "target": "bathroom",
#  "source_words": ["Mary", "moved", .., "?"], "target_words": ["bathroom"], "sentence_of": [0, 0, .., -1],
#  "supporting": [0]}
"""

import functools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from attention_lab.data.corpus_files import (
    Folder,
    checked,
    field,
    first_of,
    part_of,
    rows_of,
)
from attention_lab.data.parallel_files import Example, located, read_lines
from attention_lab.mechanism.registry import unknown

TASKS = range(1, 21)
# For the number of training questions of a task, the folder of the original files.
SIZES = {"1k": "en", "10k": "en-10k"}
NO_SENTENCE = -1

_COMPACT = {"1k": "babi_en.jsonl", "10k": "babi_en_10k.jsonl"}
_WORD = re.compile(r"\w+|[^\w\s]")


class Story(NamedTuple):
    """The facts of a story, and its questions: (number of facts before it, question, answer, supporting facts)."""

    facts: list[str]
    questions: list[tuple[int, str, str, list[int]]]


def babi(split: str, *, path: Folder, task: int, size: str = "10k") -> tuple[Example, ...]:
    """Questions about short stories (Weston et al. 2015), one example for each question of a task.

    The source is the facts before the question, and the question; "supporting" are the indices of the facts that the
    answer follows from, in the order of the corpus. path: the folder of en/ and en-10k/ with qa1_*_train.txt and so on,
    or of babi_en.jsonl and babi_en_10k.jsonl, gzipped or not. task: 1 to 20. size: "1k" or "10k", the training
    questions of the task. The corpus has no validation split: every tenth story of the training split is held out, with
    100 or 1,000 questions. The test split has 1,000 for both sizes. Raises ValueError if there is no such task, and with
    file and line where a file does not have this format.
    """
    if type(task) is not int or task not in TASKS:
        raise ValueError(f"task must be a whole number from 1 to {TASKS[-1]}, not {task!r}")
    if size not in SIZES:
        raise ValueError(unknown("size of babi", size, SIZES))
    part = "test" if split == "test" else "train"
    stored = "1k" if part == "test" else size  # one test split serves both sizes
    compact = _COMPACT[stored]
    file = first_of(path, compact, f"{SIZES[size]}/qa{task}_*_{part}.txt")
    compacted = file.name.startswith(compact)
    stories = _stories_of_rows(file, part, task) if compacted else _stories_of_lines(file)
    if part == "train":
        stories = part_of(stories, split)
    return tuple(example for story in stories for example in examples_of(story))


def examples_of(story: Story) -> Iterator[Example]:
    """Yields one example for each question of a story, with the facts before it."""
    words = [words_apart(fact) for fact in story.facts]
    for before, question, answer, supporting in story.questions:
        asked = words_apart(question)
        told = [(word, index) for index in range(before) for word in words[index]]
        yield {
            "source": " ".join([*story.facts[:before], question]),
            "target": answer,
            "source_words": [*(word for word, _ in told), *asked],
            "target_words": words_apart(answer),
            "sentence_of": [*(index for _, index in told), *[NO_SENTENCE] * len(asked)],
            "supporting": supporting,
        }


def words_apart(text: str) -> list[str]:
    """Returns the words of a text, in which punctuation marks are words of their own."""
    return _WORD.findall(text)


def _stories_of_rows(file, part, task):
    """Returns the stories of a task from JSON lines of all tasks."""
    rows = list(rows_of(file, functools.partial(_row, part=part, task=task)))
    stories = [story for _, story in rows if story]
    if not stories:
        tasks = ", ".join(map(str, sorted({number for number, _ in rows if number})))
        raise ValueError(
            f"{file} has no {part} questions of task {task}; it has those of {tasks or 'no task'}"
        )
    return stories


def _row(row: dict[str, Any], part: str, task: int) -> tuple[int | None, Story | None]:
    """Returns the task of a row of this split, and its story if it is of this task."""
    number = field(row, int, "task")
    if field(row, str, "split") != part:
        return None, None
    if number != task:
        return number, None
    facts = [_text(fact, "a fact") for fact in field(row, list, "facts")]
    questions = [_question(checked(one, dict, "a question")) for one in field(row, list, "qs")]
    return number, _checked_story(Story(facts, questions))


def _question(row):
    supporting = [checked(index, int, "a supporting fact") for index in field(row, list, "sup")]
    texts = [_text(field(row, str, name), repr(name)) for name in ("q", "a")]
    return field(row, int, "after"), *texts, supporting


def _stories_of_lines(file):
    """Returns the stories of a file of the authors: numbered lines, which begin with 1 in each story."""
    stories: list[Story] = []
    lines: dict[int, int] = {}  # the index of the fact in each line of a story
    for number, line in enumerate(read_lines(file), 1):
        if line.strip():
            located(file, number, _add_line, line, stories, lines)
    return stories


def _add_line(line, stories, lines):
    """Adds a line to the last story, or to a new one: "1 FACT", or "3 QUESTION TAB ANSWER TAB 1 2"."""
    number, _, rest = line.strip().partition(" ")
    text, *answered = (cell.strip() for cell in rest.split("\t"))
    if not number.isdecimal() or len(answered) not in (0, 2):
        raise ValueError(
            f"a line must be a number and a fact, or a number, a question, a tab, an answer, a tab and the numbers of "
            f"facts, not {line!r:.60}"
        )
    if number == "1":
        stories.append(Story([], []))
        lines.clear()
    if not stories:
        raise ValueError(f"the first line of a story has the number 1, not {number}")
    facts, questions = stories[-1]
    if not answered:
        lines[int(number)] = len(facts)
        facts.append(_text(text, "the fact"))
        return
    answer, support = answered
    for word in support.split():
        if not word.isdecimal() or int(word) not in lines:
            raise ValueError(f"the supporting fact {word} is not the number of a fact before it")
    supporting = [lines[int(word)] for word in support.split()]
    questions.append(
        (len(facts), _text(text, "the question"), _text(answer, "the answer"), supporting)
    )


def _checked_story(story):
    for before, question, _, supporting in story.questions:
        if not 0 <= before <= len(story.facts):
            raise ValueError(
                f"{question!r} is after {before} facts, but the story has {len(story.facts)}"
            )
        if not all(0 <= index < before for index in supporting):
            raise ValueError(
                f"{question!r} has the supporting facts {supporting}, but follows {before} facts, counted from 0"
            )
    return story


def _text(value, name):
    text = " ".join(checked(value, str, name).split())
    if not text:
        raise ValueError(f"{name} is empty")
    return text
