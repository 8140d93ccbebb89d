"""DataEval's `dataeval.performance`, without DataEval: a notebook moves by one import.

>>> from sufficiency.compat.dataeval import Sufficiency  # in place of: from dataeval.performance import Sufficiency
"""

from sufficiency.answers.dataeval import SufficiencyOutput
from sufficiency.compat.dataeval import schedules
from sufficiency.compat.dataeval.evaluator import Sufficiency

__all__ = ["Sufficiency", "SufficiencyOutput", "schedules"]
