/*
 * A chat stream as its reader needs it: one event in, what it adds to the answer out.
 *
 *     {..."choices":[{"index":0,"delta":{"content":"你"},...}]}  ->  {text: "你", ...}
 *     {"error":{"message":"overloaded"}}                        ->  {error: "overloaded", ...}
 *
 * Any JSON is read, whoever's server it is from: what has another type, is null, is missing or
 * unknown adds nothing, and what stands beside it is read all the same. protocol/openai/deltas.py does the
 * same for Python, and tests/vectors/deltas.json is for both.
 */

/** @typedef {{text: string, thinking: string, finishReason: string, error: string}} Delta */

// Names of thinking: of DeepSeek; OpenRouter and newer vLLM; OpenRouter; Ollama; LiteLLM.
const THINKING = ["reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks"];
// Where a part has its words, or more parts.
const WORDS = ["text", "value", "content", "refusal", "thinking", "reasoning", "summary"];
// Where an error has its words, the best first.
const MESSAGES =
	"message detail details msg error_description error errors title description reason".split(" ");
const DEPTH = 8; // levels of parts in parts

// ---- Any value in, the type that is wanted out

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const asObject = (value) => (isObject(value) ? value : {});
export const asList = (value) => (isObject(value) ? [value] : Array.isArray(value) ? value : []);
export const asText = (value) => (["string", "number"].includes(typeof value) ? String(value) : "");
/** Whether it says anything: not null, false, 0, or empty. */
const says = (value) => Boolean(typeof value === "object" ? Object.keys(value ?? {}).length : value);
const firstObject = (value) => asList(value).find(isObject) ?? {};

/**
 * Reads the data of one event; one of the type "error" is an error, whatever its data are.
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
		return { text: "", thinking: "", finishReason: "", error: readFailure(data) || event };
	}
	const chunk = firstObject(value);
	const choices = asList(chunk.choices).filter(isObject);
	// Some count from 1. An event with the usage has none.
	const choice = choices.find(({ index }) => !(Number(asText(index)) >= 1)) ?? choices[0] ?? {};
	const delta = choice.delta ?? choice.message ?? choice.text; // "text": of the API before chat
	const fields = says(asObject(delta)) ? delta : { content: delta };
	const words = ["", "", ""];
	collect(words, fields.content);
	for (const name of THINKING) {
		if (!words[1]) words[1] = collect(["", "", ""], fields[name]).join("");
	}
	const reason = choice.finish_reason;
	return {
		text:
			(words[0] || asText(asObject(fields.audio).transcript)) + (words[2] || asText(fields.refusal)),
		thinking: words[1],
		finishReason: typeof reason === "string" && reason !== "null" ? reason : "",
		error: errorOf(value, chunk, choice, event),
	};
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

/** What a server says in place of an answer, in its own words, if a person could read them. */
export function readFailure(body) {
	const text = body.trim().replace(/^data:/, ""); // an event stream of one event
	let value;
	try {
		value = JSON.parse(text);
	} catch {
		// Of HTML, or of XML.
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
