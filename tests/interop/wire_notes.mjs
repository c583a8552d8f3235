/*
 * The notes of the wire pane and the time of the viewer, under Node, without a document:
 *
 *     node wire_notes.mjs servers/page        {"shown":[…],"reads":[…],…}
 */

import { load } from "./page_modules.mjs";

const folder = process.argv[2];
const [{ wireLog }, { pageOf }, verdict, { gapStatistics, meaningOf }, { timeControls }, { viewerWords }, { firstLine }, { inChinese }] = await Promise.all(
  ["wire/log.js", "wire/page.js", "wire/verdict.js", "viewer/meaning.js", "viewer/time.js", "viewer/words.js", "viewer/bytes.js", "wire/chinese-verdicts.js"].map(
    (name) => load(folder, name),
  ),
);
globalThis.document = { createElement: () => ({ append() {} }) };
globalThis.Option = class {};

const reply = {
  status: 200,
  url: "http://localhost:8000/v1/chat/completions",
  headers: new Headers({ "X-Wire": "/wire/req_1", "X-Wire-Verdict": "/xray" }),
};

/** Which answer the pane is to show, after each step: the record that the page's conversation has of it. */
function shown() {
  const log = wireLog();
  const told = [];
  const tell = (...what) => {
    log.tell(...what);
    told.push(log.current?.record ?? null);
  };
  const [first, second] = ["first", "second"];
  for (const record of [first, second]) {
    tell("start", `<${record}>`, record);
    tell("opened", reply, 0, {});
  }
  tell("shown", [["<first again>", first]]);
  tell("shown", [["<saved>", "saved"], ["<second again>", second]]);
  tell("start", "<third>", "third");
  tell("opened", { ...reply, headers: new Headers() }, 0, {});
  const articles = log.answers.map(({ article }) => article);
  tell("clear");
  return { told, articles, kept: log.answers.length };
}

/** The read of each row: the request, the head, two events, and a last chunk. */
function reads() {
  const answer = { askedAt: 0, reads: { at: [60, 90], end: [100, 250] }, tokens: { read: [] }, paints: {} };
  const bodies = [0, 0, 100, 250, 250];
  const page = pageOf(answer, { bodyOf: (row) => bodies[row] });
  return bodies.map((_, row) => page.readOf(row)?.number ?? 0);
}

/** What x-ray is told of an answer that broke. */
function judged() {
  const answer = {
    ...reply, askedAt: 1000, openedAt: 1002, headers: [], body: [new Uint8Array([65])],
    reads: { at: [1209], end: [1] }, isClosed: false, ending: { kind: "cut" },
    url: "https://localhost:8000/v1/chat/completions",
  };
  return verdict.recordingOf(answer).split("\n").map((line) => JSON.parse(line)).map(({ at, url, end }) => [at, url, end]);
}

function meanings(cases) {
  return cases.map(([sent, received]) => {
    const told = [sent, received].map((gaps) => {
      const statistics = gapStatistics();
      for (const gap of gaps ?? []) statistics.add(gap);
      return gaps && statistics;
    });
    return meaningOf(...told)[0];
  });
}

/** The place that the slider shows, and how many rows the list shows; and when a selected line is left. */
function places() {
  let left = 0;
  const recording = { length: 10, isOver: true, at: (row) => 1000 * row };
  const time = timeControls(recording, viewerWords("en"), { show() {}, left: () => (left += 1), isWrite: true });
  const told = [];
  const tell = () => told.push([time.slider.value, time.position, left]);
  time.update();
  tell();
  time.hold();
  time.choose(3); // a line of the fourth row is selected: all rows stay in the list
  tell();
  time.toggle(); // it plays from there on
  tell();
  time.choose(5);
  tell();
  time.go(2);
  tell();
  time.toEnd();
  tell();
  return told;
}

/** The first 200 bytes end inside 好. */
const line = () => firstLine(new TextEncoder().encode(`POST / HTTP/1.1\r\n\r\n${"你好".repeat(40)}`));

/** How a reply ended, in Chinese. */
function endings(ends) {
  const { ending } = viewerWords("zh-CN");
  return ends.map(ending);
}

const { gaps, verdicts, ends } = JSON.parse(process.argv[3]);
console.log(JSON.stringify({ shown: shown(), reads: reads(), judged: judged(), meanings: meanings(gaps), places: places(), line: line(), inChinese: verdicts.map(inChinese), endings: endings(ends) }));
