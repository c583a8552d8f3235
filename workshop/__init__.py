"""The course: the `workshop` command, one folder per lesson.

    __main__.py   the command and its subcommands
    serve.py      all servers at once, and the map of what runs where
    aha.py        ten seconds, standard library only
    doctor.py     what this machine has
    bench.py      benchmarks

    runner/       the exercises: learn, check, hint, solution
    course/       the lessons and the annotated source as web pages
    chat/         the terminal chat
    NN_name/      a lesson: README.md to read, __main__.py to run and to read
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
