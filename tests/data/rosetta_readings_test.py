"""Stories with headlines and answers that can be read here, with their gold."""

import pytest

from attention_lab.data.rosetta.answers import rosetta_answers
from attention_lab.data.rosetta.headlines import rosetta_headlines

pytestmark = pytest.mark.xdist_group("rosetta")  # one process draws the corpus once

# A story, its headline, the words from which each word of it comes, and the sentences that determine it.
HEADLINES = """
The waitress came back from the church .
The gardener drew a horse .
The waitress showed a key to the gardener .
Everybody talked about the waitress .
Waitress shows key to gardener
waitress-Waitress showed-shows key-key to-to gardener-gardener
2 3

At noon the English woman was called by a kind nurse .
The princess heard a dangerous monkey .
Sophie went home .
Marc slept in the village .
He drew the beautiful island .
The whole village talked about the monkey .
Princess hears dangerous monkey
princess-Princess heard-hears dangerous-dangerous monkey-monkey
1 5

This is the story of Emma .
In the morning a funny poem was written by Emma on the bridge .
In the afternoon she read the poem .
Emma reads poem
Emma-Emma read-reads poem-poem
0 1 2

A strong gardener prepared some tea .
The gardener went to the market .
He showed a clean ring to Antoine .
Antoine came back from the hospital .
The whole village talked about the gardener .
Gardener shows clean ring to Antoine
gardener-Gardener showed-shows clean-clean ring-ring to-to Antoine-Antoine
1 2 4

Claire looked for the French boy .
In the morning she brought a good book to Julie .
In the afternoon the boy showed a toy to Marie .
At night he prepared some good rice .
The whole village talked about the boy .
Boy prepares good rice
boy-Boy prepared-prepares good-good rice-rice
2 3 4
"""


@pytest.mark.parametrize("golden", HEADLINES.strip().split("\n\n"))
def test_headlines_that_can_be_read(golden):
    *story, headline, links, supporting = golden.splitlines()
    known = {example["source"]: example for example in rosetta_headlines("train", 60)}
    example = known[" ".join(story)]
    words = [
        f"{example['source_words'][i]}-{example['target_words'][j]}"
        for i, j in sorted(example["links"], key=lambda link: link[1])
    ]
    assert (example["target"], " ".join(words)) == (headline, links)
    assert [str(number) for number in example["supporting"]] == supporting.split()


# A story, a question, the answer, and the sentence where it stands, of those that know it.
ANSWERS = """
David picked up a white bottle .
The doctor took a green uniform .
The lady went to the island .
Then the doctor walked to the island .
David ran to the island .
Then David ran to the bridge .
Where is the lady ?
island
2 of 2

The prince picked up a gray hat .
The nurse took a glass .
The waitress took a bottle .
Then the waitress went to the farm .
The nurse ran to the airport .
The waitress walked to the airport .
The waitress went to the farm .
Then the nurse walked to the forest .
Where is the bottle ?
farm
6 of 2 6

Julie walked to the beach .
Julie went to the zoo .
Agathe went to the zoo .
Agathe picked up a blue lamp .
Agathe ran to the store .
Marc ran to the zoo .
Marc went to the church .
Julie ran to the store .
Where was Agathe before she went to the store ?
zoo
2 of 2 4

Alice danced .
The fisherman went to the farm .
The fisherman picked up a gray picture .
The fisherman went to the museum .
The fisherman walked to the bedroom .
Where was the picture before it came to the museum ?
farm
1 of 1 2 3

Olivier waited .
Olivier picked up a red hat .
The lady picked up a yellow photo .
The lady ran to the bedroom .
The lady dropped the photo .
Then the lady took the photo .
Who has the photo ?
lady
5 of 5

The teacher picked up a shirt .
The soldier took a blue ladder .
The teacher went to the bedroom .
Then the teacher gave the soldier the shirt .
The soldier handed Antoine the shirt .
Antoine ran to the beach .
Then the soldier handed the ladder to the teacher .
What did the teacher give to the soldier ?
shirt
3 of 3

David took a green ball .
Victor picked up a red axe .
David walked to the bridge .
David handed the ball to the queen .
The queen gave the ball to Victor .
Who gave the ball to Victor ?
queen
4 of 4

Victor ran to the restaurant .
The witch ran to the restaurant .
The witch took a red clock .
The witch handed the clock to Victor .
Victor handed the clock to Alice .
To whom did the witch give the clock ?
Victor
3 of 3

The doctor picked up a gift .
The lady picked up a yellow plate .
Paul went to the kitchen .
Paul ran to the zoo .
The doctor picked up a red photo .
Then the doctor went to the zoo .
Then the lady ran to the zoo .
What color is the photo ?
red
4 of 4
"""


@pytest.mark.parametrize("golden", ANSWERS.strip().split("\n\n"))
def test_answers_that_can_be_read(golden):
    *text, answer, known = golden.splitlines()
    examples = {example["source"]: example for example in rosetta_answers("train", 60)}
    example = examples[" ".join(text)]
    ((word, _),) = example["links"]
    supporting = " ".join(map(str, example["supporting"]))
    assert example["target"] == answer
    assert f"{example['sentence_of'][word]} of {supporting}" == known
