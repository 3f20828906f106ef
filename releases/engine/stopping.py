"""The worker is asked to stop: finish the step, hand the promotion back.

One byte of memory that the pool's children share, so it is made before they are forked. No lock guards it: a child
that is killed while it looks must not leave its sisters waiting for ever, with leases that they keep renewing.
"""

import mmap


class Flag:
    """Up or down; seen by every child that was forked from whoever made it."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Up, for good."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether it is up."""
        return self._byte[0] == 1


stopping = Flag()
