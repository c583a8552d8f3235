/*
 * The wire pane of the chat page. The page takes notes of each answer always (wire/log.js); the pane is
 * loaded when there is something to show, and it is open.
 */

import { find } from "./dom.js";
import { paneToggle } from "./layout.js";
import { wireLog } from "./wire/log.js";

export function wirePane() {
	const log = wireLog();
	let pane = null;

	function show(isOpen) {
		if (isOpen && log.answers.length) {
			pane ??= import("./wire/wire.js").then(({ wirePane }) => wirePane(find("#wire .pane"), log));
		}
		pane?.then((loaded) => loaded.show(isOpen));
	}

	/** Says why there are no bytes: nothing was asked, or these answers are of an earlier time. */
	function explain(isOld) {
		find("[data-word=wireEmpty]").hidden = isOld;
		find("[data-word=wireOld]").hidden = !isOld;
	}

	function tell(what, ...values) {
		if (["start", "clear", "shown"].includes(what)) explain(what === "shown");
		log.tell(what, ...values);
		if (what === "opened" && isOpen()) show(true);
	}

	const { isOpen, toggle } = paneToggle(show);
	return { tell, toggle };
}
