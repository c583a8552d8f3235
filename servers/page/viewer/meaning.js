/*
 * What the gaps between pieces mean, in one sentence of words.js:
 *
 *     sent      | | | | | | | |        received  | | | | | | | |      "comb"
 *     sent      | | | | | | | |        received        |       |      "buffered"
 */

const FEW = 5; // fewer pieces cannot be compared
const TOGETHER = 5; // milliseconds: pieces that are this close were not paced
const LONG = 1000; // milliseconds of silence that a reader notices
const HELD = 200; // milliseconds: a busy browser does not hold pieces for so long
const BINS = 64; // of gaps, each a quarter longer than the one before; from 1 ms on

/** Counts gaps, however many, in a few numbers. */
export function gapStatistics() {
	const bins = new Uint32Array(BINS);
	const statistics = {
		count: 0,
		sum: 0,
		most: 0,
		add(gap) {
			statistics.count += 1;
			statistics.sum += gap;
			statistics.most = Math.max(statistics.most, gap);
			bins[Math.min(BINS - 1, gap < 1 ? 0 : 1 + Math.floor(Math.log(gap) / Math.log(1.25)))] += 1;
		},
		/** About how long the gap is that this share of all gaps does not exceed. */
		quantile(share) {
			let seen = 0;
			const bin = bins.findIndex((number) => (seen += number) >= share * statistics.count);
			return bin <= 0 ? 0.5 : 1.25 ** (bin - 0.5);
		},
	};
	return statistics;
}

/**
 * The name of a sentence, and its values.
 *
 * @param {object?} sent statistics of the server's gaps, if they are known
 * @param {object} received
 */
export function meaningOf(sent, received) {
	if (Math.max(sent?.count ?? 0, received.count) < FEW) return ["few"];
	if (!sent) {
		if (received.most >= HELD && received.most > 4 * received.quantile(0.5)) return ["tallReads", received.most];
		return [isEven(received) ? "evenReads" : "unevenReads"];
	}
	if (sent.quantile(0.9) < TOGETHER && sent.most < LONG / 4) return ["atOnce"];
	const pieces = sent.count / Math.max(1, received.count);
	// The largest gap of the server is its own; what is longer below was made on the way.
	if (pieces >= 2 && received.quantile(0.5) > 2 * sent.quantile(0.5)) {
		return [received.quantile(0.5) >= HELD ? "buffered" : "together", pieces];
	}
	if (sent.most >= LONG && sent.most > 4 * sent.quantile(0.5)) return ["paused", sent.most];
	if (received.most > 2 * sent.most + HELD) return ["held", received.most];
	return isEven(sent) && isEven(received) ? ["comb"] : ["uneven"];
}

/** As an eye sees it: few bars are half as high again as most, and none is three times as high. */
function isEven(gaps) {
	const usual = gaps.quantile(0.5);
	return gaps.quantile(0.9) <= 1.6 * usual && usual <= 1.6 * gaps.quantile(0.1) && gaps.most <= 3 * usual;
}
