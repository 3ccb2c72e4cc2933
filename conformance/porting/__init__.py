"""Compatibility: what a call on one surface is on another, and what stays different.

:mod:`.translation` maps a call; :mod:`.agreement` makes both and measures how far apart they are;
:mod:`.guide` gathers what a person who ports code needs.
"""
