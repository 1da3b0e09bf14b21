import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ClientEvent, ServerEvent, ToolRule } from "../src/protocol";
import { type Eagerness, type Phase, RETRY_AFTER_MS, Session, whereabouts } from "../src/session/session";
import type { Opening, Reactions, Transport, TransportKind } from "../src/session/transport";

/** A transport whose other end is the test. */
class FakeTransport implements Transport {
  readonly sent: ClientEvent[] = [];
  opening: Opening | null = null;
  isDropped = false;
  constructor(
    readonly kind: TransportKind,
    readonly reactions: Reactions,
  ) {}
  open(opening: Opening): void {
    this.opening = opening;
  }
  send(event: ClientEvent): void {
    this.sent.push(event);
  }
  start(): void {}
  drop(): void {
    this.isDropped = true;
  }
  async figures() {
    return { roundTripMs: 5, loss: null };
  }
  begin(): void {
    this.reactions.onEvent({ type: "session.started" } as ServerEvent);
    this.reactions.onEvent({ type: "microturn.extensions.enabled", resume_token: "t" } as ServerEvent);
  }
}

function opened(kinds: TransportKind[]) {
  const transports: FakeTransport[] = [];
  const phases: [Phase, string][] = [];
  const rules: ToolRule[] = [];
  const chosen: { eagerness: Eagerness } = { eagerness: "auto" };
  const session = new Session({
    kinds,
    connect: (kind, reactions) => {
      transports.push(new FakeTransport(kind, reactions));
      return transports.at(-1) as FakeTransport;
    },
    explain: async () => "explained",
    tools: () => rules,
    eagerness: () => chosen.eagerness,
    view: { onPhase: (...phase) => phases.push(phase), onEvent: () => undefined, onQuality: () => undefined },
  });
  session.start();
  return { session, transports, phases, rules, chosen, latest: () => transports.at(-1) as FakeTransport };
}

function enabledWith(transport: FakeTransport) {
  return transport.sent.find((event) => event.type === "microturn.extensions.enable");
}

function eagernessesOf(transport: FakeTransport): Eagerness[] {
  return transport.sent.flatMap((event) => (event.type === "microturn.eagerness.update" ? [event.eagerness] : []));
}

