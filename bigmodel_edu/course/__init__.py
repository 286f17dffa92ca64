"""A course: hand out the exercises of a chapter, collect notebooks, grade them safely.

What a student wrote runs in a process of its own, confined, which is handed arrays and hands back
arrays; the references, the secret and everybody else's work are out of its reach. Points are
counted from the numbers alone, in another process. One assignment is one folder with a course.toml.

What goes out and comes in:

settings       reads and writes course.toml: exercises, points, deadline, limits, the secret
release        writes the notebook for the students, with its tasks, stubs and checks
nbgrader       writes the same assignment for a course that lives in nbgrader
submissions    finds the notebooks in a folder or a zip file
answers        takes from a notebook the function that is asked for, and what it needs
wire           turns values into bytes and back: .npy arrays and JSON

The process in which a student's function runs:

workshop       lays out the folder that it may see
sandbox        starts, feeds and stops it
child          is its program
confinement    takes its rights away: Landlock, seccomp, resource limits

Who grades:

task           knows an exercise with all that grading it takes, and draws its cases
one_exercise   has a function run there, and its answers judged elsewhere
judge_process  is that place: a process that may die of an answer
feedback       reads what came back, and says in words how it fared
points         compares answers with the reference, and says what they are worth
forms          knows which form of an answer may stand for which
whole_class    goes through all submissions, with workers
journal        remembers what was graded already, line by line
own_notebook   grades a student's notebook before it is handed in

What is said of it:

grades         holds the words for it: statuses, flags, `Result`, `Grade`
summary        counts: students, exercises, common mistakes
reports        writes CSV, JSON and JUnit XML
pages          writes HTML for each student and for the class
output         makes texts harmless and writes files whole
"""
