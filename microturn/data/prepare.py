"""What a model needs before it can be trained: a tokenizer, and the measure of the voice that it will have."""

import json
from pathlib import Path

import numpy as np

from microturn.data import human
from microturn.data.corpus import scenario_texts, tokenizer_texts
from microturn.data.voices import assistant_voice
from microturn.features.mel import MelStatistics, mel
from microturn.features.tokenizer import Tokenizer
from microturn.turns.timing import MEL_HOP_SAMPLES

NUM_MEASURED_TEXTS = 300


def prepare(out: Path, data_dir: Path | None, num_tokens: int) -> None:
    """Write ``tokenizer.json`` and ``mel.json`` to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    sentences = tuple(human.sentences(data_dir, part="train")) if data_dir else ()
    Tokenizer.train(tokenizer_texts(sentences), num_tokens, is_plain=True).save(out / "tokenizer.json")
    texts = [*scenario_texts(5), *sentences]
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(texts), min(NUM_MEASURED_TEXTS, len(texts)), replace=False)
    voice = assistant_voice()
    frames = []
    for i in chosen:
        samples = voice.say(texts[i]).samples
        frames.append(mel(samples[: len(samples) // MEL_HOP_SAMPLES * MEL_HOP_SAMPLES]))
    statistics = MelStatistics.measure(np.concatenate(frames))
    (out / "mel.json").write_text(json.dumps(statistics.to_json()), encoding="utf-8")
