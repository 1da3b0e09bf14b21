"""Text to tokens and back: a byte-level BPE of our own, so that nothing a user types or says is out of vocabulary.

Every word is encoded with its leading space and on its own, so that the words of one micro-turn never merge with those
of the next, and a word has the same tokens wherever it stands.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from microturn.errors import CheckpointError
from microturn.turns.vocabulary import Vocabulary

_PLAIN = normalizers.Sequence(
    [
        normalizers.NFKC(),
        normalizers.Lowercase(),
        normalizers.Replace(Regex("[\u2018\u2019]"), "'"),
        normalizers.Replace(Regex("[-_/\u2010-\u2015]"), " "),
        normalizers.Replace(Regex('[.,](?!\\d)|[!?;"()\\[\\]{}\u201c-\u201f\u2026]'), ""),
        normalizers.Replace(Regex("\\s+"), " "),
        normalizers.Strip(left=False, right=True),
    ]
)
"""Lower case, without stops, quotes and brackets: as words are spoken."""


class Tokenizer:
    """A byte-level BPE and the layout of the vocabulary around it."""

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        self._bpe = bpe
        self.vocabulary = Vocabulary.after_text(bpe.get_vocab_size())

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read ``tokenizer.json``. Raises CheckpointError if it is absent or broken."""
        try:
            return cls(tokenizers.Tokenizer.from_str(Path(path).read_text(encoding="utf-8")))
        except Exception as error:  # the library raises bare Exception for malformed files
            raise CheckpointError(
                f"{path} is not a tokenizer ({error}): restore it from the checkpoint's source or train it again"
            ) from error

    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``."""
        Path(path).write_text(json.dumps(json.loads(self._bpe.to_str()), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def train(cls, texts: Iterable[str], num_tokens: int, *, is_plain: bool = False) -> "Tokenizer":
        """Learn ``num_tokens`` tokens (256 of them bytes) from texts.

        With ``is_plain`` every text is read as it would be spoken, in lower case and without stops: for a model that
        was shown no other text, and would be lost in what people type and language models write.
        """
        bpe = tokenizers.Tokenizer(models.BPE())
        if is_plain:
            bpe.normalizer = _PLAIN
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=num_tokens,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[],
            show_progress=False,
        )
        bpe.train_from_iterator(texts, trainer)
        return cls(bpe)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; spaces are part of the words that follow them."""
        return self._bpe.encode(text, add_special_tokens=False).ids

    def begins_word(self, token: int) -> bool:
        """Whether a token is text that begins a word, as all text with a leading space does."""
        return token < self.vocabulary.num_text and self.decode([token]).startswith(" ")

    def decode(self, ids: Sequence[int]) -> str:
        """The text of text tokens. Ids of special tokens are refused with ValueError."""
        if any(not 0 <= i < self.vocabulary.num_text for i in ids):
            raise ValueError(f"{list(ids)} holds ids that are not text (text ids are below {self.vocabulary.num_text})")
        return self._bpe.decode(list(ids))
