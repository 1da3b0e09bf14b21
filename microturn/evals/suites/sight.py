"""``sight``: says "start" and "stop" with a movement, speaks when the moment comes, and says what is to be seen.

``iou``: the mean temporal overlap of [start, stop] as heard with the movement as shown (after streaming Charades); a
"start" without a "stop" has no span and scores 0.
``pauc``: the mean area under the curve of ProactiveVideoQA at omega 0.5 over requests to tell when something happens,
and questions that only the future answers; silence scores 0.25. Beside them: ``early_rate``, the share of those in
which something was said between the request and the moment, ``look_accuracy``, over questions about the present, and
``look_accuracy/in-writing``, over such questions typed one after another, each about a new picture: the share whose
answer is written word for word before the next. It tells eyes apart from ears and voice.
Real clips are rows of their own. Not run for a subject that is shown no pictures.
"""

from collections.abc import Sequence
from itertools import pairwise

from microturn.data.episode import Episode
from microturn.data.visual import Films
from microturn.evals import metric
from microturn.evals.exchange import Case, Exchange, Verdict
from microturn.evals.follow import follow
from microturn.evals.metric import Metric, Metrics
from microturn.evals.playbook import Playbook, split
from microturn.evals.suites.following import written_texts
from microturn.evals.suites.silence import broken_turns
from microturn.evals.suites.suite import Suite, added, if_seen, pooled, unseen
from microturn.evals.watching import pauc, said_spans, temporal_iou

START_STOP, TELL_WHEN, ANSWER_WHEN, LOOK = "start-stop", "tell-when", "answer-when", "look-and-say"
LOOK_IN_WRITING = "look-briefly"
WRITTEN = "look_accuracy/in-writing"
FILMED_IOU, FILMED_PAUC = "start-stop-filmed", "tell-when-filmed"
RIGHT_IOU, RIGHT_PAUC = 0.5, 0.7
"""An example that scores less is listed as wrong."""
NO_FILMS = "no real clips: give --data or MICROTURN_DATA"


class SightSuite(Suite):
    """Watching and speaking up."""

    name = "sight"
    summary = "says start and stop with a movement, speaks when the moment comes, says what is to be seen"
    headline = ("iou", "pauc", WRITTEN)

    def draw(self, playbook: Playbook, limit: int) -> list[Case]:
        moving, telling, answering, looking = split(limit, 4)
        cases = [
            *playbook.cases(START_STOP, moving),
            *playbook.cases(TELL_WHEN, telling, accept=has_moment),
            *playbook.cases(ANSWER_WHEN, answering),
            *playbook.cases(LOOK, looking),
            *playbook.cases(LOOK_IN_WRITING, max(1, limit // 5)),
        ]
        if has_films(playbook):
            filmed = max(1, limit // 5)
            cases += [*playbook.cases(FILMED_IOU, filmed), *playbook.cases(FILMED_PAUC, filmed)]
        return cases

    def judge(self, exchange: Exchange) -> Verdict:
        kind, episode = exchange.case.kind, exchange.case.episode
        if kind == LOOK:
            followed = follow(episode, exchange.outputs)
            return Verdict(
                key=exchange.case.key,
                kind=kind,
                is_right=followed.is_right,
                problems=followed.problems,
                figures=unseen(exchange),
            )
        if kind == LOOK_IN_WRITING:
            return judge_answers(exchange)
        early = broken_turns(exchange)
        problems = [f"spoke in turn {k}, before its time" for k in early[:2]]
        if kind in (START_STOP, FILMED_IOU):
            name, score, enough = "iou", overlap(exchange), RIGHT_IOU
        else:
            scores = [pauc(exchange.outputs, moment) for moment in episode.moments]
            name, score, enough = "pauc", sum(scores) / len(scores), RIGHT_PAUC
        problems += [] if score >= enough else [f"{name} {score:.2f}"]
        return Verdict(
            key=exchange.case.key,
            kind=kind,
            is_right=not problems,
            problems=problems,
            figures={"waits": 1, "early": bool(early), **unseen(exchange)},
            samples={name: [score]},
        )

    def summarise(self, verdicts: Sequence[Verdict]) -> Metrics:
        def of(*kinds: str) -> list[Verdict]:
            return [v for v in verdicts if v.kind in kinds]

        rendered = of(START_STOP, TELL_WHEN, ANSWER_WHEN)
        figures = {
            "iou": metric.mean(pooled(of(START_STOP), "iou")),
            "pauc": metric.mean(pooled(of(TELL_WHEN, ANSWER_WHEN), "pauc")),
            "pauc/tell-when": metric.mean(pooled(of(TELL_WHEN), "pauc")),
            "pauc/answer-when": metric.mean(pooled(of(ANSWER_WHEN), "pauc")),
            "early_rate": metric.share(added(rendered, "early"), added(rendered, "waits")),
            "look_accuracy": metric.rate([v.is_right for v in of(LOOK)]),
            WRITTEN: metric.share(added(of(LOOK_IN_WRITING), "answered"), added(of(LOOK_IN_WRITING), "asked")),
            "iou/real-video": filmed_mean(of(FILMED_IOU), "iou"),
            "pauc/real-video": filmed_mean(of(FILMED_PAUC), "pauc"),
        }
        return if_seen(figures, verdicts)


def judge_answers(exchange: Exchange) -> Verdict:
    """What is written between each typed question and the next."""
    episode = exchange.case.episode
    asked = [k for k, turn in enumerate(episode.inputs) if turn.events]
    problems: list[str] = []
    for begin, end in pairwise([*asked, len(episode.inputs)]):
        due, written = (written_texts(outputs[begin:end]) for outputs in (episode.outputs, exchange.outputs))
        if written != due:
            question = " ".join(event.text for event in episode.inputs[begin].events)
            problems.append(f"{question!r}: {' '.join(written) or 'nothing'} in place of {' '.join(due)}")
    return Verdict(
        key=exchange.case.key,
        kind=exchange.case.kind,
        is_right=not problems,
        problems=problems,
        figures={"asked": len(asked), "answered": len(asked) - len(problems), **unseen(exchange)},
    )


def overlap(exchange: Exchange) -> float:
    """Temporal overlap of what was said with what was shown."""
    (moment,) = exchange.case.episode.moments
    first, last = moment.label.split()
    return temporal_iou(said_spans(exchange.outputs, first, last), [(moment.from_ms, moment.to_ms)])


def filmed_mean(verdicts: Sequence[Verdict], name: str) -> Metric:
    """A row of real clips, which is 'not run' without them."""
    return metric.mean(pooled(verdicts, name)) if verdicts else metric.not_run(NO_FILMS)


def has_films(playbook: Playbook) -> bool:
    """Whether there are held-out clips."""
    return playbook.data_dir is not None and len(Films.load("heldout", playbook.data_dir)) > 0


def has_moment(episode: Episode) -> bool:
    """What was asked for does come."""
    return bool(episode.moments)
