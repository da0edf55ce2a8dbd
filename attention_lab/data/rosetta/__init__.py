"""Rosetta: an English-French fragment, generated, with exact word links.

A small grammar writes both sentences at once, so that what is linked is known rather than judged.
The gold standard means this:

- An English and a French word are linked if they express one concept. Links are many to many: am
  eating ↔ mange, sat ↔ était assis, look for ↔ cherche, potato ↔ pomme de terre, there is ↔ il y a.
- A tense that takes auxiliaries in both languages links auxiliary to auxiliary and verb to verb
  (has–a eaten–mangé, was–était sitting–assis). Where one language has none, its verb is linked to
  both (ate ↔ a mangé, will eat ↔ mangera), and so are to and the infinitive (to eat ↔ manger).
- A negation is one concept: do, does, did and not ↔ ne and pas; never ↔ ne jamais; cannot ↔ ne peut
  pas.
- A contraction has the links of both its parts: of–du and the–du. Elided words are words: l' homme.
- Words without a counterpart are linked to nothing: the articles of water, de l'eau, and of cats,
  les chats; that left out before que; le in Paul's cat, le chat de Paul ('s is de); a in is a
  doctor.

Where French must say more than English, one rule decides, so that every English sentence has one
translation: you is tu; I, you, we, they and them are masculine, and they never stands for feminine
nouns; it, and them for things just named, have the gender of what they refer to; the friend, the
doctor, ... are masculine. Sentences begin with a capital and end without a period.

The same words tell stories, in English: `headlines.py` has stories with their headlines, and `answers.py` stories with
questions and answers. `pictures.py` draws them, with captions in both languages.
"""

from attention_lab.data.rosetta.corpus import (
    RESERVED,
    SIZES,
    STRATA,
    Rosetta,
    rosetta,
    split_of,
)

__all__ = ["RESERVED", "SIZES", "STRATA", "Rosetta", "rosetta", "split_of"]
