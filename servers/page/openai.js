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
// Seconds to wait for [DONE] after a finish_reason, for the end of the body after [DONE], and for the
// body of an error.
const AFTER_THE_END = 2;
const ERROR_SECONDS = 5;

/**
 * CutOffError: the answer is not complete. `how` is "broken" (the connection), "unfinished" (the body
 * has a clean end, but the answer has not) or "silent" (nothing came for `seconds`).
 * NoReplyError: the connection broke before any byte came.
 * ServerError: the server reported an error. `status` is 0 if the report came inside the stream.
 */
export class CutOffError extends Error {
	constructor(how, seconds = 0) {
		super(how);
		Object.assign(this, { how, seconds });
	}
}
export class NoReplyError extends Error {}
export class ServerError extends Error {
	constructor(message, status) {
		super(message);
		this.status = status;
	}
}

/**
 * Yields the deltas of an answer. Returns only when the answer is complete, and its body read to the
 * last chunk: a browser reports a body that is not read to its end as cancelled.
 *
 * @param {object} asked server ("" for our own), model, all messages, pace, fault
 * @param {AbortSignal} signal closes the connection
 * @param {Function} tell ("opened", response, askedAt, request) at the head, ("received", bytes, at) at
 *     a read, ("closed") at the end of the body
 * @throws {NoReplyError | CutOffError} no answer, or an incomplete one; {ServerError} an error message;
 *     {SyntaxError} an event that is not JSON
 */
export async function* streamAnswer(asked, signal, tell) {
	const patience = deadline(signal);
	let [finished, isDone, how] = [false, false, "unfinished"];
	try {
		patience.restart(SILENCE);
		const response = await request(asked, patience.signal, tell);
		const type = response.headers.get("Content-Type") ?? "";
		if (!response.ok || !/^text\/event-stream/i.test(type)) {
			if (!response.ok) patience.restart(ERROR_SECONDS);
			return yield await readWhole(response, type);
		}
		for await (const event of readEvents(response.body, tell)) {
			if (isDone) continue;
			if (event.data.trim().startsWith("[DONE]")) {
				isDone = finished = true;
				patience.restart(AFTER_THE_END);
				continue;
			}
			if (event.data.trim() === "") continue; // some servers send an empty event as a heartbeat
			const delta = readDelta(event.data, event.event);
			const isSaying = delta.text || delta.thinking || delta.refusal || delta.calls.length;
			finished ||= delta.finishReason !== "";
			// Some servers send empty events after a finish_reason; some send "stop" with each word.
			if (!finished) patience.restart(SILENCE);
			else if (isSaying || delta.finishReason) patience.restart(AFTER_THE_END);
			yield delta;
			if (delta.error) throw new ServerError(delta.error, 0);
		}
	} catch (error) {
		if (patience.isOver && error.name === "AbortError") how = "silent";
		// `fetch` reports a network error as a TypeError.
		else if (error instanceof TypeError) how = "broken";
		else throw error;
	} finally {
		patience.end();
	}
	if (!finished) throw new CutOffError(how, how === "silent" ? SILENCE : 0);
}

/**
 * A signal that also aborts after a timeout. Each event restarts the timeout, so a restart is cheap: it
 * only notes the new end, and a timer that fires too early is set again for the rest.
 */
function deadline(signal) {
	const controller = new AbortController();
	const abort = () => controller.abort();
	let [timer, end, next] = [0, 0, Infinity]; // end: when the timeout expires; next: when the timer fires
	const patience = {
		signal: controller.signal,
		isOver: false,
		restart(seconds) {
			end = performance.now() + 1000 * seconds;
			if (end < next) wait();
		},
		end() {
			clearTimeout(timer);
			signal.removeEventListener("abort", abort);
		},
	};

	function wait() {
		clearTimeout(timer);
		next = end;
		timer = setTimeout(look, end - performance.now());
	}

	function look() {
		if (performance.now() < end) return wait();
		patience.isOver = true;
		abort();
	}

	signal.addEventListener("abort", abort);
	if (signal.aborted) abort();
	return patience;
}

async function request({ server, model, pace, fault, messages }, signal, tell) {
	const headers = { "Content-Type": "application/json" };
	if (!server) {
		headers["X-Wire"] = "1";
		if (pace) headers["X-Pace"] = pace;
		// `fetch` refuses a header field that is not Latin-1; the server explains an unknown fault.
		if (fault) headers["X-Fault"] = fault.replace(/[^ -~]/g, "?");
	}
	const body = JSON.stringify({ model, stream: true, messages }, wellFormed);
	const askedAt = performance.now();
	const url = `${server}/v1/chat/completions`;
	const sent = { method: "POST", headers, body };
	const response = await fetch(url, { ...sent, signal }).catch((error) => {
		throw error instanceof TypeError ? new NoReplyError() : error;
	});
	tell("opened", response, askedAt, sent);
	return response;
}

/** A model may send half a character, which many servers reject as bad JSON. */
function wellFormed(_, value) {
	return typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\uFFFD") : value;
}

/**
 * The answer of a server that does not stream.
 *
 * @throws {ServerError} there is no answer; with the server's own message if a person can read it
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
		const isSaying = whole.text || whole.thinking || whole.refusal || whole.calls.length;
		if (response.ok && !whole.error && isSaying) return whole;
		words = whole.error || words;
	} catch {
		// Text or HTML.
	}
	throw new ServerError(words ? `${words} (${status})` : status, response.status);
}

/** The names of a server's models. */
export async function listModels(server) {
	const said = await (await fetch(`${server}/v1/models`)).json();
	const models = asList(said?.data ?? said?.models ?? said);
	const names = models.map((model) => asText(model?.id ?? model?.name ?? model)).filter(Boolean);
	if (!names.length) throw new Error("no models");
	return names;
}
