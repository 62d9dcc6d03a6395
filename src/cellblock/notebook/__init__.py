"""Documents in, executed notebooks and pages out. The names to import are in the modules."""