const lost = { isRegular: false, reason: "" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("falls back when the first transport never starts", () => {
  const { transports, latest, phases } = opened(["webrtc", "websocket"]);
  latest().reactions.onClosed(lost);
  expect(transports.map(({ kind }) => kind)).toEqual(["webrtc", "websocket"]);
  latest().begin();
  expect(phases.at(-1)).toEqual(["live", ""]);
});

test("what was chosen about tools is said again to whoever goes on with the session", () => {
  const { latest, rules } = opened(["websocket"]);
  latest().begin();
  expect(enabledWith(latest())).not.toHaveProperty("tools");
  rules.push({ tool: "forget_notes", permission: "deny" });
  latest().reactions.onClosed(lost);
  vi.advanceTimersByTime(0);
  latest().begin();
  expect(enabledWith(latest())).toHaveProperty("tools", rules);
});

test("how readily it is to speak is said when that is chosen, and to whoever goes on with the session", () => {
  const { session, latest, chosen } = opened(["websocket"]);
  latest().begin();
  chosen.eagerness = "low";
  session.tellEagerness();
  expect(eagernessesOf(latest())).toEqual(["auto", "low"]);
  latest().reactions.onClosed(lost);
  vi.advanceTimersByTime(0);
  latest().begin();
  expect(eagernessesOf(latest())).toEqual(["low"]);
});

test("a lost connection comes back with the token, muted as before", () => {
  const { session, latest, phases } = opened(["websocket"]);
  latest().begin();
  session.setMuted(true);
  latest().reactions.onClosed(lost);
  expect(phases.at(-1)?.[0]).toBe("reconnecting");
  vi.advanceTimersByTime(0);
  expect(latest().opening).toEqual({ kind: "resume", token: "t" });
  latest().begin();
  expect(latest().sent.map(({ type }) => type)).toContain("session.input_audio.mute");
  expect(phases.at(-1)?.[0]).toBe("live");
});

/** What the server was told about the user's sound, in order. */
function mutings(transport: FakeTransport): string[] {
  return transport.sent
    .map(({ type }) => type.replace("session.input_audio.", ""))
    .filter((type) => /mute$/.test(type));
}

/** A recorded phrase, and what ends it. */
function phrase() {
  let end: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const said = new Promise<void>((resolve, reject) => {
    [end, fail] = [resolve, reject];
  });
  return { said, end, fail };
}

test("muted, the server listens until the last of the phrases that overlap has been said", async () => {
  const { session, latest } = opened(["websocket"]);
  latest().begin();
  session.setMuted(true);
  const [short, long] = [phrase(), phrase()];
  const heard = [session.hear(short.said), session.hear(long.said)];
  expect(mutings(latest())).toEqual(["mute", "unmute"]);
  short.end();
  await heard[0];
  expect(mutings(latest())).toEqual(["mute", "unmute"]);
  long.end();
  await heard[1];
  expect(mutings(latest())).toEqual(["mute", "unmute", "mute"]);
});

test("muted in the middle of a phrase, the server listens to its end", async () => {
  const { session, latest } = opened(["websocket"]);
  latest().begin();
  const { said, end } = phrase();
  const heard = session.hear(said);
  session.setMuted(true);
  expect(mutings(latest())).toEqual([]);
  end();
  await heard;
  expect(mutings(latest())).toEqual(["mute"]);
});

test("unmuted in the middle of a phrase, the server goes on listening after it", async () => {
  const { session, latest } = opened(["websocket"]);
  latest().begin();
  session.setMuted(true);
  const { said, end } = phrase();
  const heard = session.hear(said);
  session.setMuted(false);
  end();
  await heard;
  expect(mutings(latest())).toEqual(["mute", "unmute"]);
});

test("a phrase that fails leaves the user muted", async () => {
  const { session, latest } = opened(["websocket"]);
  latest().begin();
  session.setMuted(true);
  const { said, fail } = phrase();
  const heard = session.hear(said);
  fail(new Error("not found"));
  await expect(heard).rejects.toThrow("not found");
  expect(mutings(latest())).toEqual(["mute", "unmute", "mute"]);
});

test("a phrase that ends while the connection is lost leaves the user muted on the next one", async () => {
  const { session, latest } = opened(["websocket"]);
  latest().begin();
  session.setMuted(true);
  const { said, end } = phrase();
  const heard = session.hear(said);
  latest().reactions.onClosed(lost);
  end();
  await heard;
  vi.advanceTimersByTime(0);
  latest().begin();
  expect(mutings(latest())).toEqual(["mute"]);
});

test("gives up in words after the last retry", async () => {
  const { latest, phases, transports } = opened(["websocket"]);
  latest().begin();
  for (let i = 0; i <= RETRY_AFTER_MS.length; i++) {
    latest().reactions.onClosed(lost);
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(transports.length).toBe(1 + RETRY_AFTER_MS.length);
  expect(phases.at(-1)).toEqual(["failed", "explained"]);
});

test("a session that cannot be resumed ends with what happened", () => {
  const { latest, phases } = opened(["websocket"]);
  latest().begin();
  const error = { code: "session_not_resumable", message: "gone", type: "invalid_request_error" };
  latest().reactions.onEvent({ type: "error", event_id: "e", error });
  expect(phases.at(-1)?.[0]).toBe("failed");
  expect(phases.at(-1)?.[1]).toContain("conversation was lost");
});

test("stopping tells the server, and what comes later changes nothing", () => {
  const { session, latest, phases } = opened(["websocket"]);
  const transport = latest();
  transport.begin();
  session.stop();
  expect(transport.sent.at(-1)).toEqual({ type: "session.close" });
  transport.reactions.onClosed(lost);
  expect(phases.at(-1)).toEqual(["stopped", ""]);
  vi.runAllTimers();
  expect(transport.isDropped).toBe(true);
});

const turn = { type: "microturn.turn", index: 0 } as unknown as ServerEvent;

test("a connection that looks open but brings no micro-turns is taken up anew", async () => {
  const { latest, phases, transports } = opened(["websocket"]);
  latest().begin();
  latest().reactions.onEvent(turn);
  await vi.advanceTimersByTimeAsync(13_000);
  expect(transports[0]?.isDropped).toBe(true);
  expect(latest().opening).toEqual({ kind: "resume", token: "t" });
  expect(phases.map(([phase]) => phase)).toContain("reconnecting");
});

test("a connection that never brings a micro-turn is taken up anew", async () => {
  const { latest, transports } = opened(["websocket"]);
  latest().begin();
  await vi.advanceTimersByTimeAsync(13_000);
  expect(transports[0]?.isDropped).toBe(true);
  expect(latest().opening).toEqual({ kind: "resume", token: "t" });
});

test.each([
  ["expired", "longest time"],
  ["close_requested", "server's side"],
])("a conversation that the server ends (%s) says so", (reason, words) => {
  const { latest, phases } = opened(["websocket"]);
  latest().begin();
  latest().reactions.onEvent({ type: "session.closed", reason } as ServerEvent);
  latest().reactions.onClosed({ isRegular: true, reason: "" });
  expect(phases.at(-1)?.[0]).toBe("stopped");
  expect(phases.at(-1)?.[1]).toContain(words);
});

test("while the system holds the sound, no micro-turns are no loss", async () => {
  const { session, latest, transports } = opened(["websocket"]);
  latest().begin();
  latest().reactions.onEvent(turn);
  session.isHeld = true;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(transports.length).toBe(1);
});

test("when the network is back, a try that hangs is given up for a new one", () => {
  const { session, latest, transports } = opened(["websocket"]);
  latest().begin();
  latest().reactions.onClosed(lost);
  vi.advanceTimersByTime(0);
  const hanging = latest();
  session.retryNow();
  expect(hanging.isDropped).toBe(true);
  expect(transports.length).toBe(3);
});

test("the reason of the better transport is told when the other fails too", async () => {
  const { latest, phases } = opened(["webrtc", "websocket"]);
  latest().reactions.onClosed({ isRegular: false, reason: "the server is full" });
  latest().reactions.onClosed(lost);
  await vi.advanceTimersByTimeAsync(0);
  expect(phases.at(-1)).toEqual(["failed", "The server is full."]);
});

test("says with every connection where the user is", () => {
  const { latest } = opened(["websocket"]);
  latest().begin();
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  expect(latest().sent[0]).toMatchObject({ type: "microturn.extensions.enable", time_zone: timeZone });
});

test.each([
  ["de-AT", "de-AT"],
  ["en-US@posix", Intl.DateTimeFormat().resolvedOptions().locale],
  [undefined, Intl.DateTimeFormat().resolvedOptions().locale],
])("says the browser's language %s where it is one", (language, locale) => {
  vi.stubGlobal("navigator", { language });
  expect(whereabouts().locale).toBe(locale);
  vi.unstubAllGlobals();
});
