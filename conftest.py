"""What every package's tests share; the machinery is in tests/support."""

import signal

pytest_plugins = ["pytester", "tests.support.fixtures"]

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
