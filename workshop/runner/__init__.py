"""The exercises: found, checked, and judged in words.

    learn.py      the exercises, one after the other, checked on each save
    commands.py   the same as plain commands: list, check, hint, solution, reset
    exercises.py  where the exercises are, and what each one's check says
    checking.py   a check in a process of its own
    check_kit.py  what the checks share: tokens that a check releases, waits that end
    verdict.py    what a check found, with a caret under the first wrong byte
    progress.py   the learner's own folder
    lesson.py     what the lessons' programs share: their server, names for its bytes, a quiet end
"""
