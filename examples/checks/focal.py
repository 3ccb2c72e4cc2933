"""Focal loss of probabilities, in PyTorch."""

import torch


def my_focal(input, target, gamma=2.0):
    p = torch.where(target == 1, input, 1 - input)
    return ((1 - p) ** gamma * -torch.log(p)).mean()
