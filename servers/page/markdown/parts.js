/*
 * Parts: a long text is split, so that the browser lays out each part alone.
 *
 *     part {children: [{at: 0, text: "a "}, {at: 2, text: "*"}, …], marks: [em of 2–5]}
 *       ->  "a ", {tag: "em", children: …}
 *
 * Only the text decides where a part ends, not how it arrived. A mark of emphasis.js is an interval
 * of the whole text; every part that it covers has it in `marks`.
 */

const PART = 2000; // characters; the first space after them ends the part
const MAX_PART = 3000; // if there is no space

export const newPart = () => ({ marks: [], size: 0 });

/**
 * Adds the beginning of a token to a part.
 *
 * @param {object} part its size, and its pieces as `children`
 * @param {object} token {at, text}, {at, nodes, length} or {at, run} (inline.js)
 * @param {RegExp} space ends a part
 * @returns {{added: object?, later: object?, isFull: boolean}} the token's halves
 */
export function fillPart(part, token, space) {
	const end = endOfPart(part.size, token.text, space);
	const [added, later] = end === null ? [token, null] : cutToken(token, end);
	if (added) {
		addPieces(part, added);
		part.size += (added.text ?? added.run ?? added).length;
	}
	return { added, later, isFull: end !== null };
}

/** Where a part of this size ends in the added text; null if it does not end there. */
function endOfPart(size, text = "", space) {
	const from = Math.max(0, PART - size);
	const place = text.slice(from, Math.max(0, MAX_PART - size)).search(space);
	if (place >= 0) return from + place + 1;
	const end = Math.max(0, MAX_PART - size);
	if (text ? text.length <= end : size < MAX_PART) return null;
	return end + /[\udc00-\udfff]/.test(text[end]); // not inside a character
}

function cutToken(token, end) {
	if (token.text === undefined) return [null, token];
	const { at, text } = token;
	const later = end < text.length ? { at: at + end, text: text.slice(end) } : null;
	return [end ? { at, text: text.slice(0, end) } : null, later];
}

/** Each delimiter becomes its own piece. */
export function addPieces(part, { at, text, nodes, run }) {
	if (!run) part.children.push({ at, text, nodes });
	for (let index = 0; index < run?.length; index += 1) {
		part.children.push({ at: at + index, text: run.char });
	}
}

/**
 * Converts a part to strings and {tag, children}.
 *
 * @param {object} part its pieces as `children`: {at, text} or {at, nodes}; and `marks`
 */
export function nodesOf({ children: pieces, marks }) {
	const inOrder = [...marks].sort((one, other) => one.from - other.from || other.to - one.to);
	const open = [{ from: 0, to: Infinity, width: 0, children: [] }];
	let next = 0;
	for (const { at, text, nodes = [text] } of pieces) {
		while (open.at(-1).to <= at) open.pop();
		for (; inOrder[next]?.from <= at; next += 1) {
			const element = { tag: inOrder[next].tag, children: [] };
			open.at(-1).children.push(element);
			open.push({ ...inOrder[next], children: element.children });
		}
		const { from, to, width, children } = open.at(-1);
		const isDelimiter = at < from + width || at >= to - width;
		for (const node of isDelimiter ? [] : nodes) addNode(children, node);
	}
	return open[0].children;
}

function addNode(nodes, node) {
	const last = nodes.length - 1;
	if (typeof node === "string" && typeof nodes[last] === "string") nodes[last] += node;
	else if (node !== "") nodes.push(node);
}
