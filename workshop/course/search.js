/*
 * The search over lessons and source: all words of the query must be in an entry of the index.
 *
 *     courseIndex                 [address, title, page, text], …: made by search.py
 *     findEntries(index, "chunk size")   the best entries first
 *
 * A word in a title counts more than one in a text, and the beginning of a word more than its middle.
 * The index is loaded when the reader begins to search. "/" goes to the search, the arrow keys to a
 * result, Enter opens it, Escape closes the list. This is a classic script, as copy.js is.
 */

"use strict";

{
	const MAX_RESULTS = 12;
	const SNIPPET = 110; // characters of text around the first match

	/** @returns {Array} the entries that have all words of the query, the best ones first */
	function findEntries(index, query, limit = MAX_RESULTS) {
		const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
		if (!wanted.length) return [];
		const found = [];
		index.forEach((entry, order) => {
			const [, title, page, text] = entry.map((part) => part.toLowerCase());
			let points = title === wanted.join(" ") ? 100 : 0;
			for (const word of wanted) {
				const best = Math.max(10 * at(title, word), 3 * at(page, word), at(text, word));
				if (!best) return;
				points += best;
			}
			found.push({ entry, points, order });
		});
		found.sort((a, b) => b.points - a.points || a.order - b.order);
		return found.slice(0, limit).map(({ entry }) => entry);
	}

	/** @returns {number} 2 if a word of the text begins so, 1 if the text has it elsewhere, else 0 */
	function at(text, word) {
		let place = text.indexOf(word);
		if (place < 0) return 0;
		for (; place >= 0; place = text.indexOf(word, place + 1)) {
			if (place === 0 || !/[\p{L}\p{N}]/u.test(text[place - 1])) return 2;
		}
		return 1;
	}

	/** @returns {string} the part of the text around the first word of the query */
	function snippetOf(text, query) {
		const place = text.toLowerCase().indexOf(query.toLowerCase().trim().split(/\s+/)[0]);
		const start = Math.max(0, Math.min(place - 30, text.length - SNIPPET));
		const end = start + SNIPPET;
		return (start ? "…" : "") + text.slice(start, end).trim() + (end < text.length ? "…" : "");
	}

	Object.assign(globalThis, { findEntries, snippetOf });

	if (globalThis.document) {
		// The script's own element names the index, whose addresses are relative to it.
		const href = new URL(document.currentScript.dataset.index, document.baseURI);
		const find = document.querySelector(".find");
		const input = find.querySelector("input");
		const list = find.querySelector("[role=listbox]");
		const status = find.querySelector("[role=status]");
		let loading = null;
		let chosen = -1;

		const load = () =>
			(loading ??= new Promise((resolve, reject) => {
				const script = document.createElement("script");
				script.src = href;
				script.onload = () => resolve(globalThis.courseIndex);
				script.onerror = () => {
					loading = null; // the next key tries again
					reject(new Error("not loaded"));
				};
				document.head.append(script);
			}));

		async function show() {
			const query = input.value;
			if (!query.trim()) return close();
			let entries;
			try {
				entries = findEntries(await load(), query);
			} catch {
				entries = null;
			}
			if (query !== input.value) return; // a later key has asked for something else
			chosen = -1;
			input.removeAttribute("aria-activedescendant");
			list.replaceChildren(...(entries ?? []).map((entry, number) => option(entry, query, number)));
			const { count, none, failed } = find.dataset;
			const told = entries?.length ? count.replace("{number}", entries.length) : entries ? none : failed;
			status.textContent = told;
			status.classList.toggle("unseen", Boolean(entries?.length));
			list.hidden = !entries?.length;
			input.setAttribute("aria-expanded", String(!list.hidden));
		}

		function option([address, title, page, text], query, number) {
			const link = document.createElement("a");
			link.id = `-found-${number}`;
			link.role = "option";
			link.tabIndex = -1;
			link.href = new URL(address, href);
			const rows = { b: title, small: page, span: snippetOf(text, query) };
			for (const [tag, words] of Object.entries(rows)) {
				if (words) link.append(Object.assign(document.createElement(tag), { textContent: words }));
			}
			return link;
		}

		function choose(number) {
			const options = [...list.children];
			options[chosen]?.setAttribute("aria-selected", "false");
			chosen = (number + options.length) % options.length;
			options[chosen].setAttribute("aria-selected", "true");
			options[chosen].scrollIntoView({ block: "nearest" });
			input.setAttribute("aria-activedescendant", options[chosen].id);
		}

		function close() {
			list.hidden = true;
			status.textContent = "";
			status.classList.add("unseen");
			input.setAttribute("aria-expanded", "false");
		}

		input.addEventListener("focus", () => load().catch(() => {}));
		input.addEventListener("input", show);
		input.addEventListener("keydown", (event) => {
			const isOpen = !list.hidden;
			if (event.key === "ArrowDown" && isOpen) choose(chosen + 1);
			else if (event.key === "ArrowUp" && isOpen) choose(chosen < 0 ? -1 : chosen - 1);
			else if (event.key === "Enter" && isOpen) list.children[Math.max(0, chosen)].click();
			else if (event.key === "Escape") close();
			else return;
			event.preventDefault();
		});
		document.addEventListener("keydown", (event) => {
			const isTyping = event.target.closest?.("input, select, textarea, [contenteditable]");
			if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey) return;
			event.preventDefault();
			input.focus();
		});
		document.addEventListener("click", (event) => {
			if (!find.contains(event.target) || event.target.closest("[role=option]")) close();
		});
	}
}
