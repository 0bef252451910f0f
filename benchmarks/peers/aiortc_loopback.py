"""aiortc on 127.0.0.1: aioice leaves loopback addresses out, and has no option for it."""

import aiortc

if aiortc.__name__ == "aiortc":  # and not the layer of rtcore, which `run_program` has told
    import aioice.ice

    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
