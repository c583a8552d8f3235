/*
 * POST /v1/chat/completions: sends a conversation. The answer comes back as events with one JSON
 * object each; the last event is not JSON:
 *
 *     data: {...,"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
 *     data: {...,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
 *     data: [DONE]
 *
 * An error is an HTTP status before the stream, or {"error":{...}} inside it.
 */

import { asList, asText, readDelta, readFailure } from "./deltas.js";
import { readEvents } from "./sse.js";

// In seconds. A model may think for minutes, after a long wait in a queue.
const SILENCE = 300;
// Seconds to wait for [DONE] after a finish_reason, and for the body of an error.
const AFTER_THE_END = 2;
const ERROR_SECONDS = 5;

/**
 * CutOffError: the stream ended too early, the network broke, or the server was silent (`seconds`).
 * NoReplyError: the same, before any byte came.
 */
export class CutOffError extends Error {
	constructor(seconds = 0) {
		super();
		this.seconds = seconds;
	}
}
export class NoReplyError extends Error {}

/**
 * Yields the deltas of an answer. Returns only when the answer is complete.
 *
 * @param {object} asked server ("" for our own), model, all messages, pace, fault
 * @param {AbortSignal} signal closes the connection
 * @param {Function} tell ("opened", response, askedAt) at the head, ("received", bytes, at) at a read
 * @throws {NoReplyError | CutOffError} no answer, or an incomplete one; {Error} an error message
 */
export async function* streamAnswer(asked, signal, tell) {
	const patience = deadline(signal);
	let finished = false;
	try {
		patience.restart(SILENCE);
		const response = await request(asked, patience.signal, tell);
		const type = response.headers.get("Content-Type") ?? "";
		if (!response.ok || !/^text\/event-stream/i.test(type)) {
			if (!response.ok) patience.restart(ERROR_SECONDS);
			return yield await readWhole(response, type);
		}
		for await (const event of readEvents(response.body, tell)) {
			if (event.data.trim().startsWith("[DONE]")) return;
			if (event.data.trim() === "") continue; // some servers send an empty event as a heartbeat
			const delta = readDelta(event.data, event.event);
			finished ||= delta.finishReason !== "";
			// Some servers send empty events after a finish_reason; some send "stop" with each word.
			if (!finished) patience.restart(SILENCE);
			else if (delta.text || delta.thinking || delta.finishReason) patience.restart(AFTER_THE_END);
			yield delta;
			if (delta.error) throw new Error(delta.error);
		}
	} catch (error) {
		if (patience.isOver && error.name === "AbortError") {
			if (!finished) throw new CutOffError(SILENCE);
		}
		// `fetch` reports a network error as a TypeError.
		else if (!(error instanceof TypeError)) throw error;
	} finally {
		patience.end();
	}
	// A body can have a clean end and still be incomplete.
	if (!finished) throw new CutOffError();
}

/** A signal that also aborts after a timeout. */
function deadline(signal) {
	const controller = new AbortController();
	const abort = () => controller.abort();
	let timer;
	const patience = {
		signal: controller.signal,
		isOver: false,
		restart(seconds) {
			clearTimeout(timer);
			timer = setTimeout(() => {
				patience.isOver = true;
				abort();
			}, 1000 * seconds);
		},
		end() {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
		},
	};
	signal.addEventListener("abort", abort);
	if (signal.aborted) abort();
	return patience;
}

async function request({ server, model, pace, fault, messages }, signal, tell) {
	const headers = { "Content-Type": "application/json" };
	if (!server) {
		headers["X-Wire"] = "1";
		if (pace) headers["X-Pace"] = pace;
		if (fault) headers["X-Fault"] = fault;
	}
	const body = JSON.stringify({ model, stream: true, messages }, wellFormed);
	const askedAt = performance.now();
	const url = `${server}/v1/chat/completions`;
	const response = await fetch(url, { method: "POST", headers, body, signal }).catch((error) => {
		throw error instanceof TypeError ? new NoReplyError() : error;
	});
	tell("opened", response, askedAt);
	return response;
}

/** A model may send half a character, which many servers reject as bad JSON. */
function wellFormed(_, value) {
	return typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\uFFFD") : value;
}

/**
 * The answer of a server that does not stream.
 *
 * @throws {Error} there is no answer; with the server's own message if a person can read it
 */
async function readWhole(response, type) {
	// HTML with status 200 has no events: it would look like an empty answer.
	const status = response.ok ? `not an event stream: ${type}` : `HTTP ${response.status}`;
	const body = await response.text().catch((error) => {
		if (response.ok) throw error;
		return ""; // the status is enough
	});
	let words = readFailure(body);
	try {
		const whole = readDelta(body);
		if (response.ok && !whole.error && (whole.text || whole.thinking)) return whole;
		words = whole.error || words;
	} catch {
		// Text or HTML.
	}
	throw new Error(words ? `${words} (${status})` : status);
}

/** The names of a server's models. */
export async function listModels(server) {
	const said = await (await fetch(`${server}/v1/models`)).json();
	const models = asList(said?.data ?? said?.models ?? said);
	const names = models.map((model) => asText(model?.id ?? model?.name ?? model)).filter(Boolean);
	if (!names.length) throw new Error("no models");
	return names;
}
