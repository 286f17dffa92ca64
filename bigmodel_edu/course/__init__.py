"""Course labs: hand out the exercises of a chapter, collect notebooks, grade them safely.

What a student wrote runs in a process of its own, confined, which is handed arrays and hands back
arrays; the references, the secret and everybody else's work are out of its reach. Points are
counted here, from the numbers alone.

settings      the course's one configuration file
release       the notebook for the students; `nbgrader` writes the same for nbgrader
submissions   notebooks found in a folder or a zip file
answers       what is taken from a notebook: the function and what it needs
wire          values as bytes: .npy arrays and JSON
confinement   Landlock, seccomp, resource limits
child         the confined process
workshop      what it may see
sandbox       starts, feeds and stops it
scoring       what answers are worth; `forms` says which stand for which
grading       points and feedback from what came back
referee       the process that does so, within limits
grader        all submissions; `trying` is for one's own
journal       what was graded already, line by line
grades        what grading says
reports       CSV, JSON, JUnit XML
pages         HTML for a student and for the class; `summary` counts, `output` writes
"""
