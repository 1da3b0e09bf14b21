"""Packed episodes to batches: which positions predict which tokens, patches and letters.

Legend: B rows, T positions, N positions of one kind, M mel bands, P values of a speech patch.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from microturn.data.packed import PackedEpisode
from microturn.data.shards import Entry, list_shards, read_episode, read_index
from microturn.data.visual.patch_labels import UNKNOWN
from microturn.errors import MediaError
from microturn.features.mel import NUM_BANDS, MelStatistics
from microturn.features.sequence import Run, is_kept_text
from microturn.model.segment import Segment
from microturn.train.augment import AugmentConfig, alter
from microturn.train.parallel import Team
from microturn.turns.vocabulary import Kind, Vocabulary

logger = logging.getLogger(__name__)

SOON_TURNS = 16
"""How far apart a word and the next may be: at the slowest pace a count has fifteen turns between them."""


@dataclass(slots=True)
class Batch:
    """Sequences, and what is to be learnt at which of their positions. Positions count through the flattened (B, T)."""

    segment: Segment
    token_at_N: Tensor
    """Positions whose next position is a token that the model itself produces."""
    token_target_N: Tensor
    speech_at_N: Tensor
    """Positions whose next position is a speech patch."""
    speech_target_NP: Tensor
    audio_at_N: Tensor
    """Positions of audio tokens."""
    letter_target_N: Tensor
    """Letters that the user speaks, for ``audio_at_N``."""
    sound_target_N: Tensor
    """Phones that the user speaks, for ``audio_at_N``; UNKNOWN_PHONE without a target."""
    image_at_N: Tensor
    """Positions of image tokens of which something is known."""
    label_target_N3: Tensor
    """What is to be seen there: ``patch_labels``."""
    phone_target_N: Tensor
    """The next patch's phone, for ``speech_at_N``; UNKNOWN_PHONE without a target."""
    heard_at_N: Tensor
    """Positions of the tokens of what the user said."""
    next_word_at_N: Tensor
    """Positions soon after a word of the model's whose next position is the model's own too, token or patch."""
    next_word_target_N: Tensor
    """The first token that the model will say after ``next_word_at_N``; ``<|audio_end|>`` if it will say none soon."""

    @property
    def num_positions(self) -> int:
        """Positions that are not padding."""
        return int((self.segment.kind_BT != Kind.PAD).sum())

    def to(self, device: torch.device | str) -> "Batch":
        """The same on another device."""
        return Batch(*(getattr(self, f.name).to(device) for f in fields(self)))


def collate(episodes: Sequence[PackedEpisode], vocabulary: Vocabulary, statistics: MelStatistics) -> Batch:
    """Pad episodes into a batch."""
    longest = max(len(episode.run) for episode in episodes)
    shape = (len(episodes), longest)
    kind_BT, token_BT = np.full(shape, Kind.PAD, np.uint8), np.zeros(shape, np.int64)
    turn_BT, is_text_BT = np.zeros(shape, np.int32), np.zeros(shape, np.bool_)
    token_at, token_target, speech_at, audio_at, heard_at, image_at = [], [], [], [], [], []
    next_word_at, next_word_target, label_target = [], [], []
    for row, episode in enumerate(episodes):
        run, offset = episode.run, row * longest
        num = len(run)
        kind_BT[row, :num], token_BT[row, :num], turn_BT[row, :num] = run.kind_T, run.token_T, run.turn_T
        is_text_BT[row, :num] = is_kept_text(run.kind_T, run.token_T, vocabulary)
        is_next_token = run.is_output_T[1:] & (run.kind_T[1:] == Kind.TEXT)
        is_free = run.kind_T[:-1] != Kind.SPEECH  # after the last patch, <|audio_end|> is forced
        at = np.flatnonzero(is_next_token & is_free)
        token_at.append(at + offset)
        token_target.append(run.token_T[at + 1])
        speech_at.append(np.flatnonzero(run.kind_T[1:] == Kind.SPEECH) + offset)
        audio_at.append(np.flatnonzero(run.kind_T == Kind.AUDIO) + offset)
        known = _known_labels(episode)
        image_at.append(np.flatnonzero(run.kind_T == Kind.IMAGE)[known] + offset)
        label_target.append(episode.label_N3[known])
        heard_at.append(np.flatnonzero(_are_words_after(vocabulary.special.hear, run, vocabulary)) + offset)
        own = np.sort(np.concatenate([token_at[-1], speech_at[-1]]))
        is_going_on_T, next_word_T = _next_words(run, vocabulary)
        own = own[is_going_on_T[own - offset]]
        next_word_at.append(own)
        next_word_target.append(next_word_T[own - offset])
    speech_NP = np.concatenate([episode.run.speech_NP for episode in episodes])
    speech = torch.from_numpy(statistics.normalise(speech_NP.reshape(-1, NUM_BANDS)).reshape(speech_NP.shape))
    segment = Segment(
        kind_BT=torch.from_numpy(kind_BT),
        token_BT=torch.from_numpy(token_BT),
        dmel_NM=torch.from_numpy(np.concatenate([episode.run.dmel_NM for episode in episodes])),
        image_NP=torch.from_numpy(np.concatenate([episode.patches() for episode in episodes])),
        speech_NP=speech,
        turn_BT=torch.from_numpy(turn_BT),
        is_text_BT=torch.from_numpy(is_text_BT),
    )
    return Batch(
        segment=segment,
        token_at_N=_long(token_at),
        token_target_N=_long(token_target),
        speech_at_N=_long(speech_at),
        speech_target_NP=speech,
        audio_at_N=_long(audio_at),
        letter_target_N=_long([episode.letter_N for episode in episodes]),
        sound_target_N=_long([episode.sound_N for episode in episodes]),
        image_at_N=_long(image_at),
        label_target_N3=_long(label_target),
        phone_target_N=segment.token_BT[segment.kind_BT == Kind.SPEECH],
        heard_at_N=_long(heard_at),
        next_word_at_N=_long(next_word_at),
        next_word_target_N=_long(next_word_target),
    )


