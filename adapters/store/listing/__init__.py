"""Lists: what can be listed, and the compilation of a caller's query to SQL.

Each kind of thing is declared once, as a `Resource`: its fields with their kinds and columns, what
it is related to, and which fields are expensive. Filters, order, the fields of an answer and the
sentences about what is valid all come from there. What callers send reaches SQL as bound values
only.
"""
