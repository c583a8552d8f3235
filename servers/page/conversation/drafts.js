/*
 * What the reader has typed and not sent, for each conversation. A new conversation's draft has the
 * name "".
 */

import { load, save } from "../store.js";

const MAX_DRAFTS = 20; // the oldest is dropped
const MAX_SIZE = 100_000; // UTF-16 code units of a draft; a longer one is not kept

const drafts = () => {
	const stored = load("drafts");
	return Array.isArray(stored) ? stored.filter((one) => typeof one?.[1] === "string") : [];
};

export function draftOf(id) {
	return drafts().find(([name]) => name === id)?.[1] ?? "";
}

/** An empty text deletes the draft. */
export function saveDraft(id, text) {
	const all = drafts();
	const others = all.filter(([name]) => name !== id);
	const isKept = text.trim() && text.length <= MAX_SIZE;
	if (!isKept && others.length === all.length) return;
	save("drafts", (isKept ? [[id, text], ...others] : others).slice(0, MAX_DRAFTS));
}
