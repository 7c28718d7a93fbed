"""A module that decides about threads when it is imported, as scripts do."""

from __future__ import annotations

import torch

torch.set_num_threads(2)


def torch_threads(_):
    return torch.get_num_threads()
