/*
 * Scrolls with the text while the reader is at the bottom; otherwise the pill announces new text
 * below. Returns a function that starts to follow again.
 *
 * The card of a fault comes after the end of its answer. It may not push the answer out of the window:
 * the card's top stays below the upper third.
 */

import { find } from "./dom.js";

export function followText(conversation, pill) {
	const { documentElement: page } = document;
	let following = false; // an empty page begins at its top
	let lastScroll = 0;
	let height = 0;

	function toEnd() {
		const card = find(":scope > :last-child > .card", conversation);
		const most = card ? scrollY + card.getBoundingClientRect().top - innerHeight / 3 : Infinity;
		scrollTo(0, Math.min(page.scrollHeight, most));
	}

	const follow = () => {
		following = pill.hidden = true;
		toEnd();
	};
	pill.onclick = follow;
	window.onscroll = () => {
		const below = page.scrollHeight - page.clientHeight - scrollY;
		// Only the reader scrolls up. After scrolling down, a position near the end is enough.
		following = scrollY < lastScroll ? below < 2 : following || below < 100;
		lastScroll = scrollY;
		pill.hidden ||= following;
	};
	// A reader who opens the thoughts wants to read them.
	conversation.addEventListener("click", ({ target }) => {
		if (target.closest("summary")) following = false;
	});
	// This runs once a frame after layout, not once a token.
	new ResizeObserver(([{ contentRect }]) => {
		if (following) toEnd();
		else if (contentRect.height > height) pill.hidden = false;
		height = contentRect.height;
		lastScroll = scrollY;
	}).observe(conversation);
	return follow;
}
