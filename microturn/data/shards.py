"""Shards: tar files of packed episodes, each with an index beside it that says where every episode lies.

A shard is written under a temporary name and renamed when it is whole, so that a shard that exists is complete, and
rendering that was interrupted goes on with the shards that are missing.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from microturn.data.packed import PackedEpisode, from_arrays, to_arrays
from microturn.errors import MediaError
from microturn.turns.timing import AUDIO_TOKEN_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Where one episode lies, and what it is."""

    key: str
    scenario: str
    offset: int
    num_bytes: int
    num_positions: int
    num_audio_tokens: int
    num_speech_patches: int

    @property
    def duration_s(self) -> float:
        """Media time."""
        return self.num_audio_tokens * AUDIO_TOKEN_MS / 1000


def write_shard(path: Path, episodes: Iterable[tuple[str, str, PackedEpisode]]) -> list[Entry]:
    """Write ``(key, scenario, episode)`` triples to ``path`` and the index beside it."""
    entries: list[Entry] = []
    partial = path.with_suffix(".tar.partial")
    with tarfile.open(partial, "w") as tar:
        for key, scenario, packed in episodes:
            data = save_arrays(to_arrays(packed))
            member = tarfile.TarInfo(f"{key}.safetensors")
            member.size = len(data)
            offset = tar.offset + tarfile.BLOCKSIZE  # the data follow the member's header
            tar.addfile(member, io.BytesIO(data))
            entries.append(
                Entry(
                    key=key,
                    scenario=scenario,
                    offset=offset,
                    num_bytes=len(data),
                    num_positions=packed.num_positions,
                    num_audio_tokens=len(packed.run.dmel_NM),
                    num_speech_patches=len(packed.run.speech_NP),
                )
            )
    index_path(path).write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries), encoding="utf-8")
    partial.rename(path)
    return entries


def index_path(shard: Path) -> Path:
    """The index of a shard."""
    return shard.with_suffix(".jsonl")


def list_shards(folder: Path) -> list[Path]:
    """Complete shards, in order."""
    return sorted(path for path in Path(folder).glob("*.tar") if index_path(path).exists())


def read_index(shard: Path) -> list[Entry]:
    """What a shard holds."""
    with index_path(shard).open(encoding="utf-8") as lines:
        return [Entry(**json.loads(line)) for line in lines]


def read_episode(shard: Path, entry: Entry) -> PackedEpisode:
    """One episode. Raises MediaError if the shard does not hold what its index says."""
    with shard.open("rb") as file:
        file.seek(entry.offset)
        data = file.read(entry.num_bytes)
    try:
        return from_arrays(load_arrays(data))
    except Exception as error:  # safetensors raises its own type
        raise MediaError(f"{shard} is damaged at {entry.key} ({error}): delete it and render it again") from error
