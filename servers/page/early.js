/*
 * Runs before the first paint: a pane that the reader has closed is not painted first and then taken
 * away. Without this file, the page is painted with the pane.
 */

try {
	if (localStorage["workshop.pane"] === '"closed"') document.documentElement.dataset.pane = "closed";
} catch {
	// Storage is off.
}
