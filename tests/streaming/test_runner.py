"""What the runner does micro-turn by micro-turn equals one forward over the whole sequence: eviction on, alone or among
strangers who come and go, through snapshots, forced turns and failed steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from microturn.engine.core import EngineCore
from microturn.engine.journal import SessionRecord, SqliteJournal, TurnRecord
from microturn.engine.ladder import Budget, Rung
from microturn.engine.offline import replay
from microturn.engine.rebuild import rebuild
from microturn.engine.runner import Checkpoint, ModelRunner, RunnerSettings
from microturn.engine.sampler import SamplingSettings
from microturn.engine.segments import output_run_of, segment_of
from microturn.engine.step import Forced, RowIn, RowOut
from microturn.errors import CapacityError
from microturn.features.dmel import dmel
from microturn.features.patches import pair_patches
from microturn.features.phones import NUM_PHONES
from microturn.features.sequence import EventQueue, Run, input_run, output_run, output_text_tokens
from microturn.model import row_state
from microturn.model.grammar import Grammar, Place
from microturn.model.interaction_model import InteractionModel
from microturn.model.segment import Segment
from microturn.model.stream_state import StreamState
from microturn.testing.clock import ManualClock
from microturn.testing.tiny_model import tiny_parts
from microturn.turns.micro_turn import MicroTurnInput, MicroTurnOutput, Piece, PieceKind, Role, TextEvent
from microturn.turns.pcm import PcmChunk
from microturn.turns.timing import IN_SAMPLES_PER_TURN
from microturn.turns.video import VideoFrame
from microturn.turns.vocabulary import Kind

PARTS = {eviction: tiny_parts(seed=3, eviction_turns=eviction) for eviction in (3, None)}
BUDGET = Budget(num_flow_steps=2)
TOLERANCE = 1e-4
MARGIN = 1e-3


class Recorder:
    """A model that remembers the hidden states of each row that it has advanced, but for what was taken back."""

    def __init__(self, model: InteractionModel) -> None:
        self._model = model
        self.hidden: dict[int, Tensor] = {}
        self.lengths: dict[int, list[int]] = {}
        """Positions of each forward."""

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def __call__(self, segment: Segment, state: StreamState) -> Tensor:
        before = [self.hidden.get(id(row), torch.zeros(0))[: row.position] for row in state.rows]
        hidden_BTD = self._model(segment, state)
        for row, earlier_TD, hidden_TD, length in zip(state.rows, before, hidden_BTD, segment.lengths(), strict=True):
            self.lengths.setdefault(id(row), []).append(int(length))
            self.hidden[id(row)] = torch.cat([earlier_TD.view(-1, hidden_TD.shape[1]), hidden_TD[:length]])
        return hidden_BTD

    def eval(self) -> "Recorder":
        return self


def make_runner(*, eviction: int | None = 3, recorder: bool = False, **options) -> ModelRunner:
    parts = PARTS[eviction]
    model = Recorder(parts.model) if recorder else parts.model
    checkpoint = Checkpoint(
        model=model,  # type: ignore[arg-type]
        tokenizer=parts.tokenizer,
        statistics=parts.statistics,
        vocoder=parts.vocoder,
        model_hash="tiny",
    )
    return ModelRunner(checkpoint, RunnerSettings(num_slots=4, frame_width=80, frame_height=40, **options))


def random_input(rng: np.random.Generator, index: int) -> MicroTurnInput:
    """Sound mostly; now and then a picture, a text, a loss."""
    audio = rng.normal(size=IN_SAMPLES_PER_TURN).astype(np.float32) * np.float32(rng.choice([0.0, 0.01, 0.3]))
    frames, events = (), ()
    if rng.random() < 0.3:
        pixels = rng.integers(0, 256, (2, 40, 80, 3), np.uint8)
        frames = tuple(VideoFrame(time_ms=index * 200.0, pixels=p) for p in pixels)
    if rng.random() < 0.3:
        words = "count to three " * int(rng.integers(1, 8))
        role = Role(rng.choice(list(Role)))
        is_summary = role is Role.SYSTEM and index >= 5
        events = (TextEvent(role=role, text=words, drop_before_turn=index - 1 if is_summary else None),)
    return MicroTurnInput(index=index, audio=audio, frames=frames, events=events, gap_turns=40 if index % 9 == 7 else 0)


def random_output(rng: np.random.Generator, index: int) -> MicroTurnOutput:
    """A well-formed output in words that the tokenizer gives back."""
    words = [" one", " two three", " say hello"]

    def maybe(share: float, value, other):
        return value if rng.random() < share else other

    mel = maybe(0.5, rng.normal(-5, 2, (16, 80)).astype(np.float32), None)
    phones = () if mel is None else tuple(rng.integers(0, NUM_PHONES, 4).tolist())
    return MicroTurnOutput(
        index=index,
        hear=maybe(0.3, str(rng.choice(words)), ""),
        pieces=maybe(0.2, (Piece(kind=PieceKind.ACT, text="ask 1: four", is_end=rng.random() < 0.5),), ()),
        is_clear=rng.random() < 0.1,
        say=maybe(0.5, str(rng.choice(words)), ""),
        mel=mel,
        phones=phones,
    )


@dataclass
class Visit:
    """A session of the test: what it was given and what came of it."""

    seed: int
    rng: np.random.Generator
    slot: int
    inputs: list[MicroTurnInput] = field(default_factory=list)
    results: list[RowOut] = field(default_factory=list)

    def next_row(self, force: float = 0.0) -> RowIn:
        turn = random_input(self.rng, len(self.inputs))
        self.inputs.append(turn)
        forced = None
        if self.rng.random() < force:
            output = random_output(self.rng, turn.index)
            tokens = tuple(output_text_tokens(output, PARTS[3].tokenizer))
            forced = Forced(tokens=tokens, output=output) if self.rng.random() < 0.7 else Forced()
        return RowIn(slot=self.slot, input=turn, forced=forced)


def flat_run(visit: Visit) -> Run:
    """The whole session as training would flatten it."""
    tokenizer = PARTS[3].tokenizer
    vocabulary = tokenizer.vocabulary
    bins = dmel(np.concatenate([turn.audio for turn in visit.inputs]))
    queue = EventQueue()
    runs: list[Run] = []
    for k, (turn, result) in enumerate(zip(visit.inputs, visit.results, strict=True)):
        queue.add(turn.told, tokenizer)
        image = pair_patches(turn.frames[0].pixels, turn.frames[1].pixels) if turn.frames else None
        runs.append(input_run(k, bins[4 * k : 4 * k + 4], queue.take(), vocabulary, image))
        if tuple(output_text_tokens(result.output, tokenizer)) == result.tokens:
            runs.append(output_run(result.output, tokenizer))
        else:  # the model spelt a word in another way than the tokenizer would
            mel = result.output.mel
            speech = np.zeros((0, 320), np.float32) if mel is None else mel.reshape(4, 320)
            tokens = [*result.tokens, *([vocabulary.special.audio] if mel is not None else [])]
            runs.append(output_run_of(k, tokens, speech, result.output.phones, vocabulary, is_closed=True))
    return Run.concat(runs)


def flat_segment(visit: Visit, parts) -> Segment:
    """The same as the model reads it: a summary is in force in the turns after the one in which it ended."""
    run, queue, drops = flat_run(visit), EventQueue(), [0]
    for turn in visit.inputs:
        queue.add(turn.told, PARTS[3].tokenizer)
        drops.append(max(drops[-1], queue.take_read().drop_before_turn))
    segment = segment_of([run], parts.tokenizer.vocabulary, parts.statistics)
    segment.drop_BT = torch.tensor(drops)[segment.turn_BT.long()]
    return segment


def check_against_whole(visit: Visit, streamed_TD: Tensor, *, eviction: int | None = 3) -> None:
    parts = PARTS[eviction]
    run = flat_run(visit)
    with torch.no_grad():
        whole_TD = parts.model(flat_segment(visit, parts))[0]
    # The end of the last output is not read yet: the closing token, and a patch that the model made itself.
    assert len(whole_TD) - len(streamed_TD) in (1, 2)
    torch.testing.assert_close(streamed_TD, whole_TD[: len(streamed_TD)], rtol=0, atol=TOLERANCE)
    check_tokens(visit, run, whole_TD)


def check_tokens(visit: Visit, run: Run, whole_TD: Tensor) -> None:
    """Every token that the model chose is the whole sequence's choice, unless that was a close call."""
    parts = PARTS[3]
    grammar, special = Grammar(parts.tokenizer.vocabulary), parts.tokenizer.vocabulary.special
    forced = {result.output.index for result in visit.results if result.trace.is_forced}
    num_checked, state, turn = 0, grammar.start(), -1
    for position in range(1, len(run)):
        if not run.is_output_T[position] or run.kind_T[position] != Kind.TEXT:
            continue
        if run.turn_T[position] != turn:
            state, turn = grammar.start(BUDGET.max_text_tokens), int(run.turn_T[position])
        token = int(run.token_T[position])
        if turn in forced or run.kind_T[position - 1] == Kind.SPEECH:
            continue
        if state.place in (Place.HEAR_OPEN, Place.HEAR) and parts.tokenizer.begins_word(token):
            state = grammar.advance(state, token)  # chosen by its whole word: test_whole_words
            continue
        logits = parts.model.logits(whole_TD[position - 1])[: parts.tokenizer.vocabulary.size]
        best, second = logits.masked_fill(~grammar.allowed(state), -torch.inf).topk(2)[0].tolist()
        if best - second > MARGIN:
            assert logits[token] == best
            num_checked += 1
        state = grammar.advance(state, token) if token != special.audio_end else state
    assert num_checked or forced


