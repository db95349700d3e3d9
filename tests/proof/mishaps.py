"""What goes wrong in a soak at Novita, as a deed of the script says.

All of it stays within what the protocol rests on: lists lag for less than the bound, a create that is held lands well
before its claim is W old, machines of other people are touched by nobody.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

from novita_operator.model.naming import MARK_ENV, Mark, machine_name
from novita_simulator.client import Simulator
from novita_simulator.faults import Kind, Operation
from novita_simulator.views import MachineView
from proof.script import LONGEST_HOLD, LONGEST_LAG, Deed, pick
from proof.told import owner

Later = Callable[[float, Callable[[], None]], None]
Fate = Literal["freeze", "crash", "vanish"]

_CALLS: Mapping[Operation, int] = {
    "create": 8,
    "delete": 4,
    "start": 3,
    "stop": 3,
    "list": 4,
    "get": 2,
    "products": 1,
    "clusters": 1,
    "template": 1,
    "*": 1,
}
_WRONG: Mapping[Kind, int] = {
    "lost_before": 4,
    "lost_after": 5,
    "status_before": 6,
    "status_after": 4,
    "hang_before": 2,
    "hang_after": 3,
    "hold_before": 3,
    "hold_after": 3,
    "html_403": 1,
    "html_200": 1,
}
_REFUSALS = (
    (500, "UNKNOWN"),
    (502, "UNKNOWN"),
    (503, "UNKNOWN"),
    (429, "RATE_LIMIT"),
    (401, "UNAUTHORIZED"),
    (400, "INSUFFICIENT_RESOURCE"),
    (400, "BALANCE_NOT_ENOUGH"),
    (400, "CREATE_INSTANCE_LIMIT"),
    (409, "CONFLICT"),
    (408, "UNKNOWN"),
)
_FOR_GOOD = (400, "VALIDATOR_PARAM")
_PLACES = (("4090.16c62g", "us-ca-6"), ("4090.16c62g", "cn-hongkong-1"), ("26", "cn-hongkong-1"), ("", ""))
_QUIRKS: Mapping[str, tuple[Any, ...]] = {
    "not_found": ("400", "404", "empty_200"),
    "power_answer": ("state", "object", "empty"),
    "delete_answer": ("object", "empty"),
    "wrong_state_reason": ("CONFLICT", "OPERATION_LIMIT", "DEPENDENT_RESOURCE_STATE"),
    "numbers": ("strings", "ints"),
    "deleted": ("fades", "fades", "vanishes"),
    "removed_in_lists": (True, False),
    "spot_in_get": (True, False),
    "node": ("absent", "array", "object"),
}
_WORDS = ("freezing", "migrating", "meditating", "resetting")
PLENTY = 64


class Novita:
    """The simulator's levers."""

    def __init__(self, novita: Simulator, cluster_id: str, later: Later) -> None:
        self.counts: Counter[str] = Counter()
        self.refusals = 0
        self.strangers: dict[str, str] = {m.id: m.name for m in novita.machines() if not owner(m, cluster_id)}
        """Ids and names of all machines that are not ours; those that the soak takes away are no longer in it."""
        self.seen: dict[str, str] = dict(self.strangers)
        self._novita = novita
        self._cluster_id = cluster_id
        self._later = later

    def do(self, deed: Deed) -> str:
        return str(_AT_NOVITA[deed.what](self, deed, random.Random(deed.dice)))

    def calm(self) -> None:
        """No faults any more, and enough of everything but of what there never was."""
        self._novita.clear()
        for machine in self._novita.machines():
            with contextlib.suppress(ValueError):  # gone meanwhile
                self._novita.show_status(machine.id, "")
        self._novita.set_stock(PLENTY)
        self._novita.set_stock(0, product_id="H100-80GB.20c200g")

    def call_goes_wrong(self, _: Deed, dice: random.Random) -> str:
        operation, kind = pick(dice, _CALLS), pick(dice, _WRONG)
        options: dict[str, Any] = {"times": dice.choice((1, 1, 1, 2, 3, 4))}
        if kind == "status_before":
            options["status"], options["reason"] = dice.choice(_REFUSALS)
            if operation in ("create", "start") and dice.random() < 0.1:
                options["status"], options["reason"] = _FOR_GOOD
                self.refusals += 1
            if options["status"] == 429 and dice.random() < 0.7:
                options["retry_after"] = dice.randint(1, 2)
        elif kind == "status_after":
            options["status"] = dice.choice((500, 502, 504))
        elif kind.startswith("hang"):
            options["seconds"] = dice.uniform(0.1, 3)
        fault = self._novita.fault(kind, operation, **options)
        if kind.startswith("hold"):
            drop = dice.random() < 0.3
            self._later(dice.uniform(0.2, LONGEST_HOLD), lambda: self._release(fault, drop=drop))
        self.counts[kind] += 1
        return f"{operation}: {kind} {options}"

    def list_lies(self, _: Deed, dice: random.Random) -> str:
        kind: Kind = dice.choice(("list_lag", "list_lag", "duplicate_page", "slipped_item", "shrunken_list"))
        ours = sorted(m.name for m in self._novita.machines() if owner(m, self._cluster_id))
        options: dict[str, Any] = {"times": dice.randint(1, 6)}
        if kind == "list_lag":
            options["seconds"] = dice.uniform(0.1, LONGEST_LAG)
        elif kind == "duplicate_page":
            options["page"] = 0
        elif kind == "shrunken_list":
            options["fraction"] = dice.choice((0.05, 0.3, 0.6, 0.9))
        elif ours:
            options |= {"name": dice.choice(ours), "total_agrees": dice.random() < 0.5}
        self._novita.fault(kind, "list", **options)
        self.counts[kind] += 1
        return f"{kind} {options}"

    def quirk(self, _: Deed, dice: random.Random) -> str:
        name = dice.choice(sorted(_QUIRKS))
        value = dice.choice(_QUIRKS[name])
        self._novita.quirks(**{name: value})
        self.counts["quirk"] += 1
        return f"{name} = {value}"

    def no_stock(self, _: Deed, dice: random.Random) -> str:
        product, region = dice.choice(_PLACES)
        self._novita.set_stock(0, product_id=product, cluster_id=region)
        self.counts["no stock"] += 1
        return f"{product or 'everything'} {region}"

    def price(self, _: Deed, dice: random.Random) -> str:
        price = dice.randint(20_000, 60_000)
        self._novita.set_price("4090.16c62g", price=price, spot_price=price // 2)
        self.counts["price"] += 1
        return str(price)

    def crash(self, deed: Deed, _: random.Random) -> str:
        return self._befalls(deed, "crash", lambda m: self._novita.crash(m.id))

    def vanish(self, deed: Deed, _: random.Random) -> str:
        return self._befalls(deed, "vanish", lambda m: self._novita.vanish(m.id))

    def many_vanish(self, _: Deed, dice: random.Random) -> str:
        ours = sorted((m for m in self._novita.machines() if owner(m, self._cluster_id)), key=lambda m: m.id)
        chosen = dice.sample(ours, min(len(ours), dice.randint(4, 9)))
        for machine in chosen:
            with contextlib.suppress(ValueError):
                self._novita.vanish(machine.id)
        self.counts["vanish"] += len(chosen)
        return str(len(chosen))

    def reclaim(self, deed: Deed, dice: random.Random) -> str:
        notice = dice.choice((0, 0, dice.uniform(0.5, 3)))

        def reclaimed(machine: MachineView) -> None:
            self._novita.reclaim(machine.id, notice=notice)
            if notice and dice.random() < 0.3:
                self._later(notice / 2, lambda: self._novita.cancel_reclaim(machine.id))

        return self._befalls(deed, "reclaim", reclaimed, lambda m: m.billing_mode == "spot")

    def freeze(self, deed: Deed, _: random.Random) -> str:
        moving = ("toCreate", "creating", "pulling", "toStart", "starting", "toStop", "stopping")
        return self._befalls(deed, "machine freezes", lambda m: self._novita.freeze(m.id), lambda m: m.status in moving)

    def fate(self, _: Deed, dice: random.Random) -> str:
        at = dice.choice(("toCreate", "creating", "pulling", "starting", "stopping"))
        then: Fate = dice.choice(("freeze", "crash", "vanish"))
        self._novita.fate(at, then, name="trainer", times=dice.randint(1, 3))
        self.counts[f"fate: {then}"] += 1
        return f"{then} at {at}"

    def odd_word(self, deed: Deed, dice: random.Random) -> str:
        word = dice.choice(_WORDS)
        return self._befalls(deed, "odd word", lambda m: self._novita.show_status(m.id, word))

    def foreigner_comes(self, deed: Deed, dice: random.Random) -> str:
        """Anybody's machine, or one that only looks like ours: its name, its mark, or another cluster's."""
        machine = self._of(deed)
        mark = Mark.parse(machine.envs[MARK_ENV]) if machine else None
        kind = dice.choice(("anybody", "namesake", "other cluster", "marked")) if machine and mark else "anybody"
        number = f"{deed.dice:08x}"[-8:]
        name, envs = f"notebook-{number}", {}
        if machine is not None and mark is not None and kind == "namesake":
            name = machine.name
        elif mark is not None and kind == "other cluster":
            other = Mark("another-cluster", mark.namespace, mark.name, mark.uid)
            name, envs = machine_name(other, number), {MARK_ENV: str(other)}
        elif mark is not None and kind == "marked":
            envs = {MARK_ENV: str(mark)}
        (planted,) = self._novita.plant(name, envs=envs)
        self.seen[planted.id] = name
        if planted.status == "running":  # a fate may have been waiting for it
            self.strangers[planted.id] = name
        self.counts["foreigner"] += 1
        return f"{kind}: {name}"

    def foreigner_goes(self, _: Deed, dice: random.Random) -> str:
        going = dice.choice(sorted(self.strangers))
        del self.strangers[going]
        self._novita.vanish(going)
        return going

    def _befalls(
        self,
        deed: Deed,
        what: str,
        act: Callable[[MachineView], None],
        meets: Callable[[MachineView], bool] = lambda _: True,
    ) -> str:
        machine = self._of(deed)
        if machine is None or not meets(machine):
            return "nobody"
        try:
            act(machine)
        except ValueError as error:  # not in that state, or gone meanwhile
            return str(error)
        self.counts[what] += 1
        return machine.name

    def _of(self, deed: Deed) -> MachineView | None:
        """The machine of the object of that name if it has one, else any of ours, alive or dead."""
        ours = sorted((m for m in self._novita.machines() if owner(m, self._cluster_id)), key=lambda m: m.id)
        named = [m for m in ours if f"/{deed.name}/" in m.envs[MARK_ENV]]
        return next(iter(named), ours[deed.dice % len(ours)] if ours else None)

    def _release(self, fault: str, *, drop: bool) -> None:
        self._novita.release(fault, drop=drop)


_AT_NOVITA: Mapping[str, Callable[[Novita, Deed, random.Random], str]] = {
    "call goes wrong": Novita.call_goes_wrong,
    "list lies": Novita.list_lies,
    "quirk": Novita.quirk,
    "no stock": Novita.no_stock,
    "price": Novita.price,
    "crash": Novita.crash,
    "vanish": Novita.vanish,
    "many vanish": Novita.many_vanish,
    "reclaim": Novita.reclaim,
    "freeze": Novita.freeze,
    "fate": Novita.fate,
    "odd word": Novita.odd_word,
    "foreigner comes": Novita.foreigner_comes,
    "foreigner goes": Novita.foreigner_goes,
}
