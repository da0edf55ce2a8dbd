"""What all encoders have in common."""

from flax import linen as nn

from attention_lab.mechanism.contracts import Params


class Encoder(nn.Module):
    """An encoder of tokens, with one state for each, of which there may be any number; others override what differs."""

    @property
    def reads(self) -> str:
        """The kind of its source."""
        return "tokens"

    @property
    def stride(self) -> int:
        """The positions of the source, along each axis, that one state replaces."""
        return 1

    def limit(self, params: Params) -> int | None:
        """Returns the most states that it can have; None: any number."""
        del params
        return None
