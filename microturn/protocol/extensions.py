"""Our own events on the GPT-Live wire, all named ``microturn.*`` and all opt-in.

A stock client never sees one: the server sends them only after ``microturn.extensions.enable``.
"""

from typing import Annotated, Literal

from openai.types.live import SessionConfig
from pydantic import BaseModel, ConfigDict, Field

from microturn.turns.cards import Card

MAX_TEXT_CHARS = 2_000
MAX_SAY_CHARS = 500
MAX_IMAGE_BASE64_CHARS = 700_000
Locale = Annotated[str | None, Field(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
TimeZone = Annotated[str | None, Field(min_length=1, max_length=64)]
MAX_TOOL_RULES = 64
ToolPermission = Literal["allow", "ask", "deny"]
Eagerness = Literal["low", "auto", "high"]
ToolPattern = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\p{C}]+$")]


class ExtensionEvent(BaseModel):
    """What all our events share: unknown fields are refused, so that a typing error does not pass in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ToolRule(ExtensionEvent):
    """What is to stand about tools in this session."""

    tool: ToolPattern
    """A tool's name, or a pattern: ``*`` stands for anything, ``?`` for one character, ``[ab]`` for one of these."""
    permission: ToolPermission
    """``ask``: the user is asked, each time until a yes, which then holds for the rest of the session."""


ToolRules = Annotated[list[ToolRule], Field(max_length=MAX_TOOL_RULES)]
FirstToolRules = Annotated[list[ToolRule] | None, Field(max_length=MAX_TOOL_RULES)]


class ExtensionsEnableEvent(ExtensionEvent):
    """Switches our extensions on for this session. Send it once, after ``session.started``."""

    type: Literal["microturn.extensions.enable"]
    event_id: str | None = None
    """Optional client identifier, returned in the answer."""
    turns: bool = True
    """Send a ``microturn.turn`` for every micro-turn."""
    silence: Literal["send", "omit"] = "send"
    """``omit``: leave out audio deltas that hold nothing but silence. Stock clients get a continuous stream."""
    jobs: bool = False
    """Send a ``microturn.job`` whenever something about a job of the background model has changed; or, where the
    client does its work, a ``microturn.delegation`` for everything that is asked."""
    locale: Locale = None
    """The user's language and region, such as ``de-AT``: told to the background model."""
    time_zone: TimeZone = None
    """The user's time zone by its IANA name, such as ``Europe/Vienna``: for times of day and alarms. The server's own
    counts where there is none, or one that it does not know."""
    tools: FirstToolRules = None
    """Rules as in ``microturn.tools.update`` that hold from the start. With it, or with ``jobs``, a
    ``microturn.tools`` comes now and after every change."""


class ToolsUpdateEvent(ExtensionEvent):
    """Says which permission stands about which tools of the background model, from now on and for this session.

    What the operator of the server denies stays denied; what the operator asks about may be allowed or denied, and what
    the operator allows, asked about or denied. A job that waits for permission goes on, or goes without, where this
    decides it. The rules are kept while the client is away, as long as the server runs. Answered with
    ``microturn.tools``.
    """

    type: Literal["microturn.tools.update"]
    event_id: str | None = None
    """Optional client identifier, returned in the answer."""
    rules: ToolRules
    """Each ``{"tool": "home_*", "permission": "deny"}``, with a tool's name or a pattern (``*`` for anything, ``?`` for
    one character), and ``allow``, ``ask`` or ``deny``. They are added to those before, 64 patterns in all. Of those
    that fit a tool the latest counts; one of the same pattern is replaced, and ``*`` replaces all. A yes of the user's
    to a tool counts like a rule."""


class EagernessUpdateEvent(ExtensionEvent):
    """Says how readily the model begins to speak from now on, like Realtime's ``eagerness``.

    ``low`` leaves the user more time to think, ``high`` answers sooner and speaks into more pauses, ``auto`` is the
    model as it was trained, and how a session begins.
    """

    type: Literal["microturn.eagerness.update"]
    event_id: str | None = None
    """Optional client identifier, returned in an error."""
    eagerness: Eagerness
    """``low``, ``auto`` or ``high``."""


class TextEvent(ExtensionEvent):
    """Text typed by the user, taken in beside the next micro-turn's sound."""

    type: Literal["microturn.text"]
    event_id: str | None = None
    """Optional client identifier, returned in an error."""
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    """The text."""


class SayEvent(ExtensionEvent):
    """Have the model say this, word for word, from the next micro-turn on: a disclosure, a notice whose wording counts.

    It says nothing else until it has; the user is heard meanwhile. ``session.commentary.append`` leaves wording and
    moment to the model.
    """

    type: Literal["microturn.say"]
    event_id: str | None = None
    """Optional client identifier, returned in an error."""
    text: Annotated[str, Field(min_length=1, max_length=MAX_SAY_CHARS, pattern=r"\w")]
    """The words."""


class CameraFrameEvent(ExtensionEvent):
    """One frame of the camera or the screen, taken now. Up to 10 a second; more are dropped."""

    type: Literal["microturn.camera_frame"]
    event_id: str | None = None
    """Optional client identifier, returned in an error."""
    image: Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_BASE64_CHARS)]
    """Base64-encoded JPEG or WebP."""


