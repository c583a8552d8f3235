"""The words of the figures in English, by their keys: `figure.NAME.…`."""

__all__ = ["FIGURES"]

KIT = {
    "figure.kit.label": "An experiment",
    "figure.kit.run": "See",
    "figure.kit.again": "Again",
    "figure.kit.stop": "Stop",
    "figure.kit.running": "…",
    "figure.kit.stopped": "Stopped.",
    "figure.kit.yes": "As you said. ",
    "figure.kit.no": "Not as you said. ",
    "figure.kit.failed": "The experiment did not run. Is the server still there?",
}

CHUNK = {
    "figure.chunk.question": (
        "A server sends a word as one chunk. Type the word, and the number that you expect in "
        "front of it."
    ),
    "figure.chunk.word": "The word",
    "figure.chunk.guess": "The number",
    "figure.chunk.right": (
        "Yes: {word} is {bytes} bytes long (characters: {characters}), and the size says {size} in "
        "hexadecimal."
    ),
    "figure.chunk.wrong": (
        "Not {guess}, but {size}: {word} is {bytes} bytes long (characters: {characters}). The "
        "size counts bytes, in hexadecimal."
    ),
    "figure.chunk.still": (
        "The chunk of 你, and the end of the body: the size counts bytes, in hexadecimal."
    ),
}

CUT = {
    "figure.cut.question": (
        "An event stream arrives in two pieces. You choose where the first piece ends: it may be "
        "inside a line, or inside a character."
    ),
    "figure.cut.guess": "How many events do the two pieces give, compared with one piece?",
    "figure.cut.guess.more": "more",
    "figure.cut.guess.same": "the same number",
    "figure.cut.guess.fewer": "fewer",
    "figure.cut.cut": "Move the cut: here, with the arrow keys, or in the bytes",
    "figure.cut.counts": "Events of the first piece: {first}. Of the second one: {second}.",
    "figure.cut.inside": "The cut is inside a character: the parser waits for its other bytes.",
    "figure.cut.right": "Yes: wherever you cut, there are {total} events.",
    "figure.cut.wrong": "There are {total} events, the same number, wherever you cut.",
    "figure.cut.still": (
        "A cut inside the four bytes of 🌊: the first piece gives one event, the second one the "
        "other two. No cut changes their sum."
    ),
}

LEAVING = {
    "figure.leaving.question": (
        "A server sends you a token every 0.3 seconds. After the first one you disconnect. When "
        "does the server know?"
    ),
    "figure.leaving.how": "You",
    "figure.leaving.how.fin": "send a FIN, and read on",
    "figure.leaving.how.close": "close the connection",
    "figure.leaving.how.rst": "reset it (RST)",
    "figure.leaving.guess": "The server knows",
    "figure.leaving.guess.at-once": "at once",
    "figure.leaving.guess.next-write": "at its next write",
    "figure.leaving.guess.never": "never: it sends all tokens",
    "figure.leaving.client": "you",
    "figure.leaving.server": "the server",
    "figure.leaving.read": "you read token {number}",
    "figure.leaving.write": "the server writes token {number}",
    "figure.leaving.stopped": "the server stops its model",
    "figure.leaving.finished": "the answer is complete",
    "figure.leaving.told.fin": (
        "A FIN says only that you will send nothing more. The server cannot see the difference, so "
        "it sends everything."
    ),
    "figure.leaving.told.close": (
        "Your FIN did not tell the server that you had stopped reading. Its next write succeeded, "
        "your kernel answered with an RST, and the server's kernel reported that at once."
    ),
    "figure.leaving.told.rst": "An RST is unmistakable: the server stopped without another write.",
    "figure.leaving.still": (
        "You close (✕) after token 1. The server writes token 2, gets an RST for it, and stops its "
        "model (■)."
    ),
}

