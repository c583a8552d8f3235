/*
 * Which addresses become links: only those of web pages and of email.
 *
 *     https://example.org/    http://…    mailto:a@example.org
 *
 * A link to anything else stays text: `javascript:` would run here, and `/path` has no meaning,
 * because an answer has no address of its own.
 */

const ALLOWED = /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu;

/** The address as a link has it; null if it may not become one. */
export function hrefOf(address) {
	const href = address.replaceAll(" ", "%20");
	return ALLOWED.test(href) ? href : null;
}
