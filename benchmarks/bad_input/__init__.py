"""Bad input at every door: what is refused must be refused in a sentence, what is right must give the right value.

    python -m benchmarks.bad_input                 every door
    python -m benchmarks.bad_input files python    some of them

Each door is a module here with `cases(folder)`, an iterable of (name, call, expected): `expected` is the exception that
the call must raise, `InputError` as a rule, or a function that says of its result whether it is right. `folder` is
empty and the door's own. Every call runs in a process of its own, with a limit of time and memory, and ends as one of

    right       as expected, and a message of one line
    traceback   another exception, or a message of several lines
    hang        no answer within the limit, or the process was killed
    silent      a result where an exception is wanted, or a wrong result
"""
