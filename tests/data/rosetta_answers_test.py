"""Answers: a reader who knows nothing but the text finds each, from the supporting sentences and from no fewer."""

import collections
import functools
import re

import pytest

from attention_lab.data.rosetta.answers import KINDS, rosetta_answers
from attention_lab.data.rosetta.nouns import NAMES, NOUNS

pytestmark = pytest.mark.xdist_group("rosetta")  # one process draws the corpus once


@functools.cache
def sample():
    """Examples of every split, and of small worlds."""
    small = rosetta_answers("train", 200, vocabulary=4, sentences=(5, 6))
    large = [*rosetta_answers("train", 600), *rosetta_answers("validation", 40)]
    return [*large, *rosetta_answers("test_long", 40), *small]


def sentences_of(example):
    """The sentences of the story, without their periods, and the question."""
    *story, question = example["source"].split(" . ")
    assert question.endswith(" ?")
    return story, question.removesuffix(" ?")


SOMEBODY = r"((?:[Tt]he [a-z]+|[A-Z][a-z]+))"
COLORS = ("red", "blue", "green", "yellow", "black", "white", "gray")
SOMETHING = rf"(?:the|a|an) ((?:(?:{'|'.join(COLORS)}) )?[a-z]+)"
GOING = re.compile(rf"{SOMEBODY} (?:went|walked|ran) to the ([a-z]+)")
TAKING = re.compile(rf"{SOMEBODY} (?:took|picked up) {SOMETHING}")
GIVING = re.compile(rf"{SOMEBODY} (?:gave|handed) {SOMETHING} to {SOMEBODY}")
GIVING_TO = re.compile(rf"{SOMEBODY} (?:gave|handed) {SOMEBODY} {SOMETHING}")
LEAVING = re.compile(rf"{SOMEBODY} (?:dropped|put down|left) {SOMETHING}(?: there)?")
DOING = re.compile(rf"{SOMEBODY} (?:laughed|sang|danced|waited)")


def somebody(text):
    return text.split()[-1]


class Reader:
    """Who is where and has what, as far as the sentences say that were read."""

    def __init__(self, sentences):
        self.steps = collections.defaultdict(list)  # of people: (time, place)
        self.owner, self.since = {}, {}
        self.moved = collections.defaultdict(list)  # of things: the places where they have been
        self.lies, self.colors, self.gifts = {}, {}, []
        for time, sentence in enumerate(sentences):
            self.read(time, sentence.removeprefix("Then "))

    def read(self, time, sentence):
        if match := GOING.fullmatch(sentence):
            who, place = somebody(match[1]), match[2]
            assert self.place(who) != place, "nobody goes to where he is"
            self.steps[who].append((time, place))
            for thing, owner in self.owner.items():
                if owner == who:
                    self.moved[thing].append(place)
        elif match := GIVING.fullmatch(sentence):
            self.give(somebody(match[1]), self.thing(match[2]), somebody(match[3]))
        elif match := GIVING_TO.fullmatch(sentence):
            self.give(somebody(match[1]), self.thing(match[3]), somebody(match[2]))
        elif match := TAKING.fullmatch(sentence):
            who, thing = somebody(match[1]), self.thing(match[2])
            assert thing not in self.owner, "nobody takes what somebody has"
            self.owner[thing] = who
            self.lies.pop(thing, None)
            self.moved[thing] += [self.place(who)] if self.place(who) else []
        elif match := LEAVING.fullmatch(sentence):
            who, thing = somebody(match[1]), self.thing(match[2])
            assert self.owner.pop(thing, who) == who, "nobody leaves what he does not have"
            self.lies[thing] = self.place(who)
        else:
            assert DOING.fullmatch(sentence), sentence

    def give(self, giver, thing, receiver):
        assert self.owner.get(thing, giver) == giver, "nobody gives what he does not have"
        self.owner[thing] = receiver
        self.lies.pop(thing, None)
        self.gifts.append((giver, thing, receiver))
        if not self.moved[thing] and self.place(receiver):
            self.moved[thing].append(self.place(receiver))

    def thing(self, words):
        *color, thing = words.split()
        if color:
            assert thing not in self.colors
            self.colors[thing] = color[0]
        return thing

    def place(self, who):
        return self.steps[who][-1][1] if self.steps[who] else None

    def answer(self, question):
        """The answer to a question, or None if it is not known."""
        for pattern, find in (
            (rf"Where is {SOMEBODY}", self.where),
            (rf"Where was {SOMEBODY} before s?he went to the (.*)", self.before_person),
            (r"Where was the (.*) before it came to the (.*)", self.before_thing),
            (r"Who has the (.*)", self.owner.get),
            (rf"What did {SOMEBODY} give to {SOMEBODY}", functools.partial(self.gift, 1)),
            (rf"Who gave {SOMEBODY} to {SOMEBODY}", functools.partial(self.gift, 0)),
            (rf"To whom did {SOMEBODY} give {SOMEBODY}", functools.partial(self.gift, 2)),
            (r"What color is the (.*)", self.colors.get),
        ):
            if match := re.fullmatch(pattern, question):
                return find(*map(somebody, match.groups()))
        raise AssertionError(question)

    def where(self, name):
        if name in self.owner:
            return self.place(self.owner[name])
        return self.lies[name] if name in self.lies else self.place(name)

    def before_person(self, who, place):
        return self.before([one for _, one in self.steps[who]], place)

    def before_thing(self, thing, place):
        return self.before(self.moved[thing], place) if thing in self.owner else None

    def before(self, places, place):
        if place not in places[1:]:
            return None
        assert places.count(place) == 1, "a question has one answer"
        return places[places.index(place) - 1]

    def gift(self, side, *named):
        found = [gift[side] for gift in self.gifts if gift[:side] + gift[side + 1 :] == named]
        assert len(found) <= 1, "a question has one answer"
        return found[0] if found else None


