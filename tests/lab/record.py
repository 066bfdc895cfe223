"""Writes the recordings of the network rules anew: `python tests/lab/record.py [cd101_fires ...]`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE.parents[1] / "fixtures" / "recordings"
SCENARIOS = {
    "cd101_fires": "first_nameserver_dead",
    "cd101_quiet": "healthy",
    "cd102_fires": "search_list",
    "cd102_quiet": "search_list_of_a_quick_nameserver",
    "cd103_fires": "split_horizon",
    "cd103_quiet": "healthy",
    "cd104_fires": "ipv6_swallowed",
    "cd104_quiet": "ipv6_refused",
    "cd105_fires": "refused",
    "cd105_quiet": "healthy",
    "cd106_fires": "dropped",
    "cd106_quiet": "healthy",
    "cd107_fires": "slow_tls",
    "cd107_quiet": "healthy",
    "cd108_fires": "parallel_questions_race",
    "cd108_quiet": "healthy",
    "cd110_fires": "cidr_in_no_proxy",
    "cd110_quiet": "cidr_honoured",
    "cd111_fires": "proxy_dead",
    "cd111_quiet": "proxy_works",
    "cd112_fires": "proxy_refuses",
    "cd112_quiet": "proxy_cannot_reach",
    "cd113_fires": "socks_proxy",
    "cd113_quiet": "socks_proxy_not_for_this_host",
    "cd120_fires": "certificate_of_a_private_authority",
    "cd120_quiet": "certificate_every_client_trusts",
    "cd121_fires": "tls_stalls",
    "cd121_quiet": "tls_takes_its_time",
    "cd122_fires": "tls_to_a_plain_port",
    "cd122_quiet": "tls_speaks",
}

for name in sys.argv[1:] or SCENARIOS:
    target = RECORDINGS / name / "recording.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["unshare", "-rnm", sys.executable, str(HERE / "inside.py"), SCENARIOS[name], str(target)]
    subprocess.run(command, check=True)
    target.chmod(0o644)
