"""The course: the `workshop` command, one folder a lesson.

    __main__.py    the command and its subcommands
    serve.py       all servers at once, and the map of what runs where
    aha.py         ten seconds, standard library only
    doctor.py      what this machine has
    bench.py       benchmarks
    chat/          the terminal chat
    course/        the lessons and the annotated source as pages
    lesson.py      what lessons share: their server, names for its bytes, a quiet end
    learn.py       the exercises, one after the other, checked on save
    commands.py    the same as plain commands: list, check, hint, solution, reset
    exercises.py   where the exercises are, and what their checks say
    lab.py         what the checks share: tokens that a check releases, waits that end
    checking.py    a check in a process of its own
    telling.py     what a check found, with a caret under the wrong byte
    progress.py    the learner's own folder
    certificate.py a certificate for localhost, made on the spot
    NN_name/       a lesson: README.md to read, __main__.py to run and to read
"""

import signal
import sys

__version__ = "0.1.0"

# The command is being imported: until it runs, Ctrl-C ends it as it ends any program, without a
# traceback. `workshop` is the console script, "-m" Python while it looks for a module.
if (
    sys.argv[0] == "-m" or sys.argv[0].endswith("workshop")
) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
