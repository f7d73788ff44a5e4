#!/usr/bin/env bash
# Python's csv.writer (seen in 3.11.7) quotes a cell with a line break only if the break is a character of the line end
# that it writes. A cell from an old Excel for Mac, with carriage returns between its lines, is written bare into a file
# whose lines end with LF, and so is a cell with LF in a file whose lines end with CR. csv.reader takes each for the end
# of a row (RFC 4180, section 2.6, wants such cells in quotes): one row comes back as two, and nothing warns of it.
set -euo pipefail

python3 - <<'END'
import csv, io, platform

print("Python", platform.python_version())
for end, inside, is_kept in (("\n", "\r", False), ("\r", "\n", False), ("\r\n", "\r", True), ("\r\n", "\n", True)):
    file = io.StringIO(newline="")
    row = ["ana@example.org", f"Example Street 1{inside}Example Town"]
    csv.writer(file, lineterminator=end).writerow(row)
    back = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    print(f"lines end with {end!r}, the cell has {inside!r}: {file.getvalue()!r} is read as {back}")
    assert (back == [row]) is is_kept, "it is written as it should be now"
    assert is_kept or len(back) == 2
print("as expected")
END