def converse(runner: ModelRunner, seed: int, *, num_steps: int, force: float, num_strangers: int) -> list[Visit]:
    """Sessions come, skip steps and go at random; the first one stays."""
    rng = np.random.default_rng(seed)
    visits = [Visit(seed, np.random.default_rng([seed, 0]), runner.open(seed))]
    here, gone = list(visits), 0
    for _ in range(num_steps):
        if len(here) <= num_strangers and rng.random() < 0.4:
            gone += 1
            here.append(Visit(gone, np.random.default_rng([seed, gone]), runner.open(gone)))
        if len(here) > 1 and rng.random() < 0.15:
            runner.release(here.pop(int(rng.integers(1, len(here)))).slot)
        batch = [visit for visit in here if visit is visits[0] or rng.random() < 0.7]
        rng.shuffle(batch)
        step(runner, batch, force)
    return visits


def step(runner: ModelRunner, batch: Sequence[Visit], force: float = 0.0) -> None:
    rows = [visit.next_row(force) for visit in batch]
    for visit, result in zip(batch, runner.step(rows, BUDGET), strict=True):
        visit.results.append(result)


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    """Buffers fill up, move and free within a test's length."""
    monkeypatch.setattr(row_state, "SLACK", 16)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 2]), st.sampled_from([0.0, 0.4]))
