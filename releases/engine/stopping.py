"""The worker is asked to stop: finish the step, hand the promotion back.

The event is shared with the pool's children, so it is made before they are forked.
"""

import multiprocessing

stopping = multiprocessing.Event()
