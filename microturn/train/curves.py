"""Learning curves as a picture, from a run's log."""

import json
from pathlib import Path

from microturn.errors import MissingDependencyError

PANELS = (
    ("token_loss", "cross-entropy of tokens"),
    ("speech_loss", "flow-matching loss of speech"),
    ("letter_loss", "cross-entropy of letters (auxiliary)"),
    ("sound_loss", "cross-entropy of the phones heard (auxiliary)"),
    ("next_word_loss", "cross-entropy of the next word (auxiliary)"),
    ("phone_loss", "cross-entropy of the phones of its own speech"),
    ("label_loss", "cross-entropy of what is at each patch of a frame (auxiliary)"),
    ("glimpse_loss", "the same of its embedding alone (auxiliary)"),
    ("patch_loss", "squared error of the next patch's mean (auxiliary)"),
    ("token_accuracy", "share of tokens right"),
)

STYLES = {"train": {"alpha": 0.4, "linewidth": 0.8}, "validation": {"marker": "o", "markersize": 3}}


def draw_curves(log: Path, picture: Path) -> None:
    """Draw a run's ``log.jsonl``, training and validation; nothing where a run was too short to leave one.

    Raises MissingDependencyError without matplotlib.
    """
    if not log.exists():
        return
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingDependencyError("learning curves need matplotlib: pip install 'microturn[train]'") from error
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    panels = [(name, title) for name, title in PANELS if any(name in r for r in records)]
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4 * len(panels), 3), layout="constrained", squeeze=False)
    for axis, (name, title) in zip(axes[0], panels, strict=True):
        for kind, style in STYLES.items():
            points = [(r["num_positions"] / 1e6, r[name]) for r in records if r["kind"] == kind and name in r]
            if points:
                axis.plot(*zip(*points, strict=True), label=kind, **style)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("million positions", fontsize=8)
        axis.grid(alpha=0.2)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)
