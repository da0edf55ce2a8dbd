"""Headlines: each tells the last event in which the one that the story is about takes part, word by word."""

import collections
import functools

import pytest

from attention_lab.data.rosetta.headlines import rosetta_headlines

pytestmark = pytest.mark.xdist_group("rosetta")  # one process draws the corpus once

# The past of each verb, its participle if it differs, and the present.
VERBS = """
saw/seen sees, ate/eaten eats, bought buys, drank/drunk drinks, read reads, found finds, looked looks, opened opens,
closed closes, wrote/written writes, waited waits, helped helps, washed washes, followed follows, lost loses,
heard hears, carried carries, listened listens, drew/drawn draws, broke/broken breaks, repaired repairs,
wore/worn wears, sold sells, prepared prepares, met meets, visited visits, caught catches, forgot/forgotten forgets,
entered enters, played plays, called calls, invited invites, took/taken takes, gave gives, showed shows,
brought brings, sent sends, went goes, came comes, arrived arrives, slept sleeps, worked works, sang sings, ran runs,
danced dances, walked walks, laughed laughs, swam swims, cried cries, smiled smiles
"""
PRESENT = {
    form: present
    for past, present in (entry.split() for entry in VERBS.split(","))
    for form in past.split("/")
}
HOURS = ("In the morning", "At noon", "In the afternoon", "In the evening", "At night")
NAMING = (
    "This is the story of",
    "Here is the news about",
    "Everybody talked about",
    "The whole village talked about",
)
ARTICLES = {"a", "an", "the", "some"}


@functools.cache
def sample():
    """Examples of every split, and of a small world."""
    small = rosetta_headlines("train", 400, vocabulary=4, sentences=(3, 5))
    large = [*rosetta_headlines("train", 800), *rosetta_headlines("validation", 60)]
    return [*large, *rosetta_headlines("test_long", 60), *small]


def sentences_of(example):
    """The sentences of a story: (place in the story, word) each, without the period."""
    story, sentence = [], []
    for place, word in enumerate(example["source_words"]):
        if word == ".":
            story.append(sentence)
            sentence = []
        else:
            sentence.append((place, word))
    assert not sentence
    return story


def texts(sentence):
    return [word for _, word in sentence]


def after(sentence, beginnings):
    """What follows one of the beginnings, or None."""
    for beginning in beginnings:
        words = beginning.split()
        if texts(sentence)[: len(words)] == words:
            return sentence[len(words) :]
    return None


def bare(words):
    return [(place, word) for place, word in words if word.lower() not in ARTICLES]


def event_of(sentence, agent_before):
    """An event: its words in the order of a headline, those of all that take part, and those of its agent.

    agent_before: who is he or she.
    """
    words = after(sentence, HOURS) or sentence
    place = next(n for n, word in enumerate(texts(words)) if word in {*PRESENT, "was"})
    verb, subject, rest = words[place], words[:place], words[place + 1 :]
    if verb[1] == "was":
        act, by, *agent = rest
        assert by[1] == "by"
        agent = bare(without_place(agent))
        return [*agent, act, *bare(subject)], [*agent, *bare(subject)], agent
    pronoun = texts(subject) in (["He"], ["She"], ["he"], ["she"])
    agent = agent_before if pronoun else bare(subject)
    if verb[1] in ("went", "came", "arrived"):
        return [*agent, verb, *bare(rest)], agent, agent
    particles = [word for word in rest[:1] if word[1] in PARTICLES.get(verb[1], ())]
    others = bare(without_place(rest[len(particles) :]))
    return [*agent, verb, *particles, *others], [*agent, *others], agent


PARTICLES = {"looked": ("for", "at"), "waited": ("for",), "listened": ("to",)}


def without_place(words):
    """Leaves out in the garden, on the bridge, at the station."""
    starts = [n for n, word in enumerate(texts(words)) if word in ("in", "on", "at")]
    return words[: starts[0]] if starts else words


