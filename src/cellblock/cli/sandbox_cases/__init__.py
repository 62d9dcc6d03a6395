"""Things that code must not be able to do, as a table: each is tried, and what comes of it is looked at.

Each case is a function that is sent to a kernel as it stands and tries one thing there. It gives what it got hold of, as
text; nothing, or an error of the operating system, means that the thing was held back.
"""
