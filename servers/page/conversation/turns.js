/*
 * A conversation is a list of messages: questions and answers. An answer that is asked for again, or
 * a question that is edited, begins another version of the rest of the conversation. The list has
 * the version that is shown, and the first message of that version has the others:
 *
 *     [hello, {content: "Hi!", at: 1, others: [[{content: "Hey."}]]}]       version 2 of 2 is shown
 *
 * So code that reads the list need not know of versions.
 */

const MAX_VERSIONS = 50; // at one place; the oldest is dropped

/** Puts a message at this place. What was there, and after it, becomes an earlier version. */
export function put(messages, index, message) {
	const { all } = takeFrom(messages, index);
	all.push([message]);
	giveTo(messages, all.slice(-MAX_VERSIONS), all.length - 1);
}

/** Shows another version at this place: `step` is -1 or 1. */
export function turn(messages, index, step) {
	const { all, at } = takeFrom(messages, index);
	giveTo(messages, all, at + step);
}

/** Which version is shown, from 1, and how many there are. */
export function versionsOf({ at = 0, others = [] }) {
	return { at: at + 1, count: others.length + 1 };
}

function takeFrom(messages, index) {
	const rest = messages.splice(index);
	if (!rest.length) return { all: [], at: 0 };
	const { others = [], at = 0 } = rest[0];
	delete rest[0].others;
	delete rest[0].at;
	return { all: others.toSpliced(at, 0, rest), at };
}

function giveTo(messages, all, wanted) {
	const at = Math.max(0, Math.min(wanted, all.length - 1));
	const shown = all[at];
	messages.push(...shown);
	if (all.length > 1) Object.assign(shown[0], { at, others: all.toSpliced(at, 1) });
}

/**
 * The messages for the request. Thoughts are not sent back, but the text of an incomplete answer is.
 * A tool call is sent only together with its result, because servers refuse it alone.
 */
export function toSend(messages, system) {
	const sent = messages.flatMap(({ role, content, calls = [] }) => {
		const isAnswered = calls.length > 0 && calls.every(({ result }) => result !== undefined);
		if (!isAnswered) return content ? [{ role, content }] : [];
		const tool_calls = calls.map(({ id, name, arguments: text }) => ({
			id,
			type: "function",
			function: { name, arguments: text },
		}));
		const results = calls.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: result }));
		return [{ role, content: content || null, tool_calls }, ...results];
	});
	return system ? [{ role: "system", content: system }, ...sent] : sent;
}
