/*
 * The language that the reader chose for the page: "en", "zh-CN", or "" for the browser's. The pages of
 * the course keep a language, too (workshop.language), and a choice here is one for them.
 */

import { load, remove, save } from "../store.js";

const LANGUAGES = ["en", "zh-CN"];
const COURSE = "workshop.language"; // not JSON: workshop/course/language.js

/** What this page was loaded with. */
export const shown = chosenLanguage();
export const isChinese = /^zh/i.test(shown || navigator.language);
export const locale = isChinese ? "zh-CN" : "en";

export function chosenLanguage() {
	const kept = load("page-language");
	return LANGUAGES.includes(kept) ? kept : "";
}

export function chooseLanguage(language) {
	if (!LANGUAGES.includes(language)) remove("page-language");
	else save("page-language", language);
	try {
		if (language) localStorage[COURSE] = language;
		else delete localStorage[COURSE];
	} catch {
		// No storage.
	}
}
