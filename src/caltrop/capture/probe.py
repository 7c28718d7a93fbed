"""One model, watched at chosen layers: batches in, features and labels out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch import nn

from caltrop.capture import determinism, names
from caltrop.capture.batches import Batch, BatchReader
from caltrop.capture.blocks import choose
from caltrop.capture.heads import Found, find_head, named_head
from caltrop.capture.layers import Layer, input_of, output_of, resolve
from caltrop.capture.linear import read_head
from caltrop.capture.placement import moved, own_copy
from caltrop.capture.plan import Plan, Situation, plan
from caltrop.capture.pooling import POOLS, Pool, Pooling
from caltrop.capture.reading import Captured, Reading, Target, inputs_of
from caltrop.capture.stillness import PrivateStream, Stillness
from caltrop.capture.trace import Trace, watch
from caltrop.stats import Head


class Probe:
    """Reads features off a model at chosen layers, and leaves the model as it was.

    `layers`: module names or patterns ("layer*", "blocks.*.mlp"); a name means the module's output,
    "name:input" its input; None picks the head's input and every block's output. `head`: module name of
    the last linear layer; None finds it. `device`: where to compute; None: where the model is.
    `pool`: "auto" (mean; every token where labels name tokens), "mean", "flatten", "first", "last",
    "every".

    Attributes: `layers` in order of execution; `poolings` {layer: how its tensor became [rows, dim]};
    `head_name`, `head_layer` ("fc:input", whether or not it is among `layers`) and `why_no_head`;
    `notes`, full sentences on what was chosen and why.

    Raises:
        TypeError: `model` is no module, or `layers` holds something that is not a name.
        ValueError: a batch without labels; a layer or head that does not exist, did not run or does not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        first_batch: Any,
        *,
        layers: str | Iterable[Any] | None = None,
        head: str | None = None,
        device: torch.device | str | None = None,
        pool: str = "auto",
    ) -> None:
        names.check_model(model)
        if not _is_pool(pool):
            raise ValueError(f"pool={pool!r} is not known; choose from {', '.join(map(repr, POOLS))}.")
        self._given, self._model, self._device = model, names.unwrap(model), device
        self._reader = BatchReader(self._model.forward)
        batch = self._reader(first_batch)
        modules = names.named(self._model)
        trace = self._watch(modules, batch)
        found = find_head(trace) if head is None else named_head(trace, head, modules)
        chosen, said = self._chosen(trace, found, layers, modules)
        now = Situation(trace, batch.labels, batch.kept, batch.mask_name, found.call, pool)
        made = plan(now, chosen, asked=layers is not None)
        self._reading = _reading(self._model, trace, found, made)
        self._describe(trace, found, made, said)

    @property
    def head(self) -> Head | None:
        """The head's weights as they are now, float64 copies on the CPU; None without a head."""
        return None if self._head is None else read_head(*self._head)

    def read(self, loader: Iterable[Any]) -> Iterator[Captured]:
        """One forward per batch, in eval mode and without gradients.

        The model, all random generators and the gradient mode are as before while the caller holds a
        batch, and after an error or an early stop; only a model moved by `device=` waits for the end.

        Raises:
            ValueError: an empty loader, or a batch whose rows do not match its labels.
        """
        stream, still = PrivateStream(), Stillness(self._given)
        number = 0
        with moved(self._model, self._device):
            for batch in _drawn(loader, stream):
                number += 1
                with stream.playing(), _telling_which(number):
                    # in a list, to be emptied: a local would keep this batch alive beside the next
                    out = [self._reading.run(self._reader(batch), still)]
                del batch
                yield out.pop()
        if number == 0:
            raise ValueError("the loader is empty: it yielded no batch.")

    def check_deterministic(self, loader: Iterable[Any]) -> tuple[str, ...]:
        """Whether two passes over `loader` give the same features; returns notes, such as on shuffling.

        Draws the first batch twice and runs it two and a half times.

        Raises:
            NotDeterministic: features or inputs change between two readings; names the usual culprits.
            ValueError: the loader is empty or can be read only once.
        """
        stream, still = PrivateStream(), Stillness(self._given)

        def run(batch: Batch) -> Captured:
            with stream.playing():
                return self._reading.run(batch, still)

        with moved(self._model, self._device):
            notes = determinism.check(loader, self._reader, run, stream, self._model)
        self.notes += tuple(note for note in notes if note not in self.notes)
        return notes

    def _watch(self, modules: Mapping[str, nn.Module], batch: Batch) -> Trace:
        with moved(self._model, self._device):
            args, kwargs = inputs_of(batch, self._model)
            with PrivateStream().playing(), Stillness(self._given).during():
                return watch(modules, self._model, own_copy(args), own_copy(kwargs))

    def _chosen(
        self,
        trace: Trace,
        found: Found,
        requests: str | Iterable[Any] | None,
        modules: Mapping[str, nn.Module],
    ) -> tuple[list[Layer], list[str]]:
        if requests is not None:
            return resolve(requests, trace, modules, names.aliases(self._model))
        layers, sentence = choose(trace, found.call)
        if not layers:
            raise ValueError(
                "no layer could be chosen: no module with weights reported a call. Pass layers=; a scripted model "
                "hides its modules, so measure the model it was made from."
            )
        return layers, [sentence]

    def _describe(self, trace: Trace, found: Found, made: Plan, said: list[str]) -> None:
        call = found.call
        self._head = None if call is None or call.form is None else (call.module, call.form)
        self.layers: tuple[str, ...] = tuple(layer.name for layer in made.layers)
        self.poolings: dict[str, str] = {name: pooling.said for name, pooling in made.poolings.items()}
        self.head_name: str | None = None if call is None else call.name
        self.head_layer: str | None = None if call is None else input_of(trace, call).name
        self.why_no_head: str | None = found.why_not
        notes = [*found.notes, *said, *made.notes]
        if found.why_not is not None:
            notes.insert(0, f"No head: {found.why_not}.")
        if trace.changed_inputs:
            notes.append("The model writes into its inputs, so it is given copies.")
        self.notes: tuple[str, ...] = tuple(notes)


def _is_pool(pool: str) -> TypeGuard[Pool]:
    return pool in POOLS


def _reading(model: nn.Module, trace: Trace, found: Found, made: Plan) -> Reading:
    def target(layer: Layer, pooling: Pooling) -> Target:
        numbered = trace.times[layer.call.name] > 1
        return Target(layer.name, layer.call.module, layer.call.turn, numbered, layer.is_input, pooling)

    targets = tuple(target(layer, made.poolings[layer.name]) for layer in made.layers)
    head = None
    if found.call is not None and made.head_output is not None:
        head = target(output_of(trace, found.call), made.head_output)
    return Reading(model, targets, head, made.by_position, trace.changed_inputs)


def _drawn(loader: Iterable[Any], stream: PrivateStream) -> Iterator[Any]:
    """Batches of `loader`, drawn with the private stream; nothing is held while the caller works."""
    with stream.playing():
        batches = iter(loader)
    while True:
        with stream.playing():
            try:
                drawn = [next(batches)]
            except StopIteration:
                return
        yield drawn.pop()


@contextmanager
def _telling_which(number: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened in batch {number} of the loader.")
        raise
