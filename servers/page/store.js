/*
 * What the browser keeps in localStorage, as JSON: settings, conversations, drafts. A value that
 * the storage does not take is kept in memory, as long as the page.
 *
 * Any page of this origin may have written there, so a reader of a value trusts nothing in it.
 */

const PREFIX = "workshop.";

const unsaved = new Map(); // what the storage did not take, or has no longer

/** @returns {any} any JSON, or undefined */
export function load(name) {
	if (unsaved.has(name)) return unsaved.get(name);
	try {
		return JSON.parse(localStorage.getItem(PREFIX + name)) ?? undefined;
	} catch {
		return undefined; // no storage, or not JSON
	}
}

/** Returns whether the storage took it. */
export function save(name, value) {
	try {
		localStorage.setItem(PREFIX + name, JSON.stringify(value));
		unsaved.delete(name);
		return true;
	} catch {
		keep(name, value);
		return false;
	}
}

/** Keeps a value in memory only. */
export function keep(name, value) {
	unsaved.set(name, value);
}

export function remove(name) {
	unsaved.delete(name);
	try {
		localStorage.removeItem(PREFIX + name);
	} catch {
		// No storage.
	}
}

/** The names of all values that begin with this text. */
export function names(start) {
	let stored = [];
	try {
		stored = Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index));
	} catch {
		// No storage.
	}
	const ours = stored.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
	return [...new Set([...ours, ...unsaved.keys()])].filter((name) => name.startsWith(start));
}

/** Size of a stored value, in UTF-16 code units of JSON. */
export function sizeOf(name) {
	try {
		return localStorage.getItem(PREFIX + name)?.length ?? 0;
	} catch {
		return 0;
	}
}
