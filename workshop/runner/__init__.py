"""The exercise runner, and the code that the lessons' programs share.

    learn.py      `workshop learn`: the exercises in order, checked on each save
    commands.py   the same as plain commands: list, check, hint, solution, reset
    exercises.py  finds the exercises, and runs the check of one
    checking.py   runs a check in a process of its own
    check_kit.py  tools for the checks: tokens that a check releases, waits with a deadline
    verdict.py    prints the result of a check, with a caret under the first wrong byte
    task.py       the text of an exercise in the learner's language
    progress.py   the learner's own folder
    lesson.py     the lessons' programs: their server, labels for its bytes, a quiet end
"""
