// Generated from microturn/protocol by `python -m microturn.protocol.typescript`. Do not edit: the check compares.

export type JsonObject = Record<string, unknown>;

/** Raw, mono 16-bit little-endian PCM audio for a Live WebSocket connection. */
export interface AudioFormatAudioPCM {
  rate: 16000 | 24000;
  type: "audio/pcm";
}

/** Raw, mono G.711 A-law audio for a Live WebSocket connection. */
export interface AudioFormatAudioPCMA {
  rate: number;
  type: "audio/pcma";
}

/** Raw, mono G.711 μ-law audio for a Live WebSocket connection. */
export interface AudioFormatAudioPCMU {
  rate: number;
  type: "audio/pcmu";
}

/** One frame of the camera or the screen, taken now. Up to 10 a second; more are dropped. */
export interface CameraFrameEvent {
  type: "microturn.camera_frame";
  /** Optional client identifier, returned in an error. */
  event_id?: string;
  /** Base64-encoded JPEG. */
  image: string;
}

/** Startup-only capabilities for an untrusted frontend attached to a unified WebRTC session. Trusted sideband connections are unaffected. */
export interface ClientConfig {
  data_channel: DataChannelConfig;
}

/**
 * Delegate tasks to your application.
 *
 * The Live session emits delegation events that your backend handles.
 */
export interface ClientDelegation {
  type: "client";
  acknowledgement_delay_ms?: number;
}

/** Provide context the Live model can communicate to the user, optionally for an existing client delegation. Rejected while an audio fixture is active. */
export interface CommentaryAppendEvent {
  content: string;
  delegation_id?: string;
  type: "session.commentary.append";
  event_id?: string;
}

/** Returned when a session.commentary.append command is accepted into the Live session timeline. Acknowledges the added commentary without guaranteeing exact wording or completed audio playback. */
export interface CommentaryAppendedEvent {
  end_ms: number;
  event_id: string;
  start_ms: number;
  type: "session.commentary.appended";
  client_event_id?: string;
}

export interface CustomVoice {
  id: string;
}

/** Control which Live events an untrusted WebRTC frontend can send and receive over its data channel. These restrictions do not apply to trusted sideband connections. */
export interface DataChannelConfig {
  allowed_client_events?: "all" | string[];
  allowed_server_events?: "all" | ServerEventSelector[];
}

/**
 * Reports an error in the Live session, such as an invalid client command.
 *
 * Use error.client_event_id, when present, to identify the command that caused the error.
 */
export interface ErrorEvent {
  error: LiveError;
  event_id: string;
  type: "error";
  client_event_id?: string;
}

/** Switches our extensions on for this session. Send it once, after `session.started`. */
export interface ExtensionsEnableEvent {
  type: "microturn.extensions.enable";
  /** Optional client identifier, returned in the answer. */
  event_id?: string;
  /** Send a `microturn.turn` for every micro-turn. */
  turns?: boolean;
  /** `omit`: leave out audio deltas that hold nothing but silence. Stock clients get a continuous stream. */
  silence?: "send" | "omit";
}

/** Acknowledges `microturn.extensions.enable` with the settings in force. */
export interface ExtensionsEnabledEvent {
  type: "microturn.extensions.enabled";
  /** The unique ID of the server event. */
  event_id: string;
  /** The `event_id` of the command. */
  client_event_id?: string;
  /** Whether `microturn.turn` events follow. */
  turns: boolean;
  /** Whether silent audio deltas are sent. */
  silence: "send" | "omit";
  /** Length of a micro-turn in milliseconds. */
  turn_ms: number;
  /** With it, `microturn.session.resume` goes on with this session after a lost connection. Secret. */
  resume_token: string;
}

/** An informational notice about the Live session, such as the event permissions applied to a frontend data channel. */
export interface InfoEvent {
  code: string;
  event_id: string;
  message: string;
  type: "info";
  client_event_id?: string;
}

/** An assistant message included in the initial text history of a Live session. */
export interface InitialItemAssistant {
  content: (InitialItemAssistantContentText | InitialItemAssistantContentOutputText)[];
  role: "assistant";
  id?: string;
  status?: "incomplete" | "completed";
  type?: "message";
}

/** Assistant output text supplied as conversation history when starting a Live session. */
export interface InitialItemAssistantContentOutputText {
  text: string;
  type: "output_text";
}

/** Assistant text supplied as conversation history when starting a Live session. */
export interface InitialItemAssistantContentText {
  text: string;
  type?: "text";
}

