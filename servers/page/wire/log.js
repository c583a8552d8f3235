/*
 * What the page notes of each answer while it arrives. The wire pane shows it, now or later:
 *
 *     start(article, record) -> opened(response, askedAt, init) -> received(bytes, at), delta(delta),
 *         painted() … -> closed() -> ended(wording, kind)
 *     clear(), shown([[article, record], …])        the page shows other answers, which may be known
 *
 * It costs a few numbers for each read, token and frame, so it runs always, also while the pane is not
 * loaded. Times are milliseconds, as performance.now().
 */

const MAX_ANSWERS = 16; // the server keeps as many recordings
const MAX_TOKENS = 200_000; // noted of one answer
const MAX_BODY = 1 << 20; // bytes of an answer that are kept, for x-ray to judge

/**
 * `tell(what, ...values)` takes the notes; `watch(function)` is called after each, with `what`. `current` is
 * the answer that the page shows, or null if it has no recording.
 */
export function wireLog(maxAnswers = MAX_ANSWERS) {
	const answers = [];
	let answer = newAnswer();
	let current = null;
	let watcher = () => {};

	const notes = {
		start(article = null, record = null) {
			answer.body = null; // only the last answer is judged
			answer = newAnswer(article, record);
			current = null;
		},
		/** The conversation is another one: its answers are not on the page. */
		clear() {
			answers.length = 0;
			answer = newAnswer();
			current = null;
		},
		/** Earlier answers are shown: for each its article, and its record in the conversation (turns.js). */
		shown(pairs) {
			const known = pairs.map(([article, record]) => {
				const found = answers.find((each) => each.record === record);
				if (found) found.article = article;
				return found;
			});
			current = known[0] ?? null;
		},
		opened(response, askedAt, init = {}) {
			const { headers, status, url } = response;
			const path = headers.get("X-Wire");
			if (!path) return;
			const judge = headers.get("X-Wire-Verdict");
			const openedAt = performance.now();
			Object.assign(answer, { url, askedAt, openedAt, init, status, judge, headers: [...headers] });
			answer.recording = new URL(path, url).href;
			answers.push(answer);
			if (answers.length > maxAnswers) answers.shift();
			current = answer;
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
		get current() { return current; },
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
function newAnswer(article = null, record = null) {
	return {
		article,
		record,
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
