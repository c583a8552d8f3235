/*
 * Reads the server's recording of an answer, while the answer runs or later:
 *
 *     GET /wire/{id}  ->  sent, sent, sent … missing? done      servers/http/recordings.py
 */

import { nextFrame, readEvents } from "../sse.js";

const AT_ONCE = 1000; // most spans added between two frames

/**
 * Adds to a recording until its end. A recording that was read in part is read on from where it stopped.
 *
 * @param {string} url
 * @param {object} recording of viewer/recording.js
 * @param {AbortSignal} signal
 * @param {Function} tell called after each event
 * @throws {Error} the recording could not be read to its end
 */
export async function follow(url, recording, signal, tell) {
	const response = await fetch(url, { signal });
	if (!response.ok) throw new Error(`HTTP ${response.status}`);
	const known = recording.totals?.sends ?? 0;
	let spans = 0;
	for await (const { event, data } of readEvents(response.body)) {
		const told = JSON.parse(data);
		if (event === "missing") {
			recording.missing.sends += told.sends;
			recording.missing.bytes += told.bytes;
		} else if (event === "done") {
			receive(recording, told);
			const end = told.error ? `${told.how}: ${told.error}` : told.how;
			recording.add({ at: told.at, sender: "server", end, spans: [] });
			recording.isOver = true;
		} else if (told.sends > known) {
			recording.add({ ...told, spans: undefined, sender: "server" });
			receive(recording, told);
		}
		tell();
		spans += told.spans?.length ?? 0;
		if (spans < AT_ONCE) continue;
		spans = 0;
		await nextFrame();
	}
	if (!recording.isOver) throw new Error("it ended early");
}

function receive(recording, { spans, sends, chunks, events, tokens, size, body, text }) {
	recording.name(spans);
	recording.totals = { sends, chunks, events, tokens, size, body, text };
}
