"""Small networks of every shape that people bring."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLES, CLASSES, TOKENS = 6, 4, 5


def perceptron(*, inplace: bool = False) -> nn.Sequential:
    """Three linear layers, no names but numbers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 10),
        nn.ReLU(inplace=inplace),
        nn.Linear(10, 8),
        nn.ReLU(inplace=inplace),
        nn.Linear(8, CLASSES),
    )


class Functional(nn.Module):
    """Activations as functions, so no module's output holds them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(12, 10), nn.Linear(10, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(x)))))


class Residual(nn.Module):
    """A residual block that adds and rectifies in place."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class ResidualNetwork(nn.Module):
    """Two groups of two blocks; the head is not called fc."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = nn.Sequential(Residual(4, 4), Residual(4, 4))
        self.layer2 = nn.Sequential(Residual(4, 6), Residual(6, 6))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.decide = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.decide(self.pool(self.layer2(self.layer1(functional.relu(self.stem(x))))).flatten(1))


def convolutional(*, pool_first: bool) -> nn.Sequential:
    """A convolutional network with a 1×1 convolution as head, before or after global pooling."""
    pool, head = nn.AdaptiveAvgPool2d(1), nn.Conv2d(7, CLASSES, 1)
    body = [nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 7, 3), nn.ReLU()]
    ends = [pool, head] if pool_first else [head, pool]
    return nn.Sequential(*body, *ends, nn.Flatten())


class Transformer(nn.Module):
    """Embedding, two encoder layers, a head on the first token; returns a dict."""

    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.embed = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first)
        self.classifier = nn.Linear(8, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        hidden = self.embed(input_ids)
        padding = None if attention_mask is None else attention_mask == 0
        if self.batch_first:
            hidden = self.encoder(hidden, src_key_padding_mask=padding)
        else:
            hidden = self.encoder(hidden.transpose(0, 1), src_key_padding_mask=padding).transpose(0, 1)
        return {"logits": self.classifier(hidden[:, 0])}


class Tagger(nn.Module):
    """A head on every token."""

    def __init__(self, *, flatten: bool = False, pick: str = "") -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(11, 8), nn.Linear(8, 8)
        self.tag = nn.Linear(8, CLASSES)
        self.flatten, self.pick = flatten, pick

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        hidden = torch.tanh(self.mix(self.embed(input_ids)))
        scores = self.tag(hidden.reshape(-1, 8) if self.flatten else hidden)
        if self.pick == "last":
            return scores[:, -1]
        return scores.mean(1) if self.pick == "mean" else scores


class Recurrent(nn.Module):
    """An LSTM, tokens first, whose last output is classified."""

    def __init__(self, *, batch_first: bool = False) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(11, 8), nn.LSTM(8, 9, batch_first=batch_first)
        self.out = nn.Linear(9, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        hidden, _ = self.lstm(x if self.lstm.batch_first else x.transpose(0, 1))
        return self.out(hidden[:, -1] if self.lstm.batch_first else hidden[-1])


class ModelOutput(OrderedDict[str, Tensor]):
    """A dict that also answers to attributes, as model libraries return it."""

    def __getattr__(self, name: str) -> Tensor:
        if name in self:
            return self[name]
        raise AttributeError(name)


@dataclass
class Outcome:
    """A dataclass as output."""

    loss: Tensor | None
    logits: Tensor
    hidden: Tensor


class Returning(nn.Module):
    """A body and a head, with the outputs packed as `pack` does."""

    def __init__(self, pack: str = "tensor") -> None:
        super().__init__()
        self.body, self.head, self.pack = nn.Linear(12, 8), nn.Linear(8, CLASSES), pack

    def forward(self, x: Tensor) -> object:
        hidden = torch.relu(self.body(x))
        logits = self.head(hidden)
        packed = {
            "tensor": logits,
            "tuple": (logits, hidden),
            "dict": {"logits": logits, "last_hidden_state": hidden},
            "model output": ModelOutput(last_hidden_state=hidden, logits=logits),
            "dataclass": Outcome(None, logits, hidden),
            "loss first": (logits.sum(), logits),
            "log softmax": logits.log_softmax(-1),
            "temperature": logits / 2.0,
        }
        return packed[self.pack]


class TwoHeads(nn.Module):
    """Two linear layers on the same features; nobody can know which is the head."""

    def __init__(self, *, as_dict: bool = False, add: bool = False) -> None:
        super().__init__()
        self.body, self.first, self.second = nn.Linear(12, 8), nn.Linear(8, CLASSES), nn.Linear(8, CLASSES)
        self.as_dict, self.add = as_dict, add

    def forward(self, x: Tensor) -> object:
        h = torch.relu(self.body(x))
        a, b = self.first(h), self.second(h)
        if self.add:
            return a + b
        return {"coarse": a, "fine": b} if self.as_dict else (a, b)


class Shared(nn.Module):
    """One cell that runs `times` times."""

    def __init__(self, times: int = 3) -> None:
        super().__init__()
        self.cell, self.head, self.times = nn.Linear(12, 12), nn.Linear(12, CLASSES), times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = torch.tanh(self.cell(x))
        return self.head(x)
