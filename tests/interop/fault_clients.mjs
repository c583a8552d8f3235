// Clients of the OpenAI API under Node: each asks for one answer with every fault.
//
//     node fault_clients.mjs '{"url": "http://localhost:8000/v1", "names": ["fin"], "patience": 5000, …}'
//
// Prints {"openai": {"fin": {"text": "Hello", "finished": false, "end": "TypeError"}}, "ai": …} as
// JSON. A client that has not ended when none has ended for `long` milliseconds gets the end `waits`.
// No number of chunks is told: when a connection breaks, Node may drop what was not read yet.

import OpenAI from "openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const BUSY = "giant-line";
const { url, names, patience, long, waits } = JSON.parse(process.argv[2]);

async function withOpenai(name, seen) {
  const client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0, timeout: patience });
  const messages = [{ role: "user", content: "Hi" }];
  const headers = { "X-Fault": name };
  const asked = { model: "sim-1", messages, stream: true };
  for await (const chunk of await client.chat.completions.create(asked, { headers })) {
    const choice = chunk.choices?.[0];
    seen.text += choice?.delta?.content ?? "";
    seen.finished ||= Boolean(choice?.finish_reason);
  }
}

async function withAi(name, seen) {
  const provider = createOpenAICompatible({
    name: "sim",
    baseURL: url,
    headers: { "X-Fault": name },
  });
  // This timeout runs from the question on, while a hundred other clients use the same processor. 4
  // MiB in one line take this client seconds, and more on a busy machine.
  const abortSignal = AbortSignal.timeout((name === BUSY ? 12 : 3) * patience);
  const options = { maxRetries: 0, abortSignal, onError: () => {} };
  const result = streamText({ model: provider("sim-1"), prompt: "Hi", ...options });
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "abort") throw abortSignal.reason;
    if (part.type === "text-delta") seen.text += part.text;
    if (part.type === "finish") seen.finished = !["unknown", "other"].includes(part.finishReason);
  }
}

const told = { openai: {}, ai: {} };
const left = new Set();
let stop = () => {};
let timer;

async function run(client, ask, name) {
  const seen = { text: "", finished: false, end: waits };
  told[client][name] = seen;
  left.add(seen);
  try {
    await ask(name, seen);
    seen.end = "";
  } catch (error) {
    seen.end = error?.name && error.name !== "Error" ? error.name : error?.constructor?.name ?? String(error);
  }
  left.delete(seen);
  clearTimeout(timer);
  timer = setTimeout(stop, long);
  if (left.size === 0) stop();
}

// First the one that keeps the processor busy: the timeouts of the others must not run meanwhile.
await Promise.all([run("openai", withOpenai, BUSY), run("ai", withAi, BUSY)]);
const ended = new Promise((resolve) => (stop = resolve));
for (const name of names.filter((name) => name !== BUSY)) {
  run("openai", withOpenai, name);
  run("ai", withAi, name);
}
await ended;
process.stdout.write(JSON.stringify(told), () => process.exit(0));
