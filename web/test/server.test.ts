import { afterEach, expect, test, vi } from "vitest";
import { reasonForLoss } from "../src/server";

/** A server that lives, and answers so when it is asked for room. */
function stubServer(readiness: () => Response): void {
  vi.stubGlobal("fetch", async (path: string) =>
    path === "healthz" ? Response.json({ key_required: false }) : readiness(),
  );
}

afterEach(() => void vi.unstubAllGlobals());

test.each([
  ["full", "The server is full. Try again when another conversation has ended."],
  ["overloaded", "The server is overloaded and takes no new conversation. Try again in a moment."],
  ["stopping", "The server is shutting down. Try again when it is back."],
  ["not_answering", "The model behind the server does not answer. Try again in a moment."],
])("a server that takes no conversation (%s) says why", async (reason, words) => {
  stubServer(() => Response.json({ status: "busy", reason }, { status: 503 }));
  expect(await reasonForLoss(false)).toBe(words);
});

test.each([
  ["an error that says why", JSON.stringify({ error: { code: "draining", message: "moving house" } }), "Moving house."],
  ["a page of a proxy", "<h1>503 Service Unavailable</h1>", "The server takes no conversation now (503)."],
  ["an error of another form", '{ "error": { "message": 503 } }', "The server takes no conversation now (503)."],
  ["null", "null", "The server takes no conversation now (503)."],
  ["nothing", "", "The server takes no conversation now (503)."],
])("of a 503 with %s nobody says that the server is full", async (_, body, words) => {
  stubServer(() => new Response(body, { status: 503 }));
  const reason = await reasonForLoss(false);
  expect(reason).toContain(words);
  expect(reason).not.toContain("full");
});

test("a server with room refused for another reason", async () => {
  stubServer(() => Response.json({ status: "ready" }));
  expect(await reasonForLoss(false)).toContain("did not accept the connection");
});
