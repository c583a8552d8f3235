"""The figures of the lessons: the reader predicts, presses a button, and real servers answer.

    <!-- figure: chunk -->      in a lesson's README.md: the figure stands here

    kit.py       the frame of a figure, and what figures are drawn with
    lab.py       real servers on the loopback, for the time of one run
    wire.py      bytes as a row of labelled chips
    pipe.py      lesson 1: a buffer between a program and its reader
    chunk.py     lesson 3: a word, and the chunk that carries it
    cut.py       lesson 4: the same bytes, cut anywhere
    envelope.py  lesson 5: the bytes around one token
    leaving.py   lesson 7: a client disconnects; when does the server know?
    reader.py    lesson 8: a reader that slows its model
    hop.py       lesson 9: a bad hop between server and reader
    listener.py  lesson 10: an eavesdropper counts the bytes of each word
    seam.py      lesson 11: the wire is cut, and the answer resumes
    wheel.py     lesson 12: 1, 100 or 1,000 streams, one loop
    routes.py    POST /course/run/NAME: one run, as an event stream

Each figure has a module here, which makes its still picture and runs its experiment, and a module
of the same name for the browser (`chunk.js`), which draws what the run reports. Without a server,
or without scripts, a figure is its still picture. All of its words are in the tables of `words/`.
"""
