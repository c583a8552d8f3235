/*
 * POST /v1/chat/completions: a conversation goes out, the pieces of its answer come back as events
 * of one JSON object each, and a last one that is not JSON:
 *
 *     data: {...,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
 *     data: {...,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
 *     data: [DONE]
 *
 * An error is an HTTP status before the stream, or {"error":{...}} inside it.
 */

import { readEvents } from "./sse.js";

/** @typedef {{thinking: string, text: string, finishReason: string}} Delta */

/** The stream ended, or the network broke, too early; or before any byte came. */
export class CutOffError extends Error {}
export class NoReplyError extends Error {}

/**
 * Returns only when the answer is whole.
 *
 * @param {object} asked server ("" for our own), model, all messages, pace, fault
 * @param {AbortSignal} signal closes the connection
 * @param {Function} tell ("opened", response, askedAt) at the head, ("received", bytes, at) at a read
 * @throws {NoReplyError | CutOffError} on no or an unfinished answer; {Error} on what is reported
 */
export async function* streamAnswer(asked, signal, tell) {
	const response = await request(asked, signal, tell);
	let finished = false;
	try {
		for await (const event of readEvents(response.body, tell)) {
			if (event.data.startsWith("[DONE]")) return;
			if (event.data === "") continue; // some send one as a heartbeat
			const delta = readDelta(event.data);
			finished ||= delta.finishReason !== "";
			yield delta;
		}
	} catch (error) {
		// Fetch reports a broken network as a TypeError.
		if (!(error instanceof TypeError)) throw error;
	}
	// A body can end cleanly and yet too early.
	if (!finished) throw new CutOffError();
}

async function request({ server, model, pace, fault, messages }, signal, tell) {
	const headers = { "Content-Type": "application/json" };
	if (!server) {
		headers["X-Wire"] = "1";
		if (pace) headers["X-Pace"] = pace;
		if (fault) headers["X-Fault"] = fault;
	}
	const body = JSON.stringify({ model, stream: true, messages });
	const askedAt = performance.now();
	const url = `${server}/v1/chat/completions`;
	const response = await fetch(url, { method: "POST", headers, body, signal }).catch((error) => {
		throw error instanceof TypeError ? new NoReplyError() : error;
	});
	tell("opened", response, askedAt);
	const type = response.headers.get("Content-Type") ?? "";
	// HTML with status 200 holds no event: it would look like an empty answer.
	if (response.ok && /^text\/event-stream/i.test(type)) return response;
	throw new Error(await describeFailure(response, type));
}

/** The server's own words where the body has OpenAI's shape. */
async function describeFailure(response, type) {
	const status = response.ok ? `not an event stream: ${type}` : `HTTP ${response.status}`;
	try {
		return `${errorMessage((await response.json()).error)} (${status})`;
	} catch {
		return status;
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
	// The usage chunk has no choices either.
	if (!chunk.choices && chunk.message) throw new Error(errorMessage(chunk));
	const choice = chunk.choices?.[0];
	const delta = choice?.delta ?? {};
	return {
		// DeepSeek says reasoning_content; OpenRouter and newer vLLM, reasoning.
		thinking: textOf(delta.reasoning_content) || textOf(delta.reasoning),
		text: textOf(delta.content),
		finishReason: textOf(choice?.finish_reason),
	};
}

export async function listModels(server) {
	const { data } = await (await fetch(`${server}/v1/models`)).json();
	return data.map(({ id }) => String(id));
}

/** The names of the faults that our own server knows, and what they do. */
export async function listFaults() {
	const text = await (await fetch("/faults")).text();
	return Array.from(text.matchAll(/^([a-z0-9-]+)  +(.+)$/gm), ([, name, line]) => [name, line]);
}