def test_streaming_equals_the_whole_sequence(seed, num_strangers, force):
    runner = make_runner(recorder=True)
    (visit,) = converse(runner, seed, num_steps=14, force=force, num_strangers=num_strangers)
    hidden = runner._listening.model.hidden[id(runner.pool.stream.rows[visit.slot])]
    check_against_whole(visit, hidden)


def test_streaming_equals_the_whole_sequence_without_eviction():
    runner = make_runner(eviction=None, recorder=True)
    (visit,) = converse(runner, 1, num_steps=14, force=0.2, num_strangers=2)
    hidden = runner._listening.model.hidden[id(runner.pool.stream.rows[visit.slot])]
    check_against_whole(visit, hidden, eviction=None)


def test_eviction_is_at_work_in_these_sessions():
    runner = make_runner(recorder=True)
    (visit,) = converse(runner, 1, num_steps=14, force=0.0, num_strangers=0)
    streamed = runner._listening.model.hidden[id(runner.pool.stream.rows[visit.slot])]
    run, parts = flat_run(visit), PARTS[None]
    with torch.no_grad():
        whole = parts.model(segment_of([run], parts.tokenizer.vocabulary, parts.statistics))[0]
    assert (streamed - whole[: len(streamed)]).abs().max() > 100 * TOLERANCE


