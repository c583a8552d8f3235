/*
 * Parses a chat stream: takes one event, and returns the text that it adds to the answer.
 *
 *     {..."choices":[{"index":0,"delta":{"content":"你"},...}]}  ->  {text: "你", ...}
 *     {"error":{"message":"overloaded"}}                        ->  {error: "overloaded", ...}
 *
 * It accepts any JSON from any server. A field that is missing, null, unknown or of another type
 * adds nothing, and the other fields are still read. protocol/openai/deltas.py does the same in
 * Python; tests/vectors/deltas.json tests both.
 */

/**
 * @typedef {{index: number, id: string, name: string, arguments: string}} CallPiece
 * @typedef {{text: string, thinking: string, refusal: string, calls: CallPiece[],
 *     finishReason: string, error: string}} Delta
 */

// Names of the thinking field: DeepSeek; OpenRouter and newer vLLM; OpenRouter; Ollama; LiteLLM.
const THINKING = ["reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks"];
// Fields of a part that hold its text, or more parts.
const WORDS = ["text", "value", "content", "refusal", "thinking", "reasoning", "summary"];
// Fields of an error that hold its message, in order of preference.
const MESSAGES =
	"message detail details msg error_description error errors title description reason".split(" ");
const DEPTH = 8; // levels of nested parts

// ---- Convert any value to the type that is needed

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const asObject = (value) => (isObject(value) ? value : {});
export const asList = (value) => (isObject(value) ? [value] : Array.isArray(value) ? value : []);
export const asText = (value) => (["string", "number"].includes(typeof value) ? String(value) : "");
/** Whether a value has content: it is not null, false, 0, or empty. */
const says = (value) => Boolean(typeof value === "object" ? Object.keys(value ?? {}).length : value);
const asCount = (value) => {
	const count = typeof value === "string" && value ? Number(value) : value;
	return count >= 0 && count <= Number.MAX_SAFE_INTEGER ? Math.floor(count) : 0;
};
const firstObject = (value) => asList(value).find(isObject) ?? {};

/**
 * Reads the data of one event; an event of type "error" is an error, whatever its data.
 *
 * @returns {Delta}
 * @throws {SyntaxError} it is not JSON
 */
export function readDelta(data, event = "message") {
	let value;
	try {
		value = JSON.parse(data);
	} catch (error) {
		if (event !== "error") throw error;
		const failure = readFailure(data) || event;
		return { text: "", thinking: "", refusal: "", calls: [], finishReason: "", error: failure };
	}
	const chunk = firstObject(value);
	const choices = asList(chunk.choices).filter(isObject);
	// Some servers count from 1. In the event with the usage, the list of choices is empty.
	const choice = choices.find(({ index }) => !(Number(asText(index)) >= 1)) ?? choices[0] ?? {};
	const delta = choice.delta ?? choice.message ?? choice.text; // "text": the older completions API
	const fields = says(asObject(delta)) ? delta : { content: delta };
	const words = ["", "", ""];
	collect(words, fields.content);
	for (const name of THINKING) {
		if (!words[1]) words[1] = collect(["", "", ""], fields[name]).join("");
	}
	const reason = choice.finish_reason;
	return {
		text: words[0] || asText(asObject(fields.audio).transcript),
		thinking: words[1],
		refusal: words[2] || asText(fields.refusal),
		calls: callsIn(fields),
		finishReason: typeof reason === "string" && reason !== "null" ? reason : "",
		error: errorOf(value, chunk, choice, event),
	};
}

/** Pieces of tool calls: the first piece with an index has the name, and each has some arguments. */
function callsIn({ tool_calls, function_call }) {
	const calls = [...asList(tool_calls), ...asList(function_call).map((each) => ({ function: each }))];
	return calls.flatMap((call, position) => {
		if (!isObject(call)) return [];
		const called = asObject(says(call.function) ? call.function : call.custom);
		const given = called.arguments ?? called.input ?? "";
		// Some servers omit the index if there is only one call, or if the call is complete.
		const index = asCount(call.index ?? position);
		const text = typeof given === "string" ? given : JSON.stringify(given);
		return [{ index, id: asText(call.id), name: asText(called.name), arguments: text }];
	});
}

/** The text, the thinking and the refusal in a text, a list of parts, or a part. */
function collect(words, value, kind = "text", depth = DEPTH) {
	if (isObject(value)) {
		// {"type":"thinking","thinking":[{"type":"text","text":...}]}: the outer type decides.
		const name = WORDS.find((one) => says(value[one])) ?? "";
		if (kind === "text") kind = asText(value.type) || name;
		value = [value[name]];
	}
	if (Array.isArray(value)) {
		if (depth) value.forEach((part) => collect(words, part, kind, depth - 1));
	} else {
		words[/thinking|reasoning/.test(kind) ? 1 : kind === "refusal" ? 2 : 0] += asText(value);
	}
	return words;
}

/** The server's own message in place of an answer, if a person can read it. */
export function readFailure(body) {
	const text = body.trim().replace(/^data:/, ""); // an event stream of one event
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		// From HTML or XML.
		if (text.startsWith("<")) return /<(?:title|message)[^<>]*>([^<]*)</i.exec(text)?.[1].trim() ?? "";
		return text;
	}
	return says(value) ? messageOf(value) : "";
}

function errorOf(value, chunk, choice, event) {
	if (says(chunk.error)) return messageOf(chunk);
	if (says(choice.error)) return messageOf(choice);
	const isFlat = (chunk.choices ?? null) === null;
	if (isFlat && (says(chunk.message) || says(chunk.detail) || says(chunk.details))) return messageOf(chunk);
	return [event, chunk.type, chunk.object].includes("error") ? messageOf(value) : "";
}

/** OpenAI's {"error":{"message":...}}, {"error":"..."}, {"message":...}, {"detail":...}, ... */
function messageOf(value) {
	const nested = firstObject(value).error;
	if (typeof nested === "object" && says(nested)) value = nested;
	return findMessage(value) || JSON.stringify(value);
}

function findMessage(value, depth = DEPTH) {
	if (!depth) return asText(value);
	if (Array.isArray(value)) {
		return value.map((one) => findMessage(one, depth - 1)).filter(Boolean).join("; ");
	}
	if (!isObject(value)) return asText(value).trim();
	let message = "";
	for (const name of MESSAGES) message ||= findMessage(value[name], depth - 1);
	// pydantic: {"loc":["body","messages"],"msg":"Field required"}
	const place = asList(value.loc).map(asText).join(".");
	return place && message ? `${place}: ${message}` : message;
}
