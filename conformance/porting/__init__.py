"""Compatibility: what a call on one surface is on another, and what stays different.

:mod:`.translation` maps a call; :mod:`.agreement` makes both and measures how far apart they are;
:mod:`.differences` says what differs, :mod:`.guide` gathers what a person who ports code needs;
:mod:`.tolerances` is the table of how near two surfaces are; :mod:`.explanation` serves the commands.
"""
