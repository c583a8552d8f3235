/*
 * What the page read, as a recording (protocol/recording.py), for x-ray to judge:
 *
 *     {"sender":"client","at":0,"bytes":"UE9T…"}
 *     {"sender":"server","at":2.1,"bytes":"SFRUUC8x…"}
 *     {"sender":"server","at":503.4,"bytes":"MTkNCmRh…"}      a read
 *
 * `fetch` has undone the coding and the framing of the body. So each read becomes a chunk.
 */

import { toBase64 } from "../viewer/export.js";

const UNDONE = /^content-(encoding|length)|^transfer-/;

const encoder = new TextEncoder();

/**
 * Resolves to x-ray's verdict: its `code`, its `facts`, and `say`, a sentence in English. Resolves to
 * null if the server does not judge.
 *
 * @param {object} answer of log.js, which has ended
 */
export async function judge(answer) {
	const { judge: path, body, ending } = answer;
	if (!path || !body || ending.kind === "stopped") return null;
	const told = await fetch(path, { method: "POST", body: recordingOf(answer) }).catch(() => ({}));
	return told.ok ? (await told.json()).verdicts[0] : null;
}

/** The recording as JSON lines. Exported for its test. */
export function recordingOf({ url, askedAt, openedAt, status, headers, body, reads, isClosed, ending }) {
	const lines = [];
	const keep = (at, bytes) => lines.push({ sender: "server", at, bytes: toBase64(bytes) });
	const request = encoder.encode("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n");
	// A page reads bytes without TLS. With https here, x-ray would report a missing close_notify.
	lines.push({ sender: "client", at: 0, url: url.replace(/^https:/, "http:"), bytes: toBase64(request) });
	const fields = headers.filter(([name]) => !UNDONE.test(name));
	fields.push(["transfer-encoding", "chunked\r\n\r\n"]);
	const head = `HTTP/1.1 ${status} \r\n${fields.map((field) => field.join(": ")).join("\r\n")}`;
	const times = reads.at.map((at) => at - askedAt);
	keep(openedAt - askedAt, encoder.encode(head));
	body.forEach((bytes, index) => {
		const chunk = new Uint8Array([...encoder.encode(`${bytes.length.toString(16)}\r\n`), ...bytes, 13, 10]);
		keep(times[index], chunk);
	});
	const last = times.at(-1) ?? openedAt - askedAt;
	if (isClosed) keep(last, encoder.encode("0\r\n\r\n"));
	// A page cannot see how a connection ended: with FIN or RST, with or without close_notify.
	const end = ending.kind === "cut" && !isClosed ? "truncated" : "";
	lines.push({ sender: "server", at: last, end });
	return lines.map((line) => JSON.stringify(line)).join("\n");
}
