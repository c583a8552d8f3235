/*
 * A model's headings begin at any level and skip some. What a screen reader lists begins below the
 * page's own heading, and skips none:
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