def _known_labels(episode: PackedEpisode) -> NDArray[np.intp]:
    """Which of an episode's image tokens have labels."""
    return np.flatnonzero((episode.label_N3 != UNKNOWN).all(axis=-1))


def _next_words(run: Run, vocabulary: Vocabulary) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where something was said within the last ``SOON_TURNS``, and the first token that is said after each position
    within as many, else ``<|audio_end|>``: (T,), (T,)."""
    said_at = np.flatnonzero(_are_words_after(vocabulary.special.say, run, vocabulary))
    if not len(said_at):
        return np.zeros(len(run), np.bool_), np.zeros(len(run), np.int64)
    place_T = np.searchsorted(said_at, np.arange(len(run)), side="right")
    last_at_T, next_at_T = said_at[np.maximum(place_T - 1, 0)], said_at[np.minimum(place_T, len(said_at) - 1)]
    is_going_on_T = (place_T > 0) & (run.turn_T - run.turn_T[last_at_T] <= SOON_TURNS)
    is_soon_T = (place_T < len(said_at)) & (run.turn_T[next_at_T] - run.turn_T <= SOON_TURNS)
    return is_going_on_T, np.where(is_soon_T, run.token_T[next_at_T], vocabulary.special.audio_end)


def _are_words_after(opener: int, run: Run, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which positions are the model's words in an ``opener``'s stretch: text whose last special token is that."""
    is_token_T = run.kind_T == Kind.TEXT
    is_word_T = is_token_T & (run.token_T < vocabulary.num_text)
    opener_T = np.maximum.accumulate(np.where(is_token_T & ~is_word_T, np.arange(len(run)), 0))
    return is_word_T & run.is_output_T & (run.token_T[opener_T] == opener)


def _long(parts: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(np.int64))


@dataclass(slots=True)
class Cursor:
    """Where reading stands: saved with a checkpoint, so that a resumed run sees every episode once a pass."""

    pass_index: int = 0
    num_shards: int = 0
    """Shards that this pass goes through; those rendered meanwhile wait for the next pass."""
    batch_index: int = 0
    """Batches of this pass that each process has had."""
    drawn_from: str = ""
    """What the batches of this pass depend on, as a digest: where it has changed, a pass begun cannot be gone on with.
    """


def warn_of_long(folder: Path, entries: Iterable[Entry], max_positions: int) -> None:
    """Say how many of a folder's episodes are too long to be read, and what share of all positions they are."""
    lengths = [entry.num_positions for entry in entries]
    long = [length for length in lengths if length > max_positions]
    if long:
        logger.warning(
            "%d of %d episodes in %s, %.1f %% of the positions, are longer than %d positions and left out",
            len(long),
            len(lengths),
            folder,
            100 * sum(long) / sum(lengths),
            max_positions,
        )


