/*
 * Runs before the first paint, so that nothing is painted first and then taken away: a pane that the
 * reader has closed, and the first screen of an address that has a conversation (/?chat=k3x9w2ab).
 * Without this file, both are painted.
 */

{
	const { dataset } = document.documentElement;
	if (/[?&]chat=/.test(location.search)) dataset.chat = "";
	try {
		if (localStorage["workshop.pane"] === '"closed"') dataset.pane = "closed";
	} catch {
		// Storage is off.
	}
}
