// The line protocol of the adapters in JavaScript: see lines.py.
import { createInterface } from "node:readline";

// Call `read` with each vector. Print what it returns.
export async function answerLines(read) {
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    console.log(JSON.stringify({ id: asked.id, ...(await read(asked)) }));
  }
}

// The bytes of a vector, cut at its `splits`.
export function piecesOf({ bytes, splits }) {
  const data = Buffer.from(bytes, "base64");
  const ends = [...splits, data.length];
  return ends.map((end, number) => data.subarray(ends[number - 1] ?? 0, end));
}
