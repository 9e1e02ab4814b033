"""What the tests of all packages share: throwaway servers and databases, and waiting."""

from tests.support.servers import throwaway_server
from tests.support.waiting import until

__all__ = ["throwaway_server", "until"]