HOP = {
    "figure.hop.question": (
        "A server writes ten events, one every 0.15 seconds. Put a hop between it and you. When do "
        "the events arrive?"
    ),
    "figure.hop.mode": "The hop",
    "figure.hop.mode.none": "relays at once",
    "figure.hop.mode.buffer": "reads the whole body first",
    "figure.hop.mode.rechunk": "writes blocks of 120 bytes",
    "figure.hop.mode.lag": "reads lines",
    "figure.hop.mode.gzip": "compresses, and does not flush",
    "figure.hop.mode.truncate": "closes after 150 bytes",
    "figure.hop.guess": "You get",
    "figure.hop.guess.live": "each event at once",
    "figure.hop.guess.late": "each event with the next one",
    "figure.hop.guess.lumps": "several at a time",
    "figure.hop.guess.end": "all of them at the end",
    "figure.hop.guess.cut": "only the first ones",
    "figure.hop.server": "the server wrote",
    "figure.hop.you": "you got",
    "figure.hop.event": "event {number}",
    "figure.hop.complete": "the body is complete",
    "figure.hop.cut": "cut off: no last chunk",
    "figure.hop.told.none": "The hop held an event for {held} s on average: nothing buffers here.",
    "figure.hop.told.buffer": (
        "The hop held an event for {held} s on average. On its upstream side the stream is healthy."
    ),
    "figure.hop.told.rechunk": (
        "The hop held an event for {held} s on average: it writes when its block is full."
    ),
    "figure.hop.told.lag": (
        "The hop held an event for {held} s on average: the time until the next one."
    ),
    "figure.hop.told.gzip": (
        "The hop held an event for {held} s on average. The compressor had them all, and waited "
        "for more bytes."
    ),
    "figure.hop.told.truncate": (
        "You got {events} events, and no last chunk: so you know that the body was cut off."
    ),
    "figure.hop.still": (
        "A hop that reads the whole body first: the server wrote each event in time, and you got "
        "all of them at the end."
    ),
}

SEAM = {
    "figure.seam.question": (
        "An answer of four words is on its way. Cut the wire where you like: the client asks "
        "again, and says what it has."
    ),
    "figure.seam.at": "Move the cut: here, with the arrow keys, or in the bytes",
    "figure.seam.guess": "The client then sends Last-Event-ID:",
    "figure.seam.none": "none",
    "figure.seam.connection": "connection {number}",
    "figure.seam.told": (
        "{id} is the last event whose blank line had arrived. The half event was dropped and sent "
        "again, so each word is there once: “{text}”."
    ),
    "figure.seam.told.none": (
        "No event was complete, so the client has no id, and the answer starts again: “{text}”."
    ),
    "figure.seam.still": (
        "The cut is inside the third event, after its id. The event was not complete, so the "
        "client sends the id of the second one."
    ),
}

READER = {
    "figure.reader.question": (
        "A model can make 50 tokens a second, and you read fewer. Six seconds later, how many has "
        "it made? Move your speed while it runs."
    ),
    "figure.reader.rate": "Your speed, in tokens a second:",
    "figure.reader.guess": "The model has made",
    "figure.reader.guess.all": "300: it does not wait",
    "figure.reader.guess.ahead": "a few more than you have read",
    "figure.reader.guess.same": "exactly as many as you have read",
    "figure.reader.chart": "Tokens over six seconds: read, and on the way",
    "figure.reader.counts": "made {made} · read {read} · on the way {waiting}",
    "figure.reader.waiting": "made, and on the way",
    "figure.reader.read": "read by you",
    "figure.reader.most": "{most} tokens",
    "figure.reader.told.same": (
        "The model made {made} tokens, and you have read them all: it is you who waits now."
    ),
    "figure.reader.told.ahead": (
        "The model made {made} tokens, and you have read {read}. The other {waiting} are in the "
        "buffers of the two kernels. When these are full, the model waits for you."
    ),
    "figure.reader.still": (
        "Six seconds: at first the reader keeps up, then it slows down. The model follows, a few "
        "tokens ahead: those that the kernels' buffers hold."
    ),
}

