"""The cube a second time: what every published table has to hold, in plain Python, from the operational rows.

It imports nothing of the product and shares no rule with it but the reference seeds, which are data. Read in this
order: reading (single values), source (rows), dimensions, facts_*, rollups, cube (one refresh after another), compare
(against a published snapshot), histories (made-up operational rows).
"""