def test_a_gap_is_told_to_the_model():
    runner = make_runner()
    slot, audio = runner.open(0), np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    gap = MicroTurnInput(index=60, audio=audio, gap_turns=60)
    told = runner.step([RowIn(slot=slot, input=gap, forced=Forced())], BUDGET)[0].trace.num_event_tokens
    words = PARTS[3].tokenizer.encode("nothing came for 12 seconds")
    assert told == min(32, len(words) + 3)
    quiet = MicroTurnInput(index=61, audio=audio)
    assert runner.step([RowIn(slot=slot, input=quiet, forced=Forced())], BUDGET)[0].trace.num_event_tokens <= 10


def test_a_summary_drops_the_text_that_it_stands_for():
    """What is dropped can no longer be seen, stays dropped through a snapshot, and is freed."""
    runner = make_runner(recorder=True)
    slot = runner.open(0)
    visit = Visit(0, np.random.default_rng(0), slot)

    def read(index: int, *events: TextEvent) -> RowOut:
        turn = MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32), events=events)
        visit.inputs.append(turn)
        (result,) = runner.step([RowIn(slot=slot, input=turn, forced=Forced())], BUDGET)
        visit.results.append(result)
        return result

    read(0, TextEvent(role=Role.USER, text="one two three"))
    shares = [read(index).trace.kept_text_share for index in range(1, 8)]
    assert shares[0] > 0.1
    read(8, TextEvent(role=Role.SYSTEM, text="count", drop_before_turn=5))
    assert read(9).trace.kept_text_share < shares[-1]
    read(10)
    row = runner.pool.stream.rows[slot]
    check_against_whole(visit, runner._listening.model.hidden[id(row)])
    tensors = row.to_tensors()
    _, turn, _, is_text = tensors["entries"]
    assert turn[is_text.bool()].min() >= 5
    again = row_state.RowState.from_tensors(row.config, tensors)
    assert (again.drops, again.kept_text_share) == (row.drops, row.kept_text_share)


def test_a_summary_that_waits_survives_a_snapshot():
    one, other = make_runner(), make_runner()
    slot = one.open(0)
    long = TextEvent(role=Role.SYSTEM, text="count to three " * 12, drop_before_turn=1)
    audio = np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    one.step([RowIn(slot=slot, input=MicroTurnInput(index=0, audio=audio, events=(long,)), forced=Forced())], BUDGET)
    assert one.pool[slot].events.drops
    copy = other.restore(one.capture(slot)(), 0)
    for index in range(1, 8):
        rows = [RowIn(slot=s, input=MicroTurnInput(index=index, audio=audio), forced=Forced()) for s in (slot, copy)]
        one.step(rows[:1], BUDGET)
        other.step(rows[1:], BUDGET)
    drops = [runner.pool.stream.rows[s].drops for runner, s in ((one, slot), (other, copy))]
    assert drops[0] == drops[1]
    assert drops[0].before_turn == 1


def test_a_session_that_is_rebuilt_from_its_journal_has_forgotten_the_same():
    first, audio = make_runner(), np.zeros(IN_SAMPLES_PER_TURN, np.float32)
    journal = SqliteJournal(":memory:")
    journal.open_session(SessionRecord(session_id="s", seed=0, model_hash="tiny"), "token")
    slot = first.open(0)
    said = {
        0: TextEvent(role=Role.USER, text="one two three"),
        6: TextEvent(role=Role.SYSTEM, text="count", drop_before_turn=4),
    }
    for index in range(9):
        turn = MicroTurnInput(index=index, audio=audio, events=(said[index],) if index in said else ())
        (done,) = first.step([RowIn(slot=slot, input=turn)], BUDGET)
        journal.append(
            [TurnRecord(session_id="s", input=turn, output=done.output, tokens=done.tokens, trace=done.trace)]
        )
    second = make_runner()
    again = rebuild(second, journal, journal.session("s"), BUDGET)
    rows = first.pool.stream.rows[slot], second.pool.stream.rows[again.slot]
    assert rows[0].drops == rows[1].drops
    assert rows[0].drops.before_turn == 4
    assert rows[0].kept_text_share == rows[1].kept_text_share
    assert [event for events, _ in journal.texts("s") for event in events] == list(said.values())


