/*
 * What the page notes of each answer while it arrives. The wire pane shows it, now or later:
 *
 *     start(article) -> opened(response, askedAt, init) -> received(bytes, at), delta(delta), painted() …
 *         -> closed() -> ended(wording, kind)
 *
 * It costs a few numbers for each read, token and frame, so it runs always, also while the pane is not
 * loaded. Times are milliseconds, as performance.now().
 */

const MAX_ANSWERS = 16; // the server keeps as many recordings
const MAX_TOKENS = 200_000; // noted of one answer
const MAX_BODY = 1 << 20; // bytes of an answer that are kept, for x-ray to judge

/** `tell(what, ...values)` takes the notes; `watch(function)` is called after each, with `what`. */
export function wireLog(maxAnswers = MAX_ANSWERS) {
	const answers = [];
	let answer = newAnswer();
	let watcher = () => {};

	const notes = {
		start(article = null) {
			answer.body = null; // only the last answer is judged
			answer = newAnswer(article);
		},
		/** The conversation is another one: its answers are not on the page. */
		clear() {
			answers.length = 0;
			answer = newAnswer();
		},
		opened(response, askedAt, init = {}) {
			const { headers, status, url } = response;
			const path = headers.get("X-Wire");
			if (!path) return;
			const judge = headers.get("X-Wire-Verdict");
			Object.assign(answer, { url, askedAt, init, status, judge, headers: [...headers] });
			answer.recording = new URL(path, url).href;
			answers.push(answer);
			if (answers.length > maxAnswers) answers.shift();
		},
		received(bytes, at) {
			const { reads, body } = answer;
			reads.at.push(at);
			answer.size += bytes.length;
			reads.end.push(answer.size);
			if (answer.size <= MAX_BODY) body?.push(bytes);
			else answer.body = null;
		},
		/** What adds text to the answer is a token, as in the server's count (protocol/anatomy.py). */
		delta({ text, thinking, calls = [] }) {
			const { tokens } = answer;
			const isCall = calls.some((call) => call.arguments);
			if ((!text && !thinking && !isCall) || tokens.end.length >= MAX_TOKENS) return;
			answer.text += text ?? "";
			answer.thought += thinking ?? "";
			const isThought = Boolean(thinking) && !text;
			const { length } = isThought ? answer.thought : answer.text;
			tokens.isThought.push(isThought);
			tokens.start.push(length - (text || thinking || "").length);
			tokens.end.push(length);
			tokens.read.push(answer.reads.at.length);
		},
		painted() {
			answer.paints.at.push(performance.now());
			answer.paints.tokens.push(answer.tokens.end.length);
		},
		closed() {
			answer.isClosed = true;
		},
		ended(wording, kind = "") {
			answer.ending = { wording, kind };
		},
	};

	return {
		answers,
		tell(what, ...values) {
			notes[what]?.(...values);
			watcher(what);
		},
		watch: (tell) => (watcher = tell),
	};
}

/**
 * `reads`: the time of each, and how much of the body has come with it. `tokens`: for each, where it
 * is in `text` or in `thought`, and the number of its read. `paints`: the time of each frame that
 * showed new text, and how many tokens had come.
 */
function newAnswer(article = null) {
	return {
		article,
		text: "",
		thought: "",
		size: 0,
		body: [],
		reads: { at: [], end: [] },
		tokens: { isThought: [], start: [], end: [], read: [] },
		paints: { at: [], tokens: [] },
		isClosed: false,
		ending: null,
	};
}