/** A developer message included in the initial text history of a Live session. */
export interface InitialItemDeveloper {
  content: InitialItemDeveloperContent[];
  role: "developer";
  id?: string;
  status?: "incomplete" | "completed";
  type?: "message";
}

/** Text supplied in a developer or user message when starting a Live session. */
export interface InitialItemDeveloperContent {
  text: string;
  type?: "input_text";
}

/** A user message included in the initial text history of a Live session. */
export interface InitialItemUser {
  content: InitialItemUserContent[];
  role: "user";
  id?: string;
  status?: "incomplete" | "completed";
  type?: "message";
}

/** Text supplied in a developer or user message when starting a Live session. */
export interface InitialItemUserContent {
  text: string;
  type?: "input_text";
}

/**
 * Send audio to a Live session over its primary WebSocket.
 *
 * WebRTC and SIP sessions send audio over their media transport.
 */
export interface InputAudioAppendEvent {
  audio: string;
  type: "session.input_audio.append";
  event_id?: string;
}

/**
 * Mute audio input to the Live model without closing the session.
 *
 * The server acknowledges with `session.input_audio.muted`.
 */
export interface InputAudioMuteEvent {
  type: "session.input_audio.mute";
  event_id?: string;
}

/**
 * Acknowledges a session.input_audio.mute command.
 *
 * An independent input mute sends silence to the model and preserves sideband audio reflection. Fixture playback does not emit this event.
 */
export interface InputAudioMutedEvent {
  event_id: string;
  type: "session.input_audio.muted";
  client_event_id?: string;
}

/**
 * Resume audio input to a Live model after muting it.
 *
 * The server acknowledges with `session.input_audio.unmuted`. An active audio fixture still pauses inference until playback finishes.
 */
export interface InputAudioUnmuteEvent {
  type: "session.input_audio.unmute";
  event_id?: string;
}

/** Acknowledges a session.input_audio.unmute command, removing the independent input mute. An active audio fixture still pauses inference until playback finishes. Fixture playback does not emit this event. */
export interface InputAudioUnmutedEvent {
  event_id: string;
  type: "session.input_audio.unmuted";
  client_event_id?: string;
}

/**
 * A transcript fragment for user input audio in the Live session.
 *
 * Accumulate fragments in delivery order; these events do not define complete turns or include a transcript-done event.
 */
export interface InputTranscriptDeltaEvent {
  delta: string;
  end_ms: number;
  event_id: string;
  start_ms: number;
  type: "session.input_transcript.delta";
  client_event_id?: string;
}

/** Append developer instructions to the Live conversation while it is running, optionally associating them with an existing client delegation. Rejected while an audio fixture is active. These instructions remain in conversation history through compaction and are included in future backend delegations. For external audio, describe content already delivered so the assistant does not repeat it. */
export interface InstructionsAppendEvent {
  content: string;
  delegation_id?: string;
  type: "session.instructions.append";
  event_id?: string;
}

/** Returned when a session.instructions.append command is accepted into the Live session timeline. Acknowledges the appended instructions without guaranteeing that the model has acted on them. */
export interface InstructionsAppendedEvent {
  end_ms: number;
  event_id: string;
  start_ms: number;
  type: "session.instructions.appended";
  client_event_id?: string;
}

/** Details of an error encountered by the Live session, including the affected parameter or client command when available. */
export interface LiveError {
  code: string;
  message: string;
  type: string;
  client_event_id?: string;
  param?: string;
}

/**
 * An audio chunk generated by the Live model.
 *
 * Decode and play primary WebSocket chunks in delivery order using the configured session audio format. Sideband connections receive reflected output audio with timestamps.
 */
export interface OutputAudioDeltaEvent {
  delta: string;
  type: "session.output_audio.delta";
  end_ms?: number;
  start_ms?: number;
}

/**
 * A transcript fragment for assistant output audio in the Live session.
 *
 * Accumulate fragments in delivery order; these events do not define complete turns or include a transcript-done event.
 */
export interface OutputTranscriptDeltaEvent {
  delta: string;
  end_ms: number;
  event_id: string;
  start_ms: number;
  type: "session.output_transcript.delta";
  client_event_id?: string;
}

/**
 * Comes in place of `session.start` and goes on with a session whose connection was lost.
 *
 * Media time, what was said and what the model knows go on; sound starts at the next micro-turn. The answer is
 * `session.started`, or an error with the code `session_not_resumable`. Enable the extensions again afterwards.
 */