def test_a_reader_of_the_story_finds_the_answer():
    for example in sample():
        story, question = sentences_of(example)
        assert Reader(story).answer(question) == example["target"], example


def test_the_supporting_sentences_suffice_and_each_of_them_is_needed():
    for example in sample():
        story, question = sentences_of(example)
        known = example["supporting"]
        assert known == sorted(set(known))
        assert Reader([story[n] for n in known]).answer(question) == example["target"], example
        for left_out in known:
            fewer = [story[n] for n in known if n != left_out]
            assert Reader(fewer).answer(question) is None, (example, left_out)


def test_a_given_thing_is_looked_for_only_when_its_owner_has_moved_on():
    seen = 0
    for example in rosetta_answers("train", 200, questions=["where_thing"]):
        story, _ = sentences_of(example)
        first, last = (story[number] for number in example["supporting"])
        if GIVING.search(first) or GIVING_TO.search(first):
            seen += 1
            assert GOING.search(last)
    assert seen > 5


def test_sentences_are_numbered_and_the_question_is_none_of_them():
    for example in sample():
        story, _ = sentences_of(example)
        ends = [n for n, word in enumerate(example["source_words"]) if word in ".?"]
        numbers, begin = [], 0
        for number, end in enumerate(ends):
            numbers += [number] * (end + 1 - begin)
            begin = end + 1
        assert [-1 if n == len(story) else n for n in numbers] == example["sentence_of"]
        assert " ".join(example["source_words"]) == example["source"]


def test_each_word_of_an_answer_is_linked_to_itself_in_a_supporting_sentence():
    for example in sample():
        assert [j for _, j in example["links"]] == list(range(len(example["target_words"])))
        for i, j in example["links"]:
            assert example["source_words"][i] == example["target_words"][j]
            assert example["sentence_of"][i] in example["supporting"]


def mentioned(example):
    """The words of the story that are of the answer's kind."""
    places = {n.english[0] for n in NOUNS.values() if n.kind == "place"}
    people = {n.english[0] for n in NOUNS.values() if n.kind == "person"} | set(NAMES)
    things = {n.english[0] for n in NOUNS.values() if n.kind in ("thing", "clothing")}
    kind = next(kind for kind in (places, people, set(COLORS), things) if example["target"] in kind)
    story = zip(example["source_words"], example["sentence_of"], strict=True)
    return [word for word, sentence in story if word in kind and sentence >= 0]


def baselines(examples):
    """The percentage of right answers, by kind of question: always the most frequent, the last mentioned, the first."""
    scores = {}
    for kind in KINDS:
        of_kind = [example for example in examples if example["kind"] == kind]
        right = collections.Counter()
        answers = collections.Counter(example["target"] for example in of_kind)
        for example in of_kind:
            words = mentioned(example)
            right["last mentioned"] += words[-1] == example["target"]
            right["first mentioned"] += words[0] == example["target"]
            right["most mentioned"] += (
                collections.Counter(words).most_common(1)[0][0] == example["target"]
            )
        right["most frequent"] = answers.most_common(1)[0][1]
        scores[kind] = {name: 100 * right[name] / len(of_kind) for name in sorted(right)}
    return scores


def test_no_rule_without_reading_answers_well():
    for kind, scores in baselines(sample()).items():
        assert max(scores.values()) < 70, (kind, scores)


def test_questions_of_all_kinds_are_equally_frequent_even_in_the_smallest_world():
    smallest = rosetta_answers("train", 180, vocabulary=4, sentences=(5, 5))
    for examples in (sample(), smallest):
        counts = collections.Counter(example["kind"] for example in examples)
        assert set(counts) == set(KINDS)
        assert min(counts.values()) > 0.5 * len(examples) / len(KINDS), counts
    only = rosetta_answers("train", 20, questions=["color", "who_has"])
    assert {example["kind"] for example in only} == {"color", "who_has"}
