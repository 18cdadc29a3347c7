"""What keeps itself in memory: looked for when we say so, and never twice among the same things.

Python left to itself looks at all there is, again and again: with a full cache that takes half a second, in which nobody is
served. A worker has that switched off, and calls this once a second.
"""

from __future__ import annotations

import gc


def collect() -> None:
    """Free it, of what has come since the last time. What is in use now is not looked at again: neither here, nor in the
    processes that begin as copies of this one, which would write to memory that they share."""
    gc.collect()
    gc.freeze()