export interface ResumeEvent {
  type: "microturn.session.resume";
  /** Optional client identifier, returned in the answer. */
  event_id?: string;
  /** From `microturn.extensions.enabled`. */
  resume_token: string;
  /** As in `session.start`; only the audio format is read. */
  session: SessionConfig;
}

/** A Live server event selector for the WebRTC frontend data channel. */
export interface ServerEventSelector {
  type: string;
  response_event?: string;
}

/**
 * Request that the Live session close.
 *
 * The terminal `session.closed` event contains the close reason and final usage.
 */
export interface SessionCloseEvent {
  type: "session.close";
  event_id?: string;
}

/** Returned after the Live session finishes finalizing, with the close reason, final session snapshot, and cumulative audio usage. A connection closing without this event does not confirm successful finalization. */
export interface SessionClosedEvent {
  event_id: string;
  reason: "close_requested" | "expired" | "content" | "remote_hangup" | "connection_lost";
  session: SessionResource;
  type: "session.closed";
  usage: SessionUsage;
  client_event_id?: string;
}

/** Initial configuration for a Live session, including its model, conversation instructions, audio, and delegated task handling. */
export interface SessionConfig {
  model: string | "gpt-live-1";
  audio?: SessionConfigAudio;
  client?: ClientConfig;
  delegation?: ClientDelegation | JsonObject;
  input?: (InitialItemDeveloper | InitialItemUser | InitialItemAssistant)[];
  instructions?: string;
  safety_identifier?: string;
  store?: boolean;
  triggers?: JsonObject[];
}

/**
 * Startup audio configuration.
 *
 * Only primary WebSockets accept audio.format; WebRTC and SIP negotiate their media format. Voice and format are immutable after startup.
 */
export interface SessionConfigAudio {
  format?: AudioFormatAudioPCM | AudioFormatAudioPCMU | AudioFormatAudioPCMA;
  output?: SessionConfigAudioOutput;
}

/** The voice used for speech generated by the Live model. */
export interface SessionConfigAudioOutput {
  voice?: string | "alloy" | "ash" | "ballad" | "beacon" | "bossa" | "cedar" | "cinder" | "coral" | "delta" | "echo" | "gleam" | "marin" | "meridian" | "quartz" | "ripple" | "sage" | "shida" | "shimmer" | "stone" | "tempo" | "verse" | "vesper" | "willow" | CustomVoice;
}

/** The resolved Live session configuration and server-assigned session metadata. */
export interface SessionResource {
  id: string;
  expires_at: number;
  model: string | "gpt-live-1";
  status: "active";
  audio?: SessionResourceAudio;
  client?: ClientConfig;
  delegation?: ClientDelegation | JsonObject;
  input?: (InitialItemDeveloper | InitialItemUser | InitialItemAssistant)[];
  instructions?: string;
  safety_identifier?: string;
  store?: boolean;
  triggers?: JsonObject[];
}

/**
 * Startup audio configuration.
 *
 * Only primary WebSockets accept audio.format; WebRTC and SIP negotiate their media format. Voice and format are immutable after startup.
 */
export interface SessionResourceAudio {
  format?: AudioFormatAudioPCM | AudioFormatAudioPCMU | AudioFormatAudioPCMA;
  output?: SessionResourceAudioOutput;
}

/** The voice used for speech generated by the Live model. */
export interface SessionResourceAudioOutput {
  voice?: string | "alloy" | "ash" | "ballad" | "beacon" | "bossa" | "cedar" | "cinder" | "coral" | "delta" | "echo" | "gleam" | "marin" | "meridian" | "quartz" | "ripple" | "sage" | "shida" | "shimmer" | "stone" | "tempo" | "verse" | "vesper" | "willow" | CustomVoice;
}

/**
 * Start a Live session on a primary WebSocket.
 *
 * Send this event before other commands and wait for `session.started`.
 */
export interface SessionStartEvent {
  session: SessionConfig;
  type: "session.start";
  event_id?: string;
}

/**
 * Returned when a Live session has started.
 *
 * Contains the resolved session configuration, including server defaults.
 */
export interface SessionStartedEvent {
  event_id: string;
  session: SessionResource;
  type: "session.started";
  client_event_id?: string;
}

/** Changes to an active Live session's delegation settings and transcript triggers. */
export interface SessionUpdateConfig {
  delegation?: ClientDelegation | JsonObject;
  triggers?: JsonObject[];
}

/**
 * Update the delegation settings or transcript triggers of an active Live session.
 *
 * The server acknowledges accepted changes with `session.updated`.
 */
export interface SessionUpdateEvent {
  session: SessionUpdateConfig;
  type: "session.update";
  event_id?: string;
}

