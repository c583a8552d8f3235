/*
 * Where things are: the wire pane beside the text or below it, and each popover at its button.
 *
 *     <html>                      a column for the pane where there is room for two
 *     <html data-pane="closed">   none: the text has the whole width
 *     <html data-pane="open">     where there is no room, a sheet at the bottom
 */

import { find } from "./dom.js";
import { load, save } from "./store.js";

const { documentElement: root } = document;
const wide = matchMedia("(width >= 80rem)");

/** @param {Function} onToggle gets whether the pane is open, now and at each change */
export function paneToggle(onToggle) {
	const toggle = find("#toggle");

	function isOpen() {
		return wide.matches ? root.dataset.pane !== "closed" : root.dataset.pane === "open";
	}

	function show() {
		toggle.ariaExpanded = isOpen();
		onToggle(isOpen());
	}

	function set(open) {
		root.dataset.pane = open ? "open" : "closed";
		save("pane", root.dataset.pane);
		show();
	}

	// It opens again where there is room. A sheet covers a part of the text, so it is opened anew.
	root.dataset.pane = load("pane") === "closed" || !wide.matches ? "closed" : "open";
	wide.onchange = () => {
		root.dataset.pane = wide.matches && load("pane") !== "closed" ? "open" : "closed";
		show();
	};
	toggle.onclick = () => set(!isOpen());
	find("#hide").onclick = () => {
		set(false);
		toggle.focus();
	};
	show();
	return { isOpen, toggle: toggle.onclick };
}

/** Puts each popover at the button that opens it: below it, or above if the button is at the bottom. */
export function placePopovers() {
	for (const popover of document.querySelectorAll("[popover]")) {
		const button = find(`[popovertarget=${popover.id}]`);
		const place = () => {
			const { left, top, bottom } = button.getBoundingClientRect();
			const isBelow = top < innerHeight / 2;
			popover.dataset.side = isBelow ? "below" : "above";
			popover.style.setProperty("--left", `${left}px`);
			popover.style.setProperty("--from", `${isBelow ? bottom : innerHeight - top}px`);
		};
		popover.addEventListener("beforetoggle", place);
		addEventListener("resize", place);
	}
}
