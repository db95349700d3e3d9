"""The state machine: what can happen, in any order, and how all must end.

A step of an example is coarse: somebody does something, a mishap is laid out for the next call of a kind, time passes
for one process or both, and what hangs may go on. So a process that freezes between two calls, with minutes of others'
work in between, is one step away from anywhere, and not thirty.
"""

import asyncio
import logging

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from model.cloud import Landing, Trouble, Weather
from model.happenings import (
    BOTH,
    FIRST,
    SECOND,
    SLOW_LINE,
    Then,
    anything,
    birth,
    births,
    death,
    delays,
    either,
    landings,
    losses,
    one,
    quiet,
    restores,
    troubles,
    unanswered,
    unseen,
    wishes,
)
from model.host import Broken, Host
from model.line import Kind, Mishap
from model.process import clock
from model.world import Finding, World
from novita_operator.model.reasons import Reason
from virtual_time import VirtualTimeLoop

NAMES = ("a", "b")
_WATCH = 1.0
_UP = 22.0
_UNTIL_A_SWEEP = 46.0
_UNTIL_RELAUNCHED = 150.0
_ROUND = 15.0
_ROUNDS_TO_REST = 100
_STILL_ROUNDS = 4


class Protocol(RuleBasedStateMachine):
    """Two names, one cloud, one or two processes that do not know of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        loop = self.runner.get_loop()
        self.hosts: tuple[Host, ...] = ()
        self.world = World(loop, self._news)
        self.cloud, self.cluster, self.plan = self.world.cloud, self.world.cluster, self.world.plan
        self._handler = Broken(self.world)
        self._logger = logging.getLogger("novita_operator")
        self._logger.addHandler(self._handler)

    def _news(self) -> None:
        for host in self.hosts:
            self.runner.get_loop().call_later(_WATCH, host.hear)

    @initialize(
        skew=st.sampled_from([0, 7, -7]),
        processes=st.sampled_from([1, 2, 2, 2]),
        landing=landings,
        slow_start=st.sampled_from([False, False, False, True]),
        lags=st.booleans(),
        trouble=st.sampled_from([Trouble.NONE] * 4 + [Trouble.BAD_PAGE]),
        then=birth,
    )
    def begin(
        self, skew: int, processes: int, landing: Landing, *, slow_start: bool, lags: bool, trouble: Trouble, then: Then
    ) -> None:
        """The clocks of two computers need not agree."""
        self.cloud.weather = Weather(landing, trouble=trouble, lags=lags, slow_start=slow_start)
        time = self.world.time
        clocks = {"A": clock(time, boot=1000.0, wall=0), "B": clock(time, boot=77000.0, wall=skew)}

        async def start() -> None:
            self.hosts = tuple(Host(self.world, name, each) for name, each in list(clocks.items())[:processes])

        self.runner.run(start())
        self.cluster.apply("a")
        self.then(then)

    # Processes.

    @rule(then=either(birth, quiet))
    def time_passes(self, then: Then) -> None:
        self.then(then)

    @rule(which=one, what=st.sampled_from(["restarts", "is deaf", "hears"]), then=anything)
    def a_process(self, which: int, what: str, then: Then) -> None:
        host = self.hosts[which]

        async def happens() -> None:
            if what == "restarts":
                host.restart()
            else:
                host.watch(works=what == "hears")

        self.runner.run(happens())
        self.then(then)

    # Novita.

    @rule(turn=births, then=birth)
    def machines_come(self, turn: tuple[str, object], then: Then) -> None:
        setattr(self.cloud.weather, *turn)
        self.then(then)

    @rule(trouble=troubles, then=either(anything, quiet))
    def lists_have_trouble(self, trouble: Trouble, then: Then) -> None:
        self.cloud.weather.trouble = trouble
        self.then(then)

    @rule(turn=delays, then=anything)
    def lists_and_deletes_take_time(self, turn: tuple[str, object], then: Then) -> None:
        setattr(self.cloud.weather, *turn)
        self.then(then)

    @precondition(lambda self: self.cloud.billed())
    @rule(what=st.sampled_from(["vanishes", "vanishes", "exits", "is reclaimed"]), which=one, then=anything)
    def a_machine(self, what: str, which: int, then: Then) -> None:
        machine = self.cloud.billed()[which]
        if what == "vanishes":
            self.cloud.vanish(machine.id)
        else:
            self.cloud.exit(machine.id, reclaimed=what == "is reclaimed")
        self.then(then)

    # Users.

    @precondition(lambda self: len(self.cluster.objects) < len(NAMES))
    @rule(
        how=st.sampled_from(["anew", "anew", "as a copy", "as a copy with status", "as a copy with status"]),
        hangs=st.sampled_from([None, Kind.SWEEP_MACHINES, Kind.SWEEP_OBJECTS]),
        is_heard=st.booleans(),
        then=either(birth, unseen, quiet),
    )
    def a_user_creates(self, how: str, hangs: Kind | None, *, is_heard: bool, then: Then) -> None:
        """What is missing, perhaps as a copy of what is there; perhaps amid a sweep, or a broken watch."""
        if not is_heard:
            self.hosts[0].watch(works=False)
        if hangs is not None:
            self.plan.mishaps[hangs] = Mishap.HANGS_AFTER
            self.go_on(_UNTIL_A_SWEEP)
        like = next(iter(self.cluster.objects), "") if how != "anew" else ""
        name = next(name for name in NAMES if name not in self.cluster.objects)
        self.cluster.apply(name, like, with_status=how == "as a copy with status")
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, anew=st.booleans(), then=either(death, unanswered))
    def a_user_deletes(self, which: int, anew: bool, then: Then) -> None:  # noqa: FBT001
        self.cluster.delete(self.name(which), anew=anew)
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, what=st.sampled_from(["metadata", "status", "both", "both"]), unseen=st.booleans(), then=anything)
    def a_user_wipes(self, which: int, what: str, unseen: bool, then: Then) -> None:  # noqa: FBT001
        """`kubectl replace`, a restore; unseen, if no operator runs meanwhile."""
        self.cluster.wipe(self.name(which), metadata=what != "status", status=what != "metadata")
        if unseen:
            self.runner.run(self._restart())
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, how_far_back=st.integers(1, 12), how=restores, then=birth)
    def a_user_restores(self, which: int, how_far_back: int, how: str, then: Then) -> None:
        """Over what is there; or after a disaster that took the object, perhaps with all operators, and no machine."""
        if "over it" in how:
            self.cluster.restore(self.name(which), how_far_back, status="status" in how)
        else:
            self.cluster.lose_and_restore(
                self.name(which), how_far_back, finalizers="finalizers" in how, status="status" in how
            )
        if "unseen" in how:
            self.runner.run(self._restart())
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, wish=wishes, then=anything)
    def a_user_wishes(self, which: int, wish: tuple[str, str], then: Then) -> None:
        field, value = wish
        if field == "paused":
            self.cluster.pause(self.name(which), paused=value == "true")
        else:
            self.cluster.edit_spec(self.name(which), **{field: value})
        self.then(then)

    # What takes several steps in one order, in fine weather: a plain walk comes upon it too seldom.

    @precondition(lambda self: len(self.hosts) > 1 and len(self.cluster.objects) < len(NAMES))
    @rule(unaware=one, seconds=st.sampled_from([22, 22, 42]), then=quiet)
    def a_launch_is_wiped_unseen(self, unaware: int, seconds: float, then: Then) -> None:
        """One process is frozen while the other launches, and goes on when nothing tells of it but Novita."""
        self.in_fine_weather()
        self.a_user_adds()
        self.then(Then((), seconds, SECOND if unaware == 0 else FIRST, "both", hangs_end=False))
        self.then(then)

    @precondition(lambda self: len(self.hosts) > 1 and len(self.cluster.objects) < len(NAMES))
    @rule(unaware=one, then=quiet)
    def a_launch_is_not_heard_of(self, unaware: int, then: Then) -> None:
        """One process launches; the other's watch is broken, while it sweeps."""
        self.in_fine_weather()
        self.hosts[unaware].watch(works=False)
        self.a_user_adds()
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, lost=losses, then=either(unanswered, quiet))
    def a_delete_is_lost(self, which: int, lost: Mishap, then: Then) -> None:
        """What has long been up is deleted, and Novita does not answer."""
        self.in_fine_weather()
        self.go_on(_UP)
        if self.cluster.objects:
            self.plan.mishaps[Kind.DELETE] = lost
            self.cluster.delete(self.name(which))
        self.then(then)

    @precondition(lambda self: len(self.hosts) > 1 and len(self.cluster.objects) < len(NAMES))
    @rule(kind=st.sampled_from([Kind.ADMIT, Kind.CLAIM, Kind.CREATE]), then=quiet)
    def a_launch_is_overtaken(self, kind: Kind, then: Then) -> None:
        """One process is held up in the midst of a launch until the other has long launched in its place."""
        self.in_fine_weather()
        self.plan.mishaps[kind] = Mishap.HANGS_BEFORE
        self.a_user_adds()
        self.then(Then((), 150, BOTH, "", hangs_end=True))
        self.then(then)

    @precondition(lambda self: len(self.cluster.objects) < len(NAMES))
    @rule(then=quiet)
    def a_launch_takes_its_time(self, then: Then) -> None:
        """As slow as it may be all along, and its process dies before it can tell."""
        self.in_fine_weather()
        self.cloud.weather.landing = Landing.AT_THE_LAST_MOMENT
        self.a_user_adds()
        self.then(Then(SLOW_LINE, 150, BOTH, "", hangs_end=False))
        self.then(then)

    @precondition(lambda self: len(self.hosts) > 1 and self.cluster.objects)
    @rule(which=one, then=quiet)
    def a_release_is_overtaken(self, which: int, then: Then) -> None:
        """It goes out when another object has long had the name."""
        self.in_fine_weather()
        self.go_on(_UP)
        if self.cluster.objects:
            self.plan.mishaps[Kind.RELEASE] = Mishap.HANGS_BEFORE
            self.cluster.delete(self.name(which), anew=True)
        self.then(Then((), 75, BOTH, "", hangs_end=True))
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, is_deleted=st.booleans(), then=quiet)
    def an_old_claim_comes_back(self, which: int, then: Then, *, is_deleted: bool) -> None:
        """Over the machine that was launched after the first one vanished."""
        self.in_fine_weather()
        self.go_on(_UP)
        for machine in self.cloud.billed():
            self.cloud.vanish(machine.id)
        self.go_on(_UNTIL_RELAUNCHED)
        if not self.cluster.objects:
            return
        name = self.name(which)
        self.cluster.restore_first_claim(name)
        if is_deleted:
            self.cluster.delete(name)
        self.then(then)

    @precondition(lambda self: self.cluster.objects)
    @rule(which=one, brought=st.sampled_from(["claim", "claim and finalizer", "all"]), then=quiet)
    def a_disaster_takes_what_has_long_been_up(self, which: int, brought: str, then: Then) -> None:
        """With all operators; its last backup comes back."""
        self.in_fine_weather()
        self.go_on(_UP)
        if self.cluster.objects:
            has_status = brought == "all"
            self.cluster.lose_and_restore(
                self.name(which), 1, finalizers=has_status or "finalizer" in brought, status=has_status
            )
        self.runner.run(self._restart())
        self.then(then)

    def in_fine_weather(self) -> None:
        self.plan.mishaps.clear()
        self.cloud.weather = Weather()

    def a_user_adds(self) -> None:
        self.cluster.apply(next(name for name in NAMES if name not in self.cluster.objects))

    def name(self, which: int) -> str:
        return list(self.cluster.objects)[which]

    def then(self, then: Then) -> None:
        self.plan.mishaps.update(then.mishaps)
        frozen = [host for host in self.hosts if host not in self.hosts[then.who]]
        for host in frozen:
            host.freeze()
        self.go_on(then.seconds)
        for name in list(self.cluster.objects) if then.wiped else ():
            self.cluster.wipe(name, metadata=True, status=then.wiped == "both")
        self.runner.run(self._thaw(frozen))
        if then.hangs_end:
            self.plan.let_go()

    async def _restart(self) -> None:
        for host in self.hosts:
            host.restart()

    async def _thaw(self, hosts: list[Host]) -> None:
        for host in hosts:
            host.thaw()

    def go_on(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))
        if self.world.found is not None:
            note("\n".join(self.plan.story))
            raise self.world.found

    # The end.

    def teardown(self) -> None:
        try:
            if self.hosts and self.world.found is None:
                self.all_becomes_calm()
                self.all_comes_to_rest()
        finally:
            self._logger.removeHandler(self._handler)
            self.runner.close()

    def all_becomes_calm(self) -> None:
        """Faults stop. People look at what is stalled, and change the spec."""
        self.cloud.clear_up()
        self.plan.mishaps.clear()
        self.plan.is_calm = True
        for name in list(self.cluster.objects):
            self.cluster.pause(name, paused=False)

        async def heal() -> None:
            for host in self.hosts:
                host.watch(works=True)
            self.plan.let_go()

        self.runner.run(heal())

    def all_comes_to_rest(self) -> None:
        """As wanted, and nobody writes anything for longer than a sweep takes to come."""
        still = 0
        for number in range(_ROUNDS_TO_REST):
            before = self.cluster.objects.copy()
            self.go_on(_ROUND)
            still = still + 1 if self.cluster.objects == before and not self.world.unrest() else 0
            if still == _STILL_ROUNDS:
                return
            for instance in self.cluster.instances() if number % _STILL_ROUNDS == 0 else ():
                ready = instance.status.condition("Ready")
                if ready is not None and ready.reason in {Reason.TOO_MANY_RETRIES, Reason.REFUSED}:
                    self.cluster.edit_spec(instance.metadata.name)
        self.world.finds(Finding.UNREST, str(self.world.unrest()))
        self.go_on(0)