/**
 * Returned when a Live session update is accepted.
 *
 * Contains the resolved session configuration after the update.
 */
export interface SessionUpdatedEvent {
  event_id: string;
  session: SessionResource;
  type: "session.updated";
  client_event_id?: string;
}

/**
 * Cumulative audio duration for a Live session.
 *
 * Values are totals for the session, not increments to sum across usage events.
 */
export interface SessionUsage {
  seconds: number;
}

/** Reports cumulative Live audio usage and, when available, the most recent context-window usage. Delegated Responses token usage is reported separately in response.event events. */
export interface SessionUsageUpdatedEvent {
  event_id: string;
  type: "session.usage.updated";
  usage: SessionUsage;
  client_event_id?: string;
  context_window?: SessionUsageUpdatedEventContextWindow;
}

/**
 * The latest measured Live context-window usage.
 *
 * Omitted when the context limit is unknown.
 */
export interface SessionUsageUpdatedEventContextWindow {
  usage_ratio: number;
}

/** Text typed by the user, taken in beside the next micro-turn's sound. */
export interface TextEvent {
  type: "microturn.text";
  /** Optional client identifier, returned in an error. */
  event_id?: string;
  /** The text. */
  text: string;
}

/** Provide silent reasoning or progress context to the Live model, optionally for an existing client delegation. Rejected while an audio fixture is active. */
export interface ThinkingAppendEvent {
  content: string;
  delegation_id?: string;
  type: "session.thinking.append";
  event_id?: string;
}

/** Returned when a session.thinking.append command is accepted into the Live session timeline. Acknowledges the added reasoning context without guaranteeing any spoken output. */
export interface ThinkingAppendedEvent {
  end_ms: number;
  event_id: string;
  start_ms: number;
  type: "session.thinking.appended";
  client_event_id?: string;
}

/** Everything about one micro-turn, sent as soon as it is computed: ahead of its sound, which is paced. */
export interface TurnEvent {
  type: "microturn.turn";
  /** The unique ID of the server event. */
  event_id: string;
  /** k: the micro-turn whose input this answers. */
  index: number;
  /** Start of that input on the session timeline. */
  start_ms: number;
  /** End of that input on the session timeline; the answer plays after it. */
  end_ms: number;
  /** Words of the user. */
  hear: string;
  /** Words that the speech will utter. */
  say: string;
  /** Text that is not spoken. */
  pieces: TurnPiece[];
  /** Drop speech of earlier turns that has not been played yet: empty the playback buffer. */
  clear: boolean;
  /** Whether sound goes out in this turn. */
  speaking: boolean;
  /** Compute time by phase, in milliseconds. */
  phases_ms: Record<string, number>;
  /** Compute time in all, in milliseconds. */
  compute_ms: number;
  /** `compute_ms` as a share of the micro-turn. */
  budget_share: number;
  /** From the moment the turn could run until its output was released, in milliseconds. */
  latency_ms: number;
  /** The output missed its deadline. */
  late: boolean;
  /** The input came too late to be answered: its output was forced to silence. */
  forced: boolean;
  /** Step of the ladder of degradation that was in force; 0 for none. */
  overload_rung: number;
}

/** A stretch of text that is not spoken. */
export interface TurnPiece {
  /** `act`: a request to the background model; `text`: for the user's eyes. */
  kind: "act" | "text";
  /** The text; it goes on in the next turn's piece unless `is_end`. */
  text: string;
  /** Whether the piece ends here. */
  is_end: boolean;
}

export type ClientEvent =
  | SessionStartEvent
  | SessionUpdateEvent
  | SessionCloseEvent
  | InputAudioAppendEvent
  | InputAudioMuteEvent
  | InputAudioUnmuteEvent
  | InstructionsAppendEvent
  | ThinkingAppendEvent
  | CommentaryAppendEvent
  | ExtensionsEnableEvent
  | ResumeEvent
  | TextEvent
  | CameraFrameEvent;

export type ServerEvent =
  | SessionStartedEvent
  | SessionUpdatedEvent
  | SessionClosedEvent
  | SessionUsageUpdatedEvent
  | InputAudioMutedEvent
  | InputAudioUnmutedEvent
  | InputTranscriptDeltaEvent
  | OutputAudioDeltaEvent
  | OutputTranscriptDeltaEvent
  | InstructionsAppendedEvent
  | ThinkingAppendedEvent
  | CommentaryAppendedEvent
  | InfoEvent
  | ErrorEvent
  | ExtensionsEnabledEvent
  | TurnEvent;