class JobDecideEvent(ExtensionEvent):
    """The user's word on the tool that a job of the background model asks for."""

    type: Literal["microturn.job.decide"]
    event_id: str | None = None
    """Optional client identifier, returned in an error."""
    job: Annotated[int, Field(ge=0, le=999_999)]
    """Number of the job."""
    allow: bool
    """Whether the tool may be used, for the rest of the session."""


class ResumeEvent(ExtensionEvent):
    """Comes in place of ``session.start`` and goes on with a session whose connection was lost.

    Media time, what was said and what the model knows go on; sound starts at the next micro-turn. The answer is
    ``session.started``, or an error with the code ``session_not_resumable``. Enable the extensions again afterwards.
    """

    type: Literal["microturn.session.resume"]
    event_id: str | None = None
    """Optional client identifier, returned in the answer."""
    resume_token: Annotated[str, Field(min_length=1, max_length=512)]
    """From ``microturn.extensions.enabled``."""
    session: SessionConfig
    """As in ``session.start``; only the audio format is read."""


class ExtensionsEnabledEvent(ExtensionEvent):
    """Acknowledges ``microturn.extensions.enable`` with the settings in force."""

    type: Literal["microturn.extensions.enabled"] = "microturn.extensions.enabled"
    event_id: str
    """The unique ID of the server event."""
    client_event_id: str | None = None
    """The ``event_id`` of the command."""
    turns: bool
    """Whether ``microturn.turn`` events follow."""
    silence: Literal["send", "omit"]
    """Whether silent audio deltas are sent."""
    jobs: bool = False
    """Whether ``microturn.job`` events follow, or ``microturn.delegation`` where the client does the work."""
    locale: str | None = None
    """The user's, as the background knows it; absent where there is no background."""
    time_zone: str | None = None
    """The user's, as the background knows it; absent where the server's own counts."""
    turn_ms: int
    """Length of a micro-turn in milliseconds."""
    resume_token: str
    """With it, ``microturn.session.resume`` goes on with this session after a lost connection. Secret."""


class ToolState(ExtensionEvent):
    """A tool of the background model."""

    name: str
    """Tools of MCP servers are named ``server_tool``; functions of the client's as it named them."""
    description: str
    """What it does, on one line. Foreign text."""
    permission: ToolPermission
    """What stands about it in this session."""
    fixed: bool
    """The operator denies it, which no rule of the session changes."""


class ToolsEvent(ExtensionEvent):
    """The tools of the background model, and what stands about each: on enabling, and whenever either has changed.

    Those of MCP servers come as soon as their servers have told of them.
    """

    type: Literal["microturn.tools"] = "microturn.tools"
    event_id: str
    """The unique ID of the server event."""
    client_event_id: str | None = None
    """The ``event_id`` of the ``microturn.tools.update`` that this answers."""
    tools: list[ToolState]
    """Each with ``name``, ``description`` (a line, foreign text), ``permission`` (what stands about it in this session)
    and ``fixed`` (the operator denies it, which no rule changes). Empty where the client does the background's work."""


