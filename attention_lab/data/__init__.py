"""The data: random-access sources of plain dicts, and tokenizers. Nothing is loaded by this line."""
