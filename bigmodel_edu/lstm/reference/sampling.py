"""Writing with a language model: one character after the other."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from bigmodel_edu.errors import HyperparameterError, LengthError
from bigmodel_edu.layer import Array, Params
from bigmodel_edu.neural_nets.reference import softmax

from .models import LanguageModel
from .tokenizer import FIRST, CharacterTokenizer


def temperature_probabilities(logits: Array, temperature: float) -> Array:
    """Return softmax(logits / τ) along the last axis, for a temperature τ > 0.

    τ = 1 leaves the model's own probabilities, τ → 0 puts everything on the largest logit,
    τ → ∞ makes all alike. Raises HyperparameterError unless τ > 0.
    """
    if not temperature > 0:
        raise HyperparameterError(
            f"temperature is {temperature}, expected a number above 0; for the most probable token "
            "every time take argmax, or a small temperature such as 0.01."
        )
    return softmax(logits / temperature)


def sample(logits: Array, temperature: float, rng: np.random.Generator) -> int:
    """Draw one index of logits (V,) at the temperature."""
    cumulative = np.cumsum(temperature_probabilities(logits.astype(np.float64), temperature))
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


def generate(
    model: LanguageModel,
    params: Params,
    tokenizer: CharacterTokenizer,
    prompt: str,
    *,
    length: int,
    temperature: float = 1.0,
    rng: np.random.Generator,
) -> str:
    """Return `length` characters that the model writes after the prompt.

    The state is carried along, so that each character costs one step. Padding and the unknown
    character are never written.
    """
    if not prompt:
        raise LengthError("prompt is empty, expected a character or more to begin with.")
    return "".join(islice(_characters(model, params, tokenizer, prompt, temperature, rng), length))


def _characters(
    model: LanguageModel,
    params: Params,
    tokenizer: CharacterTokenizer,
    prompt: str,
    temperature: float,
    rng: np.random.Generator,
) -> Iterator[str]:
    tokens, states = tokenizer.encode(prompt)[None], ()
    while True:
        (logits, *states), _ = model.forward(params, tokens, *states)
        token = FIRST + sample(logits[0, -1, FIRST:], temperature, rng)
        yield tokenizer.decode([token])
        tokens = np.array([[token]])
