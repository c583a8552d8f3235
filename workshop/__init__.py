"""The course: the `workshop` command, one folder per lesson.

    __main__.py   the command and its subcommands
    serve.py      all servers at once, and a map of their addresses
    aha.py        a demonstration of ten seconds, standard library only
    doctor.py     what is installed on this machine
    bench.py      benchmarks
    spec.py       the verdict on a running server
    vectors.py    the score of a parser, of any language
    verdict.py    the faults of a client of the OpenAI API
    language.py   the language of every message; help_text.py lays out `--help` in it
    output.py     standard output that takes no more
    simulated.py  the simulated LLM in a thread, for tests; pytest_plugin.py has its fixtures

    runner/       the exercises: learn, check, hint, solution
    course/       the lessons and the annotated source as web pages
    chat/         the terminal chat
    xray/         the layers of a stream, and the name of the hop that spoils it
    contract/     tests of event-stream clients, of any language
    NN_name/      a lesson: README.md to read, __main__.py to run and to read
"""

import signal
import sys

__version__ = "0.1.0"

# While Python still imports the command, Ctrl-C must end it without a traceback. sys.argv[0] ends
# with `workshop` in the console script. sys.argv[0] is "-m" while Python looks for the module.
if (
    sys.argv[0] == "-m" or sys.argv[0].endswith("workshop")
) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
