/*
 * All texts of the page: english.js or chinese.js. The English texts of index.html are in that
 * file; `page` has their translation.
 */

import { isChinese, locale } from "./language.js";

const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 }).format;

export const { words, page = {} } = await import(isChinese ? "./chinese.js" : "./english.js");

/** Puts values in place of {}: say("tokens", 1000) is "1,000 tokens". */
export function say(name, ...values) {
	return words[name].replace(/\{\}([^{(]*)(\(s\))?/g, (_, text, plural) => {
		const value = values.shift();
		const shown = typeof value === "number" ? number(value) : value;
		return shown + text + (plural && value !== 1 ? "s" : "");
	});
}

export const noReply = (server) => say("noReply", server || location.origin);
