"""What a ledger says once the work is done.

`summary` has the closing figures of a command and `table` their table; `export` writes rows as text. `review` gathers
everything a report tells, `described` puts it into a terminal's table or a program's values, `page` into one HTML page
with the plots of `plots`, and `against` holds an import against its rehearsal. `advice` says what to do about an error.
"""