def read(example):
    """Reads the story: its headline, with the place in the story of each word, and the sentence that names the topic."""
    story = sentences_of(example)
    (number,) = (n for n, sentence in enumerate(story) if after(sentence, NAMING))
    topic = texts(bare(after(story[number], NAMING)))
    agent, news = None, None
    for sentence in story[:number] + story[number + 1 :]:
        words, partakers, agent = event_of(sentence, agent)
        found = texts(partakers)
        if any(found[n : n + len(topic)] == topic for n in range(len(found))):
            news = words
    headline = [PRESENT.get(word, word) for word in texts(news)]
    headline[0] = headline[0][0].upper() + headline[0][1:]
    return headline, [place for place, _ in news], number


def test_a_reader_of_the_whole_story_writes_the_same_headline_from_the_same_words():
    for example in sample():
        headline, places, naming = read(example)
        assert headline == example["target_words"], example["source"]
        assert sorted((i, j) for j, i in enumerate(places)) == example["links"]
        sentences = {example["sentence_of"][i] for i in places}
        assert example["supporting"] == sorted({naming, *sentences})


def test_every_word_of_a_headline_is_a_word_of_the_story_or_another_form_of_it():
    kinds = collections.Counter()
    for example in sample():
        assert [j for _, j in sorted(example["links"], key=lambda link: link[1])] == list(
            range(len(example["target_words"]))
        )
        for i, j in example["links"]:
            told, said = example["source_words"][i], example["target_words"][j]
            kinds[PRESENT.get(told) == said] += 1
            assert PRESENT.get(told) == said or told.lower() == said.lower(), example
    assert kinds[True] == len(sample())  # the verb


def longest_common(one, other):
    """The length of the longest common subsequence."""
    lengths = [0] * (len(other) + 1)
    for word in one:
        previous = 0
        for n, another in enumerate(other, 1):
            previous, lengths[n] = (
                lengths[n],
                previous + 1 if word == another else max(lengths[n], lengths[n - 1]),
            )
    return lengths[-1]


def rouge_l(hypothesis, reference):
    """F1 of the longest common subsequence of words (Lin 2004), in lower case, in percent."""
    words, wanted = ([w.lower() for w in side if w != "."] for side in (hypothesis, reference))
    return 200 * longest_common(words, wanted) / (len(words) + len(wanted))


def baselines(examples):
    """ROUGE-L of summaries that read no topic: sentences of the story as they are, and that of the news."""
    scores = collections.defaultdict(list)
    for example in examples:
        story = [texts(sentence) for sentence in sentences_of(example)]
        naming = next(
            n for n, sentence in enumerate(sentences_of(example)) if after(sentence, NAMING)
        )
        events = story[:naming] + story[naming + 1 :]
        news = example["sentence_of"][
            {j: i for i, j in example["links"]}[len(example["target_words"]) - 1]
        ]
        candidates = {
            "first sentence": story[0],
            "last sentence": story[-1],
            "first event": events[0],
            "last event": events[-1],
            "whole story": [word for sentence in story for word in sentence],
            "news": story[news],
        }
        for name, candidate in candidates.items():
            scores[name].append(rouge_l(candidate, example["target_words"]))
    return {name: sum(values) / len(values) for name, values in scores.items()}


def test_no_sentence_by_its_place_is_the_headline():
    scores = baselines(rosetta_headlines("train", 600))
    news = scores.pop("news")
    assert max(scores.values()) < 30 < 40 < news < 60, scores


def test_the_news_is_at_any_place_and_the_topic_of_any_kind():
    places, topics = collections.Counter(), collections.Counter()
    for example in sample():
        headline, positions, naming = read(example)
        del headline
        total = max(example["sentence_of"])
        last = example["sentence_of"][positions[-1]] - (naming == 0)
        places[total, last] += 1
        topics[naming == 0] += 1
    assert 0.3 < topics[True] / len(sample()) < 0.5
    for total in range(2, 7):
        of_total = [places[total, place] for place in range(total)]
        assert min(of_total) > 0.4 * sum(of_total) / total, (total, of_total)
        assert max(of_total) < 2.5 * sum(of_total) / total, (total, of_total)
