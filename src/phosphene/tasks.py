"""What a network's outputs mean: one of several classes, labels of their own, one of two, or none.

| task      | the outputs are                               | probabilities                   |
|-----------|-----------------------------------------------|---------------------------------|
| `softmax` | a score for each of n >= 2 classes            | softmax(z)                      |
| `sigmoid` | a score for each label, any of which may hold | sigmoid(z)                      |
| `binary`  | one score z, for the second of two classes    | (1 - sigmoid(z), sigmoid(z))    |
| `none`    | no classes: features, measures, maps          |                                 |

The scores of `binary` are (-z/2, z/2), whose softmax are its probabilities.
"""

from typing import Literal, get_args

Task = Literal["softmax", "sigmoid", "binary", "none"]

TASKS: tuple[Task, ...] = get_args(Task)
