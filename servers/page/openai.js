/*
 * POST /v1/chat/completions: a conversation goes out, the pieces of its answer come back as an
 * event stream, one JSON object an event, and a last event that is not JSON:
 *
 *     data: {...,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
 *     data: {...,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
 *     data: [DONE]
 *
 * An error comes as an HTTP status before the stream, or as {"error":{...}} inside it.
 */

import { readEvents } from "./sse.js";

/** @typedef {{role: "user" | "assistant", content: string}} Message */
/** @typedef {{thinking: string, text: string, finishReason: string | null}} Delta */

/** The stream ended, or the network broke, too early. */
export class CutOffError extends Error {}

/**
 * Returns only when the answer is whole.
 *
 * @param {Message[]} messages the whole conversation: the server remembers nothing
 * @param {AbortSignal} signal closes the connection
 * @returns {AsyncGenerator<Delta>}
 * @throws {CutOffError} on an unfinished answer; {Error} on what the server reports
 */
export async function* streamAnswer(messages, signal, wire) {
  let finished = false;
  try {
    const askedAt = performance.now();
    const response = await request(messages, signal);
    wire.opened(response, askedAt);
    const noting = new TransformStream({
      transform(bytes, controller) {
        wire.received(bytes, performance.now());
        controller.enqueue(bytes);
      },
    });
    for await (const event of readEvents(response.body.pipeThrough(noting))) {
      if (event.data.startsWith("[DONE]")) return;
      const delta = readDelta(event.data);
      finished ||= delta.finishReason !== null;
      yield delta;
    }
  } catch (error) {
    // Fetch reports a broken network as a TypeError.
    if (!(error instanceof TypeError)) throw error;
  }
  // A body can end cleanly and yet too early.
  if (!finished) throw new CutOffError();
}

async function request(messages, signal) {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Wire": "1" },
    body: JSON.stringify({ model: "sim-1", stream: true, messages }),
    signal,
  });
  if (!response.ok) throw new Error(await describeFailure(response));
  // HTML with status 200 holds no event: it would look like an empty answer.
  const type = response.headers.get("Content-Type");
  if (!/^text\/event-stream/i.test(type)) throw new Error(`not an event stream: ${type}`);
  return response;
}

/** The server's own words where the body has OpenAI's shape. */
async function describeFailure(response) {
  const status = `HTTP ${response.status}`;
  try {
    return `${errorMessage((await response.json()).error)} (${status})`;
  } catch {
    return `${status} ${response.statusText}`.trim();
  }
}

function errorMessage(error) {
  return typeof error?.message === "string" ? error.message : JSON.stringify(error);
}

function textOf(value) {
  return typeof value === "string" ? value : "";
}

function readDelta(data) {
  const chunk = Object(JSON.parse(data));
  if (chunk.error) throw new Error(errorMessage(chunk.error));
  // The usage chunk has no choices.
  const choice = chunk.choices?.[0];
  const delta = choice?.delta ?? {};
  return {
    // DeepSeek says reasoning_content; OpenRouter and newer vLLM, reasoning.
    thinking: textOf(delta.reasoning_content) || textOf(delta.reasoning),
    text: textOf(delta.content),
    finishReason: choice?.finish_reason ?? null,
  };
}
