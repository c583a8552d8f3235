// llhttp, the parser of Node: a chunked body in a response, read by Node's own client.
import { request } from "node:http";
import { Duplex } from "node:stream";
import { answerLines, piecesOf } from "./lines.mjs";

const HEAD = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

function read(asked) {
  return new Promise((done) => {
    let ended = false;
    const socket = new Duplex({ read() {}, write: (chunk, encoding, next) => next() });
    const fail = (error) => done({ ok: false, at_end: ended, error: error.message });
    const asking = request({ createConnection: () => socket }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece)).on("error", fail);
      response.on("end", () => {
        done({ ok: true, body: Buffer.concat(pieces).toString("base64") });
      });
    });
    asking.on("error", (error) => setImmediate(fail, error)).end(); // "end" comes first
    socket.push(HEAD);
    for (const piece of piecesOf(asked)) if (piece.length) socket.push(piece);
    setImmediate(() => setImmediate(() => ((ended = true), socket.push(null))));
  });
}

await answerLines(read);
