"""The command line: the only place that prints, exits and reads the environment.

    program      the group of commands, each imported only when it is typed
    ending       what an exception means to the shell: a sentence and an exit code
    invocation   how this process was called: its words, -v and -q
    options      the options that commands share, as click knows them
    quantities   rates, durations, sizes: text to values
    settling     the options as given -> the values of `bulk_import.options`
    asking       questions to a person, and every way in which no answer comes
    connecting   which key, which server, and the guard before a live account
    process      how many files the system lets this process open
    terminal     text that is safe to print, and where it goes
    progress     what a person watches: a bar, or a line every 30 seconds
    events       what a program watches: one JSON object a line
    carrying     a run or a retry from its start to its closing table
    known        what commands on a known ledger share
    files        what commands write: complete or not at all
    run, check, retry, status, export, report, verify, undo, simulate, completion    one command each

Nothing here imports stripe, aiohttp, anyio or sqlite3 before a command needs it, so that `--help` is quick.
"""
