/*
 * What the page read, as a recording (protocol/recording.py), for x-ray to judge:
 *
 *     {"sender":"client","at":0,"bytes":"UE9T…"}
 *     {"sender":"server","at":2.1,"bytes":"SFRUUC8x…"}
 *     {"sender":"server","at":503.4,"bytes":"MTkNCmRh…"}      a read
 *
 * `fetch` has undone the coding and the framing of the body. So each read becomes a chunk.
 */

const MAX_SIZE = 1 << 20; // a longer recording is not judged
const UNDONE = /^content-(encoding|length)|^transfer-/;

/** @param {Response} response its head has just come @param {number} askedAt */
export function recordReads(response, askedAt) {
	const lines = [];
	let size = 0;
	let isWhole = false;

	function keep(text, at = performance.now(), sender = "server") {
		size += text.length;
		if (size < MAX_SIZE) lines.push({ sender, at: at - askedAt, bytes: btoa(text) });
	}

	keep("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n", askedAt, "client");
	const fields = [...response.headers].filter(([name]) => !UNDONE.test(name));
	fields.push(["transfer-encoding", "chunked\r\n\r\n"]);
	keep(`HTTP/1.1 ${response.status} \r\n${fields.map((field) => field.join(": ")).join("\r\n")}`);

	return {
		received(bytes, at) {
			const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
			keep(`${bytes.length.toString(16)}\r\n${text}\r\n`, at);
		},
		closed() {
			isWhole = true;
			keep("0\r\n\r\n");
		},
		/** Resolves to a sentence, or to "". @param {boolean} isCut the answer is incomplete */
		async judge(path, isCut) {
			if (size >= MAX_SIZE) return "";
			const end = isCut && !isWhole ? "truncated" : "";
			const last = { sender: "server", at: performance.now() - askedAt, end };
			const body = [...lines, last].map((line) => JSON.stringify(line)).join("\n");
			const answer = await fetch(path, { method: "POST", body }).catch(() => ({}));
			return answer.ok ? (await answer.json()).verdicts[0].say : "";
		},
	};
}
