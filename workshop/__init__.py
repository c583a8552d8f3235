"""The course: the `workshop` command, one folder a lesson.

    __main__.py    the command and its subcommands
    serve.py       all servers at once, and the map of what runs where
    aha.py         ten seconds, standard library only
    doctor.py      what this machine has
    bench.py       benchmarks
    course/        the lessons and the annotated source as pages
    lesson.py      what lessons with a server share: start it, name its bytes
    NN_name/       a lesson: README.md to read, __main__.py to run and to read
"""
