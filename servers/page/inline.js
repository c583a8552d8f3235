/*
 * Inline Markdown: the text of a block becomes strings and nodes.
 *
 *     a **b** `c`   ->   ["a ", {tag: "strong", children: ["b"]}, " ", {tag: "code", …}]
 *
 * Tags are strong, em, del, code, a and br, and no other: HTML is text. A picture is a link, for
 * nothing is loaded from elsewhere. What leads to no http, https or mailto address stays Markdown.
 */

/** How many characters were looked at, in all: a test counts them. */
export const work = { characters: 0 };

const MAX_DEPTH = 8; // marks inside marks; deeper ones are text
const HREF = /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu;
const SIGNS = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0" };

// No two alternatives begin with the same character, so that no text is tried twice.
const INSIDE = String.raw`(?:\\[^]|\`[^\`]*\`|[^\\\`])+?`;
const INSIDE_EM = String.raw`(?:\\[^]|\`[^\`]*\`|\*\*[^*]+\*\*|[^\\\`*])+?`;
const LABEL = String.raw`(?:\\[^]|\`[^\`]*\`|\[[^\]]{0,300}\]|[^\\\`[\]])*`;
const ADDRESS = String.raw`<?(?<href>(?:\\[^]|\([^()\s]*\)|[^\s()<>\\])+)>?`;

const MARK = new RegExp(
	[
		String.raw`\\(?<escaped>[!-/:-@[-\`{-~])`,
		String.raw`(?<br> {2,}\n|\\\n)`,
		String.raw`(?<!\`)(?<ticks>\`+)(?!\`)(?<code>[^]*?[^\`])\k<ticks>(?!\`)`,
		String.raw`!?\[(?<label>${LABEL})\]\(\s*${ADDRESS}(?:\s+(?:"(?:\\[^]|[^"\\])*"|'[^']*'))?\s*\)`,
		String.raw`(?<![\w/])(?<url>https?:\/\/[^\s<>\`*"\u3000-\u303f\uff00-\uffef]+)`,
		String.raw`\*\*(?=\S)(?<strong>${INSIDE})(?<=\S)\*\*(?!\*)`,
		String.raw`(?<!\w)__(?=\S)(?<strong_>${INSIDE})(?<=\S)__(?!\w)`,
		String.raw`\*(?=[^\s*])(?<em>${INSIDE_EM})(?<=\S)\*(?!\*)`,
		String.raw`(?<!\w)_(?=[^\s_])(?<em_>${INSIDE})(?<=\S)_(?!\w)`,
		String.raw`~~(?=\S)(?<del>${INSIDE})(?<=\S)~~`,
		String.raw`&(?<sign>amp|lt|gt|quot|nbsp);`,
	].join("|"),
	"g",
);

/** `depth` is that of the marks around it; in a link another one is its text only. */
export function parseInline(text, depth = 0, inLink = false) {
	if (depth === 0) work.characters += text.length;
	const nodes = [];
	const add = (node) => {
		const last = nodes.length - 1;
		if (typeof node === "string" && typeof nodes[last] === "string") nodes[last] += node;
		else if (node !== "") nodes.push(node);
	};
	let end = 0;
	for (const match of depth < MAX_DEPTH ? text.matchAll(MARK) : []) {
		add(text.slice(end, match.index));
		for (const node of readMark(match, depth + 1, inLink)) add(node);
		end = match.index + match[0].length;
	}
	add(text.slice(end));
	return nodes;
}

function readMark(match, depth, inLink) {
	const { escaped, br, ticks, code, label, href, url, sign, ...marks } = match.groups;
	if (escaped) return [escaped];
	if (br) return [{ tag: "br", children: [] }];
	if (code) return [{ tag: "code", children: [code.replaceAll("\n", " ").replace(/^ (.+) $/, "$1")] }];
	if (sign) return [SIGNS[sign]];
	if (label !== undefined) {
		const to = href.replace(/\\([!-/:-@[-`{-~])/g, "$1");
		if (!HREF.test(to)) return [match[0]];
		const children = parseInline(label || to, depth, true);
		return inLink ? children : [{ tag: "a", href: to, children }];
	}
	if (url) {
		// What follows an address in a sentence is not part of it: (see https://example.org/).
		const [to] = /^.*?(?=[.,:;!?'_~\]]*$)/.exec(url.includes("(") ? url : url.replace(/\).*/, ""));
		return [inLink ? to : { tag: "a", href: to, children: [to] }, url.slice(to.length)];
	}
	const [name, inside] = Object.entries(marks).find((mark) => mark[1]);
	return [{ tag: name.replace("_", ""), children: parseInline(inside, depth, inLink) }];
}
