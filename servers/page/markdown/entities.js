/*
 * Character references and escapes: `&copy;`, `&#169;` and `&#xa9;` are ©, and `\*` is *.
 *
 * CommonMark 0.31.2 §2.4 and §2.5. HTML has 2,125 names, and the browser knows them all, so it
 * looks them up. This is safe: it reads only a name of letters and digits between & and ;, in an
 * element that can hold only text.
 */

export const PUNCTUATION = String.raw`[!-/:-@[-\`{-~]`;

/** The source of a pattern that matches a possible reference. */
export const REFERENCE = String.raw`&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-zA-Z][a-zA-Z0-9]{1,31});`;

const ESCAPED = new RegExp(String.raw`\\(${PUNCTUATION})|${REFERENCE}`, "g");
const reader = document.createElement("textarea");

/** The character of a reference; an unknown one stays as it is. */
export function characterOf(reference) {
	if (reference[1] !== "#") return characterNamed(reference);
	const digits = reference.slice(2, -1);
	const code = /^x/i.test(digits) ? parseInt(digits.slice(1), 16) : parseInt(digits, 10);
	// "Invalid Unicode code points will be replaced by […] U+FFFD", and so is U+0000.
	const isCharacter = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
	return String.fromCodePoint(isCharacter ? code : 0xfffd);
}

function characterNamed(reference) {
	reader.innerHTML = reference;
	// A name gives one or two code units. HTML would also read `&notit;` as ¬ and `it;`.
	return reader.value.length < 3 ? reader.value : reference;
}

/** "Any ASCII punctuation character may be backslash-escaped", and references are characters. */
export function unescaped(text) {
	return text.replace(ESCAPED, (all, escaped) => escaped ?? characterOf(all));
}
