"""What the one who asks may do, compared with the table of rights. Everybody who has logged in may ask that."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from novita_operator.cluster.connection import Connection
from novita_operator.cluster.rights import Right, Scope

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def missing(connection: Connection, rights: Iterable[Right], *, watched: Sequence[str], home: str) -> list[str]:
    """Which of these rights are not given, for people; `home` is the operator's own namespace, no `watched` means all.

    Raises:
        ClusterError: it is not known.
    """
    questions = _questions(rights, watched, home)
    return [str(asked) for asked in questions if not await _is_allowed(connection, asked)]


class Question(NamedTuple):
    """One request that might be made, by the names of a SelfSubjectAccessReview."""

    namespace: str
    verb: str
    group: str
    resource: str
    subresource: str
    name: str

    def __str__(self) -> str:
        what = "/".join(filter(None, (self.resource, self.subresource, self.name)))
        return f"{self.verb} {what}" + (f" in {self.namespace}" if self.namespace else "")


def _questions(rights: Iterable[Right], watched: Sequence[str], home: str) -> Iterator[Question]:
    places = {Scope.CLUSTER: [""], Scope.RESOURCES: list(watched) or [""], Scope.OPERATOR: [home]}
    for right in rights:
        resource, _, subresource = right.resource.partition("/")
        for namespace, verb, name in product(places[right.scope], right.verbs, right.names or ("",)):
            yield Question(namespace, verb, right.group, resource, subresource, name)


async def _is_allowed(connection: Connection, asked: Question) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked._asdict()},
    }
    answer = await connection.create(_REVIEWS, review, write="review")
    allowed: bool = answer["status"]["allowed"]
    return allowed
