// llhttp, the parser of Node: a chunked body in a response, read by Node's own client.
import { request } from "node:http";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

function read(data, splits) {
  return new Promise((done) => {
    let ended = false;
    const socket = new Duplex({ read() {}, write: (chunk, encoding, next) => next() });
    const fail = (error) => done({ ok: false, at_end: ended, error: error.message });
    const asking = request({ createConnection: () => socket }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece)).on("error", fail);
      response.on("end", () => {
        const body = Buffer.concat(pieces).toString("base64");
        done({ ok: true, body });
      });
    });
    asking.on("error", (error) => setImmediate(fail, error)).end(); // "end" comes first
    socket.push(HEAD);
    const places = [0, ...splits, data.length];
    for (let at = 1; at < places.length; at += 1) {
      if (places[at] > places[at - 1]) socket.push(data.subarray(places[at - 1], places[at]));
    }
    setImmediate(() => setImmediate(() => ((ended = true), socket.push(null))));
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, bytes, splits } = JSON.parse(line);
  console.log(JSON.stringify({ id, ...(await read(Buffer.from(bytes, "base64"), splits)) }));
}
