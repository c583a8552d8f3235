/*
 * One line of Markdown, while the marks at its beginning are read:
 *
 *     ">\t- a"    rest "- a", column 4, after the mark of a quotation and its space
 *
 * CommonMark 0.31.2 §2.1 and §2.2: "tabs behave as if they were replaced by spaces with a tab stop of
 * 4 characters", but a tab that belongs to the text stays a tab.
 */

export class Line {
	/** Where `rest` begins. */
	column = 0;

	constructor(rest) {
		this.rest = rest;
	}

	get isBlank() {
		return !/[^ \t]/.test(this.rest);
	}

	/** The rest without spaces or tabs around it. Other white space, such as U+3000, is text. */
	get text() {
		return trimmed(this.rest);
	}

	/** Width of the white space at its beginning, in columns. */
	get indent() {
		let width = 0;
		for (const char of this.rest) {
			if (char === " ") width += 1;
			else if (char === "\t") width += tabWidth(this.column + width);
			else break;
		}
		return width;
	}

	/** Removes a mark, which is not white space. */
	skip(length) {
		this.rest = this.rest.slice(length);
		this.column += length;
	}

	/** Removes white space of this width, or all that there is. A tab may be removed in part. */
	dedent(width) {
		for (let left = width; left > 0 && /^[ \t]/.test(this.rest); ) {
			const columns = this.rest[0] === "\t" ? tabWidth(this.column) : 1;
			const removed = Math.min(columns, left);
			this.rest = " ".repeat(columns - removed) + this.rest.slice(1);
			this.column += removed;
			left -= removed;
		}
	}
}

const tabWidth = (column) => 4 - (column % 4);

/** Without spaces or tabs at both ends. One pattern for the end would take quadratic time. */
export function trimmed(text) {
	let end = text.length;
	while (end && " \t".includes(text[end - 1])) end -= 1;
	return text.slice(text.search(/[^ \t]|$/), end);
}