def answers(visit: Visit) -> list[tuple]:
    return [(result.tokens, result.output.mel is not None) for result in visit.results]


def test_a_session_says_the_same_among_strangers():
    alone = converse(make_runner(), 5, num_steps=12, force=0.0, num_strangers=0)[0]
    crowd = converse(make_runner(), 5, num_steps=12, force=0.0, num_strangers=3)[0]
    assert answers(alone) == answers(crowd)
    for one, other in zip(alone.results, crowd.results, strict=True):
        if one.output.mel is not None:
            np.testing.assert_allclose(one.output.mel, other.output.mel, atol=1e-3)
            np.testing.assert_allclose(one.output.audio, other.output.audio, atol=2e-3)


def test_a_silent_turn_is_one_forward_of_five_positions():
    runner = make_runner(recorder=True)
    slot = runner.open(0)
    quiet = [MicroTurnInput(index=k, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32)) for k in range(1, 4)]
    for turn in quiet:
        runner.step([RowIn(slot=slot, input=turn, forced=Forced())], BUDGET)
    lengths = runner._listening.model.lengths[id(runner.pool.stream.rows[slot])]
    assert lengths == [4, 5, 5]


def test_a_speaking_turn_spends_no_forward_on_its_last_patch():
    runner = make_runner(recorder=True)
    (visit,) = converse(runner, 2, num_steps=14, force=0.0, num_strangers=0)
    num_forwards = len(runner._listening.model.lengths[id(runner.pool.stream.rows[visit.slot])])
    expected = sum(1 + len(r.tokens) + (4 if r.output.mel is not None else 0) for r in visit.results)
    assert num_forwards == expected


def test_the_same_seed_says_the_same_and_another_sounds_different():
    def mels(seed: int) -> bytes:
        runner = make_runner()
        visit = Visit(seed, np.random.default_rng(9), runner.open(seed))
        for _ in range(8):
            step(runner, [visit])
        return b"".join(r.output.mel.tobytes() for r in visit.results if r.output.mel is not None)

    assert mels(1) == mels(1) != mels(2)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 9))
def test_a_session_goes_on_from_a_snapshot_as_if_nothing_had_happened(seed, at):
    runner, other = make_runner(), make_runner()
    visit = Visit(seed, np.random.default_rng(seed), runner.open(seed))
    other.open(0)
    copy = None
    for turn in range(12):
        if turn == at:
            copy = Visit(seed, np.random.default_rng(seed), other.restore(runner.capture(visit.slot)(), seed))
            copy.rng.bit_generator.state = visit.rng.bit_generator.state
            copy.inputs = list(visit.inputs)
        for one, its_runner in ((visit, runner), (copy, other)):
            if one is not None:
                step(its_runner, [one])
    for one, two in zip(visit.results[at:], copy.results, strict=True):
        assert one.tokens == two.tokens
        for name in ("mel", "audio"):
            a, b = getattr(one.output, name), getattr(two.output, name)
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(a, b, atol=1e-3)


