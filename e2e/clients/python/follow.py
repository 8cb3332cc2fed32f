"""Follows a stream with launchdarkly-eventsource and prints a line for each
event: its name, a tab, its data.

    python3 follow.py URL CA.pem
"""

import sys

import urllib3
from ld_eventsource import SSEClient
from ld_eventsource.config import ConnectStrategy, ErrorStrategy

url, authority = sys.argv[1:]
client = SSEClient(
    ConnectStrategy.http(url, pool=urllib3.PoolManager(ca_certs=authority)),
    error_strategy=ErrorStrategy.always_continue(),
    retry_delay_reset_threshold=1,
)
for event in client.events:
    print(event.event, event.data, sep="\t", flush=True)