WHEEL = {
    "figure.wheel.question": (
        "Each stream sends 20 tokens a second, and one loop makes them all, in slots of 5 ms. How "
        "often does the loop wake up?"
    ),
    "figure.wheel.streams": "Streams",
    "figure.wheel.streams.1": "1",
    "figure.wheel.streams.100": "100",
    "figure.wheel.streams.1000": "1,000",
    "figure.wheel.guess": "It wakes up",
    "figure.wheel.guess.20": "20 times a second",
    "figure.wheel.guess.200": "200 times a second",
    "figure.wheel.guess.20000": "20,000 times a second",
    "figure.wheel.tokens": "tokens a second",
    "figure.wheel.wakes": "wake-ups a second",
    "figure.wheel.together": "tokens at each wake-up",
    "figure.wheel.late": "p99 lateness",
    "figure.wheel.told.1": (
        "One wake-up for each token. A token took {processor} µs of processor time, most of it to "
        "wake up."
    ),
    "figure.wheel.told.100": (
        "At most one wake-up for each slot, and a second has 200 slots. A token took "
        "{processor} µs of processor time."
    ),
    "figure.wheel.told.1000": (
        "Ten times the streams of 100, and no more wake-ups: a second has only 200 slots. A token "
        "took {processor} µs of processor time."
    ),
    "figure.wheel.still": (
        "100 streams on the wheel: ten are due in each slot of 5 ms. The loop wakes up 200 times a "
        "second, and makes ten tokens each time."
    ),
}

PIPE = {
    "figure.pipe.question": (
        "A program prints five tokens into a pipe, one every 0.2 seconds. In how many pieces does "
        "the reader get them?"
    ),
    "figure.pipe.how": "The program calls",
    "figure.pipe.how.print": "print(token)",
    "figure.pipe.how.flush": "print(token, flush=True)",
    "figure.pipe.guess": "The reader gets",
    "figure.pipe.guess.one": "one piece, at the end",
    "figure.pipe.guess.five": "five pieces, each in time",
    "figure.pipe.program": "the program prints",
    "figure.pipe.you": "you get",
    "figure.pipe.printed": "token {number} is printed",
    "figure.pipe.read": "a read of {bytes} bytes",
    "figure.pipe.told.print": (
        "The program made each token in time. Its output waited in a buffer until the program "
        "ended."
    ),
    "figure.pipe.told.flush": "A flush empties the buffer after each token.",
    "figure.pipe.still": (
        "Without a flush, the reader gets all 28 bytes in one piece, when the program ends."
    ),
}

ENVELOPE = {
    "figure.envelope.question": (
        "The model repeats your word, through POST /v1/chat/completions. How many bytes does the "
        "server send for its first token?"
    ),
    "figure.envelope.word": "The word",
    "figure.envelope.guess": "Bytes",
    "figure.envelope.told": (
        "You said {guess}. “{token}” has {text} bytes, and the event that carries it {bytes}: "
        "{times} times as many."
    ),
    "figure.envelope.nothing": "There is no token in this answer.",
    "figure.envelope.still": "A token of three bytes, in its JSON, in its event.",
}

LISTENER = {
    "figure.listener.question": (
        "A server streams your sentence through TLS, token by token. A listener on the network "
        "sees only encrypted records. Of how many tokens does it know the length?"
    ),
    "figure.listener.sentence": "The sentence",
    "figure.listener.guess": "The listener knows",
    "figure.listener.guess.none": "none",
    "figure.listener.guess.some": "some",
    "figure.listener.guess.all": "all of them",
    "figure.listener.record": "{bytes} bytes sent",
    "figure.listener.told": (
        "{right} of {all} lengths are right. TLS hides the bytes, and not their number: the same "
        "number of bytes surrounds every token."
    ),
    "figure.listener.still": (
        "The length of each record, the length of the token that the listener computes from it, "
        "and the token that it cannot read."
    ),
}

FIGURES = PIPE | ENVELOPE | LISTENER | KIT | CHUNK | CUT | LEAVING | READER | HOP | SEAM | WHEEL
