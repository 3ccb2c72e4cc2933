"""The Hypothesis settings of every conformance test.

Deadlines and health checks are about tests of one's own code; here slow calls belong to others.
How many examples are drawn is left to the profile in force when this module is imported.
"""

from hypothesis import HealthCheck, settings

conformance = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)

#: of aspects that hold the numbers of ``value`` and ``gradient`` against each other: their rows are
#: many, and what can go wrong in a number is searched there
relations = settings(conformance, max_examples=max(2, conformance.max_examples // 3))
