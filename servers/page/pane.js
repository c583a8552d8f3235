/*
 * The wire pane of the chat page. It is loaded when it is first open while an answer is recorded;
 * until then the calls of the last answer are kept for it.
 */

import { find } from "./dom.js";
import { paneToggle } from "./layout.js";

export function wirePane() {
	let pane = null;
	let calls = []; // of the last answer: what, and values

	function show(isOpen) {
		if (isOpen && calls.length) load();
		pane?.then(() => (find("#wire details").open = isOpen));
	}

	function load() {
		pane ??= import("./wire.js").then(({ wirePane }) => {
			find("#wire .empty").remove();
			const made = wirePane(find("#wire .pane"), true);
			for (const [what, ...values] of calls) made[what]?.(...values);
			return made;
		});
	}

	function tell(what, ...values) {
		if (pane) return pane.then((loaded) => loaded[what]?.(...values));
		if (what === "start") calls = [];
		calls.push([what, ...values]);
		if (isOpen() && what === "opened" && values[0].headers.has("X-Wire")) load();
	}

	const { isOpen, toggle } = paneToggle(show);
	return { tell, toggle };
}