def test_bytes_that_are_no_snapshot_are_refused_and_take_no_slot():
    runner = make_runner()
    good = runner.capture(runner.open(0))()
    for bad in (b"", b"nonsense", good[: len(good) // 2]):
        with pytest.raises(ValueError, match="earlier snapshot"):
            runner.restore(bad, 0)
    for _ in range(3):
        runner.restore(good, 0)
    with pytest.raises(CapacityError, match="4 slots"):
        runner.open(0)


def test_a_recording_that_is_replayed_step_by_step_deviates_nowhere():
    (visit,) = converse(make_runner(), 4, num_steps=12, force=0.0, num_strangers=0)
    again = make_runner()
    slot = again.open(4)
    for turn, result in zip(visit.inputs, visit.results, strict=True):
        forced = Forced(tokens=result.tokens, output=result.output, is_checked=True)
        (replayed,) = again.step([RowIn(slot=slot, input=turn, forced=forced)], BUDGET)
        assert replayed.trace.num_deviations == 0
        assert replayed.tokens == result.tokens
        for name in ("mel", "audio"):
            a, b = getattr(replayed.output, name), getattr(result.output, name)
            assert (a is None and b is None) or np.array_equal(a, b)


def test_a_live_session_under_overload_deviates_nowhere_when_it_is_replayed():
    runner, journal, clock = make_runner(), SqliteJournal(":memory:"), ManualClock(10**12)
    rng, step = np.random.default_rng(0), runner.step

    def slow_step(rows: Sequence[RowIn], budget: Budget) -> list[RowOut]:
        clock.advance_ms(195)
        return step(rows, budget)

    runner.step = slow_step
    core = EngineCore(runner, journal, clock)
    session = core.open(lambda item: None, seed=0)
    for _ in range(30):
        samples = rng.normal(0, 0.1, IN_SAMPLES_PER_TURN).astype(np.float32)
        session.push_audio(PcmChunk(start_sample=session.next_sample, samples=samples))
        clock.advance_to_ns(core.next_wake_ns())
        core.poll()
    turns = list(journal.turns(session.session_id))
    assert {turn.trace.overload_rung for turn in turns} == set(Rung)
    assert any(turn.output.mel is not None for turn in turns)
    assert [turn.num_deviations for turn in replay(make_runner(), turns, seed=0)] == [0] * len(turns)


def speaking_turns(restraint: float, after: int = 0) -> list[bool]:
    """In which turns a session speaks that is restrained from a turn on."""
    runner, rng = make_runner(), np.random.default_rng(4)
    slot, spoken = runner.open(4), []
    for index in range(16):
        row = RowIn(slot=slot, input=random_input(rng, index), restraint=restraint if index >= after else 0.0)
        (result,) = runner.step([row], BUDGET)
        assert result.trace.restraint == row.restraint
        spoken.append(result.output.mel is not None)
    return spoken


def test_restraint_keeps_the_model_from_beginning_to_speak_and_not_from_going_on():
    free = speaking_turns(0.0)
    first = free.index(True)
    length = free[first:].index(False) if False in free[first:] else len(free) - first
    assert not any(speaking_turns(1000.0))
    held = speaking_turns(1000.0, after=first + 1)
    assert held[: first + length] == free[: first + length], "an utterance is not cut off"
    assert not any(held[first + length :])
    assert speaking_turns(-1000.0)[0]


def test_a_restrained_session_deviates_nowhere_when_it_is_replayed():
    runner, journal, clock = make_runner(), SqliteJournal(":memory:"), ManualClock(10**12)
    core, rng = EngineCore(runner, journal, clock), np.random.default_rng(0)
    session = core.open(lambda item: None, seed=0)
    for index in range(12):
        session.restraint = 1000.0 if index >= 6 else 0.0
        samples = rng.normal(0, 0.1, IN_SAMPLES_PER_TURN).astype(np.float32)
        session.push_audio(PcmChunk(start_sample=session.next_sample, samples=samples))
        clock.advance_to_ns(core.next_wake_ns())
        core.poll()
    turns = list(journal.turns(session.session_id))
    assert [turn.trace.restraint for turn in turns] == [0.0] * 6 + [1000.0] * 6
    assert [turn.num_deviations for turn in replay(make_runner(), turns, seed=0)] == [0] * 12


def test_a_replay_tells_where_another_model_would_have_done_something_else():
    (visit,) = converse(make_runner(), 4, num_steps=8, force=0.0, num_strangers=0)
    parts = tiny_parts(seed=8)
    other = ModelRunner(
        Checkpoint(model=parts.model, tokenizer=parts.tokenizer, statistics=parts.statistics, vocoder=None),
        RunnerSettings(num_slots=1, frame_width=80, frame_height=40),
    )
    slot, num_deviations = other.open(4), 0
    for turn, result in zip(visit.inputs, visit.results, strict=True):
        forced = Forced(tokens=result.tokens, output=result.output, is_checked=True)
        (replayed,) = other.step([RowIn(slot=slot, input=turn, forced=forced)], BUDGET)
        assert replayed.tokens == result.tokens
        num_deviations += replayed.trace.num_deviations
    assert num_deviations > 0


def test_a_tail_that_is_read_at_once_leaves_the_state_that_living_through_it_did():
    runner, other = make_runner(), make_runner()
    (visit,) = converse(runner, 6, num_steps=9, force=0.0, num_strangers=0)
    slot = other.open(6)
    for turn, result in zip(visit.inputs, visit.results, strict=True):
        other.step([RowIn(slot=slot, input=turn, forced=Forced(tokens=result.tokens, output=result.output))], BUDGET)
    turn = random_input(np.random.default_rng(0), 9)
    (one,) = runner.step([RowIn(slot=visit.slot, input=turn)], BUDGET)
    (two,) = other.step([RowIn(slot=slot, input=turn)], BUDGET)
    assert one.tokens == two.tokens


def test_a_step_that_fails_leaves_every_session_as_it_was(monkeypatch):
    runner, calm = make_runner(), make_runner()
    broken = converse(runner, 7, num_steps=6, force=0.0, num_strangers=0)[0]
    whole = converse(calm, 7, num_steps=6, force=0.0, num_strangers=0)[0]

    def fail(*_args):
        raise RuntimeError("broken")

    for part, name in ((runner, "_speak"), (runner._listening, "_flow"), (runner._listening, "_choose")):
        with monkeypatch.context() as patch:
            patch.setattr(part, name, fail)
            row = RowIn(slot=broken.slot, input=random_input(np.random.default_rng(1), 6))
            try:
                runner.step([row, RowIn(slot=runner.open(1), input=row.input)], BUDGET)
            except RuntimeError:
                runner.release(runner.pool._sessions.index(runner.pool[1]))
    for _ in range(4):
        step(runner, [broken])
        step(calm, [whole])
    assert answers(broken) == answers(whole)


def test_a_smaller_budget_says_less_and_says_so():
    runner = make_runner()
    (visit,) = converse(runner, 3, num_steps=4, force=0.0, num_strangers=0)
    small = Budget(max_text_tokens=1, num_flow_steps=1)
    results = [runner.step([visit.next_row()], small)[0] for _ in range(12)]
    num_text = PARTS[3].tokenizer.vocabulary.num_text
    assert max(sum(token < num_text for token in result.tokens) for result in results) == 1
    assert any(result.trace.is_cut_short for result in results)


def test_sampling_with_a_temperature_is_repeatable_and_differs_from_greedy():
    def talk(temperature: float) -> list[tuple]:
        runner = make_runner(sampling=SamplingSettings(temperature=temperature))
        return answers(converse(runner, 3, num_steps=8, force=0.0, num_strangers=0)[0])

    assert talk(1.0) == talk(1.0) != talk(0.0)


def test_speech_that_ends_rings_on_and_forced_silence_does_not():
    runner = make_runner()
    slot = runner.open(0)

    def turn(index: int, forced: Forced) -> MicroTurnOutput:
        silence = MicroTurnInput(index=index, audio=np.zeros(IN_SAMPLES_PER_TURN, np.float32))
        return runner.step([RowIn(slot=slot, input=silence, forced=forced)], BUDGET)[0].output

    loud = MicroTurnOutput(index=0, mel=np.zeros((16, 80), np.float32))
    quiet = Forced(output=MicroTurnOutput(index=1))
    assert turn(0, Forced(output=loud)).audio is not None
    after = turn(1, quiet)
    assert after.mel is None
    assert after.audio is not None
    assert not after.audio[runner._voice._tail_frames * 300 :].any()
    assert turn(2, quiet).audio is None
    turn(3, Forced(output=loud))
    assert turn(4, Forced()).is_silent
