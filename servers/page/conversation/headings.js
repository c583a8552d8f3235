/*
 * A model's headings may begin at any level, and may skip levels. In the list of a screen reader
 * they begin one level below the page's own heading, and skip no level:
 *
 *     # One  ###### Six  ## Two     ->     aria-level 2, 3, 3
 */

/** @param {HTMLElement} article a finished answer */
export function levelHeadings(article) {
	let level = 1; // of the page's heading
	for (const heading of article.querySelectorAll(".markdown :is(h1, h2, h3, h4, h5, h6)")) {
		level = Math.min(Number(heading.tagName[1]) + 1, level + 1, 6);
		heading.ariaLevel = level;
	}
}