class BatchReader:
    """Endless batches from a folder of shards, shuffled anew each pass, episodes of like length together."""

    def __init__(
        self,
        folder: Path,
        vocabulary: Vocabulary,
        statistics: MelStatistics,
        *,
        positions_per_batch: int,
        max_positions: int,
        seed: int,
        shards_at_once: int = 32,
        team: Team | None = None,
        augment: AugmentConfig | None = None,
    ) -> None:
        """Each process of a ``team`` gets batches of its own, as many as the others.

        With ``augment``, what is heard sounds different in each pass.
        """
        self.folder = Path(folder)
        self.vocabulary = vocabulary
        self.statistics = statistics
        self.positions_per_batch = positions_per_batch
        self.max_positions = max_positions
        self.seed = seed
        self.shards_at_once = shards_at_once
        self.team = team or Team()
        self.augment = augment
        self.cursor = Cursor()

    def __iter__(self) -> Iterator[Batch]:
        while True:
            shards = list_shards(self.folder)
            if not shards:
                raise MediaError(f"no complete shard in {self.folder}: render some with 'microturn data make'")
            if self.cursor.num_shards == 0:
                self.cursor.num_shards = len(shards)
            shards = shards[: self.cursor.num_shards]
            drawn_from = self._digest(shards)
            if self.cursor.batch_index and self.cursor.drawn_from not in ("", drawn_from):
                self._next_pass()
                continue
            self.cursor.drawn_from = drawn_from
            if self.team.is_first:
                warn_of_long(
                    self.folder, (entry for shard in shards for entry in read_index(shard)), self.max_positions
                )
            num_batches = 0
            for index, group in enumerate(self._own_groups(shards)):
                num_batches += 1
                if index < self.cursor.batch_index:
                    continue
                batch = collate(self._read(group, index), self.vocabulary, self.statistics)
                self.cursor.batch_index = index + 1
                yield batch
            if not num_batches:
                raise MediaError(
                    f"{len(shards)} shards in {self.folder} make no batch for each of {self.team.size} processes: "
                    f"episodes of more than {self.max_positions} positions are left out; render more, or shorter ones"
                )
            self._next_pass()

    def _next_pass(self) -> None:
        self.cursor = Cursor(pass_index=self.cursor.pass_index + 1)

    def _digest(self, shards: Sequence[Path]) -> str:
        numbers = (self.positions_per_batch, self.max_positions, self.seed, self.shards_at_once, self.team.size)
        return hashlib.sha256(repr((numbers, [shard.name for shard in shards])).encode()).hexdigest()[:16]

    def _read(self, group: Sequence[tuple[Path, Entry]], index: int) -> list[PackedEpisode]:
        episodes = [read_episode(*place) for place in group]
        if self.augment is None:
            return episodes
        rng = np.random.default_rng([self.seed, self.cursor.pass_index, index, self.team.rank])
        return [
            replace(episode, run=replace(episode.run, dmel_NM=alter(episode.run.dmel_NM, self.augment, rng)))
            for episode in episodes
        ]

    def _own_groups(self, shards: Sequence[Path]) -> Iterator[list[tuple[Path, Entry]]]:
        """Every so-manieth batch of a pass; the few that do not go round are left out."""
        for hand in self._hands(shards):
            if len(hand) == self.team.size:
                yield hand[self.team.rank]

    def _hands(self, shards: Sequence[Path]) -> Iterator[list[list[tuple[Path, Entry]]]]:
        """The batches of a pass, as places; together those that a team's processes have at the same time."""
        rng = np.random.default_rng([self.seed, self.cursor.pass_index])
        order = rng.permutation(len(shards))
        for first in range(0, len(order), self.shards_at_once):
            chosen = [shards[i] for i in order[first : first + self.shards_at_once]]
            places = [(shard, entry) for shard in chosen for entry in read_index(shard)]
            yield from self._shuffled(places, rng)

    def _shuffled(self, places: list[tuple[Path, Entry]], rng: Generator) -> list[list[list[tuple[Path, Entry]]]]:
        places = sorted(
            (place for place in places if place[1].num_positions <= self.max_positions),
            key=lambda place: place[1].num_positions,
        )
        batches: list[list[tuple[Path, Entry]]] = []
        group: list[tuple[Path, Entry]] = []
        for place in places:
            if group and (len(group) + 1) * place[1].num_positions > self.positions_per_batch:
                batches.append(group)
                group = []
            group.append(place)
        if group:
            batches.append(group)
        # Batches of one hand are of like length, so that no process waits for the others.
        hands = [batches[i : i + self.team.size] for i in range(0, len(batches), self.team.size)]
        return [hands[i] for i in rng.permutation(len(hands))]
