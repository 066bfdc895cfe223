"""What the network probes share: threads side by side, resolv.conf, NO_PROXY, and one file per client library."""