class TurnPiece(ExtensionEvent):
    """A stretch of text that is not spoken."""

    kind: Literal["act", "text"]
    """``act``: a request to the background model; ``text``: for the user's eyes."""
    text: str
    """The text; it goes on in the next turn's piece unless ``is_end``."""
    is_end: bool
    """Whether the piece ends here."""


class TurnEvent(ExtensionEvent):
    """Everything about one micro-turn, sent as soon as it is computed: ahead of its sound, which is paced."""

    type: Literal["microturn.turn"] = "microturn.turn"
    event_id: str
    """The unique ID of the server event."""
    index: int
    """k: the micro-turn whose input this answers."""
    start_ms: int
    """Start of that input on the session timeline."""
    end_ms: int
    """End of that input on the session timeline; the answer plays after it."""
    hear: str
    """Words of the user."""
    say: str
    """Words that the speech will utter."""
    pieces: list[TurnPiece]
    """Text that is not spoken."""
    clear: bool
    """Drop speech of earlier turns that has not been played yet: empty the playback buffer."""
    speaking: bool
    """Whether sound goes out in this turn."""
    phases_ms: dict[str, float]
    """Compute time by phase, in milliseconds."""
    compute_ms: float
    """Compute time in all, in milliseconds."""
    budget_share: float
    """``compute_ms`` as a share of the micro-turn."""
    latency_ms: float
    """From the moment the turn could run until its output was released, in milliseconds."""
    late: bool
    """The output missed its deadline."""
    forced: bool
    """The input came too late to be answered: its output was forced to silence."""
    overload_rung: int
    """Step of the ladder of degradation that was in force; 0 for none."""


class DelegationEvent(ExtensionEvent):
    """The words of a ``session.delegation.created``, which GPT-Live leaves out; or that it is not wanted any more."""

    type: Literal["microturn.delegation"] = "microturn.delegation"
    event_id: str
    """The unique ID of the server event."""
    delegation_id: str
    """That of ``session.delegation.created``."""
    job: int
    """Number that the model gave it; a correction has the number of what it corrects."""
    act: Literal["ask", "amend", "cancel"]
    """``amend``: the text changes what was asked under this number. ``cancel``: an answer would be refused."""
    text: str
    """What is asked or changed; empty for a cancel."""


class JobStep(ExtensionEvent):
    """One use of a tool."""

    tool: str
    """Its name; tools of MCP servers are named ``server_tool``."""
    outcome: str
    """``ok``, ``denied``, or what went wrong."""
    duration_ms: int
    """How long it took, the user's decision included."""


class JobCard(ExtensionEvent):
    """A card of a job, and since when it is there."""

    age_ms: int
    """How long ago it was made: a timer has been counting since then."""
    body: Card
    """What to draw."""


class JobEvent(ExtensionEvent):
    """A job of the background model, as it stands now."""

    type: Literal["microturn.job"] = "microturn.job"
    event_id: str
    """The unique ID of the server event."""
    job: int
    """Its number within the session; a new question may take an old number."""
    state: Literal["waiting", "running", "asking", "done", "failed", "cancelled"]
    """``asking``: it waits for ``microturn.job.decide``, or for the user's spoken yes or no."""
    question: str
    """What is asked, with its corrections."""
    asks_for: str
    """The tool that it asks permission for; else empty."""
    asks_with: str
    """What that tool would be given, as JSON, shortened. Foreign text."""
    steps: list[JobStep]
    """Tools used so far."""
    text: str
    """The whole answer, in Markdown and without its cards, with small pictures of tools at its end (``data:``), or why
    there is none. Foreign text: render it safely."""
    partial: str
    """The answer as far as it is written, while the job runs; at most four times a second, less often the longer it
    is. Each replaces the one before, and an empty one takes it back. Nothing of it has been said. Foreign text."""
    cards: list[JobCard]
    """Timers, checklists and charts, see docs/background.md. Checked: every text is plain, every size bounded."""
    num_attempts: int
    """How often it was tried."""
    num_tokens: int
    """Tokens of the language model."""
    cost_usd: float | None = None
    """What they cost; absent where the server does not know the prices."""
    elapsed_ms: int
    """Since it was asked, until it was over."""
