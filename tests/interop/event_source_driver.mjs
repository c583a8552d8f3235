/*
 * Drives an EventSource, Chromium's own or the page's, through the cases of the contract tests:
 *
 *     GET /next     {"do":"open","id":"7","stream":"…","callback":"…","types":["greeting"]}
 *                   {"do":"close","id":"7"}                     or null: there will be no more
 *
 * The test answers this question when a case begins or ends (driven.py). What the EventSource
 * reports goes to the callback of the case, as the service of the contract tests would send it.
 */

export async function drive(EventSource, base) {
  const sources = new Map();
  for (;;) {
    const next = await (await fetch(`${base}/next`)).json();
    if (next === null) return;
    if (next.do === "open") sources.set(next.id, open(EventSource, next));
    else sources.get(next.id).close();
  }
}

function open(EventSource, { stream, callback, types }) {
  const source = new EventSource(stream);
  let told = 0;
  const tell = (seen) => {
    told += 1;
    const body = JSON.stringify(seen);
    // A case that has ended needs no report.
    fetch(`${callback}/${told}`, { method: "POST", body }).catch(() => {});
  };
  for (const type of ["message", ...types]) {
    source.addEventListener(type, ({ type, data, lastEventId: id }) => {
      tell({ kind: "event", event: { type, data, id } });
    });
  }
  source.addEventListener("error", () => tell({ kind: "error", error: "error" }));
  return source;
}
