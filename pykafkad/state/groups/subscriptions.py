"""What a ``consumer`` group subscribes to: the one place where the broker reads what clients embed in their joins.

Only two questions need it: may an offset be deleted, may it expire. When in doubt the answer is no.
"""

from __future__ import annotations

from collections.abc import Container

from kafkawire.consumer_protocol import read_subscription
from kafkawire.errors import WireError
from pykafkad.state.groups.roster import Roster

CONSUMER = "consumer"


class _Everything:
    def __contains__(self, topic: object) -> bool:
        return True


EVERYTHING: Container[str] = _Everything()


def subscribed_topics(roster: Roster) -> Container[str]:
    """The topics that any member names; everything if one can't be read."""
    if not roster.members or roster.protocol_type != CONSUMER:
        return ()
    topics: set[str] = set()
    try:
        for member in roster.members.values():
            topics.update(read_subscription(member.metadata(roster.protocol)).topics)
    except WireError:
        return EVERYTHING
    return topics
