"""Answers about metrics a second time: in plain Python from operational rows, and in plain SQL from the facts.

Nothing of the package is imported; the rows of facts come from `cube_oracle`, which makes them of operational rows.
Read in this order: operations (made-up rows), periods (the calendar), facts (what can be cut by what), meanings (how a
metric is told), of_* (each metric by hand), rollups (which of them answers what), questions, answers, plain_sql, grid.

Metrics of a new component get a module `of_<component>` that `questions.METRICS` takes in, and their facts a line in
`facts.FACTS`; a test fails for as long as one is missing.
"""
